"""E1: what a trained discriminator measures, beside the exact divergence.

    python -m benchmarks.divergence [--seeds 0 1 2]

P = N(0, 1) and Q = N(theta, 1), and two parallel lines theta apart; only the discriminator is trained. The minimax
objective measures the Jensen-Shannon divergence (Goodfellow 2014, theorem 1), the Wasserstein objective with a gradient
penalty the earth mover's distance (Arjovsky 2017, of whose example 1 the lines are).
"""

import statistics

from apps.divergence_estimation import DivergenceEstimation, Options
from benchmarks.results import Row, arguments, record
from kgan import objectives
from kgan.datasets.pairs import load_pair
from kgan.models.divergence import exact_divergence

THETAS = (1.0, 2.0, 4.0, 8.0)
HELD_OUT = 200_000
JSD_BOUND = 0.01
DISTANCE_BOUND = 0.05


def estimate(objective: str, data: str, theta: float, seed: int, count: int = HELD_OUT, **options) -> float:
    """Train the app's discriminator between the pair and return what it measures on `count` fresh pairs."""
    app = DivergenceEstimation()
    options = Options(objective=objective, data=data, theta=theta, seed=seed, **options)
    pairs = app.data(options, "train")
    model = app.build(options, pairs)
    batches = pairs.batches(options.batch_size, steps=options.updates, seed=seed)
    model.fit(batches, verbose=0, shuffle=False)
    fresh = load_pair(data, theta, "test", count=count, seed=seed).examples
    return float(model.signatures()["estimate"].function(fresh[:, 0], fresh[:, 1])["divergence"][0])


def main() -> None:
    """Run every pair with both objectives and write the rows."""
    given = arguments(__doc__, seeds=3)
    rows = []
    for data in ("gaussians", "lines"):
        for objective in ("minimax", "wasserstein"):
            for theta in THETAS:
                found = []
                for seed in given.seeds:
                    found.append(estimate(objective, data, theta, seed))
                    print(f"{data} theta {theta:g} {objective} seed {seed}: {found[-1]:.4f}", flush=True)
                rows.append(compare(objective, data, theta, found))
                print(rows[-1], flush=True)
    passed = record(
        "E1 what a trained discriminator measures",
        rows,
        command="python -m benchmarks.divergence",
        seeds=given.seeds,
        protocol="P = N(0, 1), Q = N(θ, 1), or two lines θ apart. Only D is trained, as the app does by "
        f"default: a 64-64 tanh MLP, {Options.updates:,} updates of Adam on {Options.batch_size} fresh pairs, the rate "
        "falling along a cosine. JSD = log 2 − D loss/2; W = E_P[D] − E_Q[D] with the one-sided gradient penalty of "
        f"weight {Options.penalty_weight:g}; both on {HELD_OUT:,} pairs not seen in training. To pass, every seed must "
        f"be within {JSD_BOUND} of the exact JSD and {DISTANCE_BOUND:.0%} of W.",
    )
    raise SystemExit(0 if passed else 1)


def compare(objective: str, data: str, theta: float, found: list[float]) -> Row:
    """The row of one pair and objective: what each seed found, beside the exact value."""
    exact = exact_divergence(objectives.get(objective), data, theta)
    bound = JSD_BOUND if objective == "minimax" else DISTANCE_BOUND * exact
    return Row(
        setting=f"{data}, θ = {theta:g}, {'JSD' if objective == 'minimax' else 'W'}",
        ours=f"{statistics.fmean(found):.4f} ({min(found):.4f} to {max(found):.4f})",
        reference=f"{exact:.4f} ± {bound:.4g}",
        passes=all(abs(value - exact) <= bound for value in found),
    )


if __name__ == "__main__":
    main()
