"""E9: behaviour cloning and GAIL on classic control, from a few episodes of a scripted expert.

    python -m benchmarks.imitation
    python -m benchmarks.imitation --seeds 0 1 2

Writes benchmarks/pictures/gail.png: in each environment the actor's return and the discriminator's accuracy.
"""

from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure as Canvas

from apps.imitation import Imitation, Options, learnt
from benchmarks.kept import measured
from benchmarks.results import arguments, record
from kgan import pictures
from kgan.app import Live, save_picture
from kgan.control import imitation
from kgan.control.experts import expert
from kgan.control.imitators import completed

FOLDER = Path("runs/imitation-benchmark")
"""What each training came to, so that a run that was stopped goes on."""
HORIZON, EPISODES = 200, 50
EVERY = {"CartPole-v1": 10, "MountainCar-v0": 5, "Acrobot-v1": 5}
SIZES = (1, 4, 7, 10)
BARS = {"CartPole-v1": 195.0, "MountainCar-v0": -105.0, "Acrobot-v1": -85.0}
PAPER = {
    "CartPole-v1": ((72.0, 169.2, 188.6, 177.2), 200.0),
    "MountainCar-v0": ((-136.8, -133.3, -127.3, -123.1), -101.6),
    "Acrobot-v1": ((-130.6, -93.2, -96.9, -95.1), -77.3),
}
"""Ho & Ermon's behaviour cloning from 1, 4, 7 and 10 episodes, and their GAIL from one."""


def options(name: str, method: str, episodes: int, seed: int) -> Options:
    """As apps.imitation has them, but for the protocol."""
    return completed(
        Options(
            environment=name, method=method, episodes=episodes, every=EVERY[name], horizon=HORIZON, seed=seed,
        )
    )  # fmt: skip


def returned(name: str, policy: imitation.BatchPolicy, seed: int) -> float:
    """The mean return of greedy play from starts that no training has seen."""
    return float(imitation.play(name, policy, EPISODES, HORIZON, 1_000 + seed).returns.mean())


def cloned(chosen: Options) -> dict[str, np.ndarray]:
    """Train by behaviour cloning; gives the mean `return`."""
    app = Imitation()
    data = app.data(chosen, "train")
    policy = learnt(app.build(chosen, data), data, chosen.updates, chosen)
    return {"return": np.array(returned(chosen.environment, policy, chosen.seed))}


def imitated(chosen: Options) -> dict[str, np.ndarray]:
    """Train by GAIL; gives the mean `return`, and the `game`: [updates, 2], return and accuracy."""
    app, game = Imitation(), []
    actor = app.build(chosen, None)
    app.begin(actor, chosen)
    for _ in range(chosen.updates):
        actor.reset_metrics()
        report = actor.train_step(None)
        game.append([report["return"], report["discriminator_accuracy"]])
    live = Live(actor)
    final = returned(chosen.environment, lambda seen: live.call("act", observations=seen)["actions"], chosen.seed)
    return {"return": np.array(final), "game": np.array(game)}


def main() -> None:
    """Run all, draw the games and record the figures."""
    given = arguments(__doc__, 7)
    found: dict[tuple[str, str, int], list[dict[str, np.ndarray]]] = {}
    for seed in given.seeds:  # outermost, so that whoever cannot wait has something of everything
        for name in EVERY:
            for method, size in [("gail", 1), *(("behaviour-cloning", size) for size in SIZES)]:
                chosen, measure = options(name, method, size, seed), imitated if method == "gail" else cloned
                path = FOLDER / f"{name}-{method}-{size}-{seed}.npz"
                one = measured(chosen, path, partial(measure, chosen))
                found.setdefault((name, method, size), []).append(one)
                print(f"{name}, {method}, {size} episodes, seed {seed}: {float(one['return']):.1f}", flush=True)
    rows, canvas = [], Canvas(figsize=(12, 3.5), dpi=100, layout="constrained")
    for axes, name in zip(canvas.subplots(1, 3), EVERY, strict=True):
        best = np.mean([returned(name, expert(name), seed) for seed in given.seeds])
        cloning, gail = PAPER[name]
        for size, paper in zip(SIZES, cloning, strict=True):
            setting = f"{name}, behaviour cloning, {size} episode{'s' * (size > 1)}"
            ours = _returns(found[name, "behaviour-cloning", size])
            rows.append({"setting": setting, "ours": _said(ours), "reference": f"paper {paper}", "passes": True})
        runs = found[name, "gail", 1]
        reference = f"at least {BARS[name]:g} (paper {gail}); the expert here {best:.1f}"
        passes = bool(np.mean(_returns(runs)) >= BARS[name])
        ours = _said(_returns(runs))
        rows.append({"setting": f"{name}, GAIL, 1 episode", "ours": ours, "reference": reference, "passes": passes})
        _draw(axes, name, np.stack([one["game"] for one in runs]))
    save_picture(pictures.from_figure(canvas), Path(__file__).with_name("pictures") / "gail.png")
    record(
        "E9: imitation", rows, command="python -m benchmarks.imitation", seeds=given.seeds,
        protocol=(
            "Episodes of at most 200 steps by the scripted experts of kgan.control.experts, of which one step in 10 "
            "(CartPole) or 5 is kept; mean return of 50 episodes of greedy play, mean of the seeds (each). The "
            "defaults of apps.imitation: GAIL is 300 updates of PPO, 614,400 steps, under the Wasserstein objective "
            "with a gradient penalty; the learning rate 0.002 and the weight 0.1 of the entropy fall to zero. "
            "Behaviour cloning has no bar: the paper's figures stand beside it."
        ),
    )  # fmt: skip


def _returns(runs: list[dict[str, np.ndarray]]) -> list[float]:
    return [float(one["return"]) for one in runs]


def _said(found) -> str:
    return f"{np.mean(found):.1f} ({', '.join(f'{value:.1f}' for value in found)})"


def _draw(axes, name: str, games: np.ndarray) -> None:
    updates = 1 + np.arange(games.shape[1])
    beside = axes.twinx()
    for axis, index, colour, label in (
        (axes, 0, "tab:orange", "return of the actor"),
        (beside, 1, "tab:blue", "accuracy of the discriminator"),
    ):
        axis.plot(updates, games[..., index].T, color=colour, alpha=0.2, linewidth=1)
        axis.plot(updates, games[..., index].mean(axis=0), color=colour, linewidth=2)
        axis.set_ylabel(label, color=colour)
    axes.set(title=name, xlabel="update")


if __name__ == "__main__":
    main()
