"""E5 to E8: critics and tables beside the book's figures.

    python -m benchmarks.value_estimation [--seeds 0 1 2 3 4]

The random walk (Sutton & Barto 2018, example 6.2), the lecture's eight episodes (6.4), the short corridor (13.1) and
cliff walking (6.6), as `python -m apps.value_estimation experiment` draws them.
"""

import numpy as np

from benchmarks.results import Row, arguments, record
from kgan.control import book, tabular, values

WALK_BOUND = 0.05
CORRIDOR_BOUND = -11.9
CLIFF_BOUND = 0.95


def main() -> None:
    """Run the four experiments and write the rows."""
    given = arguments(__doc__, seeds=5)
    shown = {"command": "python -m benchmarks.value_estimation", "seeds": given.seeds}
    passed = [
        record(
            "E5 random walk",
            walk([book.walk_errors(seed=seed) for seed in given.seeds]),
            protocol="Five states, values 0.5 before the first of 100 episodes, no discount; root mean square error "
            "over the states after the last episode, mean of 1,000 runs a seed; the rules of one seed meet the same "
            "episodes. The mean of the seeds (least to greatest). To pass, it must be within "
            f"{WALK_BOUND:.0%} of the reference.",
            **shown,
        ),
        record(
            "E6 Monte-Carlo against TD",
            eight_episodes(),
            protocol="The lecture's eight episodes, batch fixed points in closed form; there is no chance in it.",
            **shown,
        ),
        record(
            "E7 short corridor",
            corridor([book.corridor_policies(seed=seed) for seed in given.seeds]),
            protocol="A softmax of two preferences, the same in every state, begun at a chance of 0.05 of going right "
            f"(J = {tabular.corridor_value(0.05):.1f}); "
            + "; ".join(map(_step_sizes, book.CORRIDOR_STEPS))
            + ". The critic of actor-critic tells the states apart, the actor does not. J is the exact return of the "
            "policy after 1,000 episodes; the median of 20 runs for each seed. To pass, every seed must reach "
            f"{CORRIDOR_BOUND}.",
            **shown,
        ),
        record(
            "E8 cliff walking",
            cliff([book.cliff_runs(seed=seed) for seed in given.seeds]),
            protocol="4 × 12 cells, step size 0.5, ε 0.1, no discount, 500 episodes, 60 runs a seed, values 0 at the "
            "start, equal ones chosen between at random. Online returns: mean of the last 100 episodes, falls included "
            "(least to greatest of the seeds).",
            **shown,
        ),
    ]
    raise SystemExit(0 if all(passed) else 1)


def _step_sizes(name: str) -> str:
    sizes = ", ".join(f"{what.replace('_', ' ')} 1/{1 / size:g}" for what, size in book.CORRIDOR_STEPS[name][1].items())
    return f"{name}: {sizes}"


def walk(found: list[dict[tuple[str, float], np.ndarray]]) -> list[Row]:
    """A row for each method and step size."""
    rows = []
    for (method, size), reference in book.REFERENCES.items():
        errors = [curves[method, size][-1] for curves in found]
        mean = float(np.mean(errors))
        rows.append(
            Row(
                setting=f"{method}, α {size:g}",
                ours=f"{mean:.4f} ({min(errors):.4f} to {max(errors):.4f})",
                reference=f"{reference:.4f}",
                passes=abs(mean / reference - 1) <= WALK_BOUND,
            )
        )
    return rows


def eight_episodes() -> list[Row]:
    """A row for each method."""
    eight = tabular.eight_episodes()
    rows = []
    for name, solve, exact in (
        ("Monte-Carlo", values.batch_monte_carlo, (0, 0.75)),
        ("TD(0)", values.batch_temporal_difference, (0.75, 0.75)),
    ):
        found = solve(eight)[0]
        rows.append(
            Row(
                setting=f"{name}: V(a), V(b)",
                ours=f"{found[0]:g}, {found[1]:g}",
                reference=f"{exact[0]:g}, {exact[1]:g}",
                passes=bool(np.abs(found - exact).max() < 1e-12),
            )
        )
    return rows


def corridor(found: list[dict[str, tuple[np.ndarray, np.ndarray]]]) -> list[Row]:
    """A row for each actor."""
    rows = []
    for name in book.CORRIDOR_STEPS:
        medians = [float(np.median(tabular.corridor_value(policies[name][0][-1]))) for policies in found]
        rows.append(
            Row(
                setting=f"{name}: J",
                ours=", ".join(f"{median:.3f}" for median in medians),
                reference=f"at least {CORRIDOR_BOUND} (best {book.BEST_BLIND:.3f})",
                passes=min(medians) >= CORRIDOR_BOUND,
            )
        )
    return rows


def cliff(found: list[dict[str, tuple[np.ndarray, np.ndarray]]]) -> list[Row]:
    """Q-learning's greedy return, and the online return of each kind of backup."""
    world, rows = tabular.cliff_walking(), []
    for name in values.BACKUPS:
        best = float(np.mean([tabular.greedy_return(world, each[name][0]) == -13 for each in found]))
        online = [float(each[name][1][-100:].mean()) for each in found]
        judged = name == "q-learning"
        rows.append(
            Row(
                setting=f"{name}: greedy return −13; online return",
                ours=f"{best:.1%} of {60 * len(found)} runs; {np.mean(online):.1f} "
                f"({min(online):.1f} to {max(online):.1f})",
                reference=f"at least {CLIFF_BOUND:.0%}; {book.ONLINE_REFERENCE}" if judged else "",
                passes=best >= CLIFF_BOUND if judged else True,
            )
        )
    return rows


if __name__ == "__main__":
    main()
