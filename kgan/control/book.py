"""The experiments of Sutton & Barto (2018) whose answers are known: what they measure, and their curves.

The figures to reproduce are in REFERENCES; `benchmarks.value_estimation` records how near ours come.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from kgan import pictures
from kgan.control import policy_gradient, tabular, values
from kgan.control.cliff import cells, path
from kgan.metrics.protocol import Figure

REFERENCES = {
    ("TD(0)", 0.15): 0.0705, ("TD(0)", 0.1): 0.0553, ("TD(0)", 0.05): 0.0350,
    ("Monte-Carlo", 0.01): 0.0972, ("Monte-Carlo", 0.02): 0.0816,
    ("Monte-Carlo", 0.03): 0.0954, ("Monte-Carlo", 0.04): 0.1088,
}  # fmt: skip
"""The walk: root-mean-square error after 100 episodes, by method and step size."""

BEST_BLIND = -6 - 4 * np.sqrt(2)
ONLINE_REFERENCE = -51.4
CORRIDOR_START = np.log([0.95, 0.05])
CORRIDOR_STEPS: dict[str, tuple[Callable, dict[str, float]]] = {
    "REINFORCE": (policy_gradient.reinforce, {"step_size": 2**-12}),
    "REINFORCE with baseline": (policy_gradient.reinforce, {"step_size": 2**-9, "baseline_step_size": 2**-4}),
    "actor-critic": (policy_gradient.actor_critic, {"step_size": 2**-9, "critic_step_size": 2**-4}),
}
CORRIDOR_EPISODES = 1_000
CLIFF_EPISODES = 500
COLOURS = {"TD(0)": "tab:blue", "Monte-Carlo": "tab:red"}


@dataclass(frozen=True, eq=False)
class Experiment:
    """What came out: figures, the reference in each one's remark, and a picture, uint8 [H, W, 3]."""

    figures: list[Figure]
    picture: np.ndarray


def _nothing() -> None:
    pass


# The random walk, example 6.2.


def walk_errors(
    runs: int = 1_000, seed: int = 0, tick: Callable[[], object] = _nothing
) -> dict[tuple[str, float], np.ndarray]:
    """The error after 0 to 100 episodes, root mean square over the states, mean of the runs, as REFERENCES has it."""
    world = tabular.random_walk()
    exact = tabular.state_values(world, world.uniform())
    met = tabular.simulate(world, world.uniform(), 100, runs, seed)
    rules = {"TD(0)": values.temporal_difference, "Monte-Carlo": values.monte_carlo}
    found = {}
    for method, step_size in REFERENCES:
        found[method, step_size] = _error(rules[method](met, step_size, initial=0.5), exact)
        tick()
    return found


def _error(history: np.ndarray, exact: np.ndarray) -> np.ndarray:
    return np.sqrt(((history - exact) ** 2).mean(axis=-1)).mean(axis=-1)


def walk(runs: int = 1_000, seed: int = 0, tick: Callable[[], object] = _nothing) -> Experiment:
    """TD(0) against Monte-Carlo on the walk: one after the other, and in batches (example 6.2, figures 6.2)."""
    errors = walk_errors(runs, seed, tick)
    how = f"root mean square over 5 states, after 100 episodes, mean of {runs:,} runs; seed {seed}"
    figures = [
        Figure(f"error of {method}, step size {size:g}", curve[-1], how, remark=f"reference {REFERENCES[method, size]}")
        for (method, size), curve in errors.items()
    ]
    world = tabular.random_walk()
    exact = tabular.state_values(world, world.uniform())
    canvas = Canvas(figsize=(13, 4), dpi=100, layout="constrained")
    learnt, online, batch = canvas.subplots(1, 3)

    met = tabular.simulate(world, world.uniform(), 100, min(runs, 100), seed)
    history = values.temporal_difference(met, 0.1, initial=0.5)[:, 0]
    learnt.plot(list("ABCDE"), exact, "o-", color="black", label="exact")
    for count in (0, 1, 10, 100):
        learnt.plot(history[count], "o-", label=f"{count} episodes", alpha=0.8)
    _label(learnt, "one run of TD(0), step size 0.1", "state", "value")

    for shade, ((method, size), curve) in zip([1, 0.7, 0.4, 1, 0.75, 0.5, 0.3], errors.items(), strict=True):
        online.plot(curve, color=COLOURS[method], alpha=shade, label=f"{method} {size:g}")
    _label(online, f"one episode after the other, {runs:,} runs", "episodes", "error")

    counts = [1, 2, 3, 5, 10, 20, 35, 50, 75, 100]
    for method, solve in (("TD(0)", values.batch_temporal_difference), ("Monte-Carlo", values.batch_monte_carlo)):
        curve = [_error(solve(met.first(count), initial=0.5), exact) for count in counts]
        batch.plot(counts, curve, "o-", color=COLOURS[method], label=method)
        tick()
    _label(batch, f"the same episodes over and over, {min(runs, 100)} runs", "episodes", "error")
    return Experiment(figures, pictures.from_figure(canvas))


# The lecture's eight episodes, example 6.4.


def episodes(runs: int = 1, seed: int = 0, tick: Callable[[], object] = _nothing) -> Experiment:
    """Eight episodes on which Monte-Carlo and TD disagree; there is no chance in it, so neither runs nor a seed."""
    eight = tabular.eight_episodes()
    answers = {
        "Monte-Carlo": (values.batch_monte_carlo(eight)[0], values.monte_carlo, (0, 0.75)),
        "TD(0)": (values.batch_temporal_difference(eight)[0], values.temporal_difference, (0.75, 0.75)),
    }
    canvas = Canvas(figsize=(6.5, 4), dpi=100, layout="constrained")
    axes, figures = canvas.add_subplot(), []
    over = tabular.Episodes(np.tile(eight.states, (150, 1, 1)), np.tile(eight.rewards, (150, 1, 1)), eight.end)
    for method, (solved, rule, references) in answers.items():
        history = rule(over, 0.02)[::8, 0]
        for index, (state, style) in enumerate((("a", "-"), ("b", "--"))):
            axes.plot(history[:, index], style, color=COLOURS[method], label=f"{method}, V({state})")
            remark = f"reference {references[index]}"
            figures.append(Figure(f"V({state}) by {method}", solved[index], "batch fixed point", remark=remark))
        axes.plot([len(history) + 1] * 2, solved, "o", color=COLOURS[method], clip_on=False)
        tick()
    axes.set_xlim(0, 155)
    _label(axes, "the eight episodes over and over; dots: where it ends", "times through", "value")
    return Experiment(figures, pictures.from_figure(canvas))


# The short corridor, example 13.1.


def corridor_policies(
    runs: int = 20, seed: int = 0, tick: Callable[[], object] = _nothing
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The chance of going right after each of 1,000 episodes, and the returns, both [episodes, runs], of each actor."""
    found = {}
    for name, (learn, step_sizes) in CORRIDOR_STEPS.items():
        policies, returns = learn(
            tabular.short_corridor(), CORRIDOR_START, episodes=CORRIDOR_EPISODES, runs=runs, **step_sizes, seed=seed
        )
        found[name] = policies[..., 1], returns
        tick()
    return found


def corridor(runs: int = 20, seed: int = 0, tick: Callable[[], object] = _nothing) -> Experiment:
    """Policy gradients in the corridor, where to be random is best (example 13.1, figures 13.1 and 13.2)."""
    found = corridor_policies(runs, seed, tick)
    how = f"exact return of the policy after {CORRIDOR_EPISODES:,} episodes, median of {runs} runs; seed {seed}"
    figures = [
        Figure(
            f"J of {name}", np.median(tabular.corridor_value(right[-1])), how, remark=f"the best is {BEST_BLIND:.3f}"
        )
        for name, (right, _) in found.items()
    ]
    canvas = Canvas(figsize=(13, 4), dpi=100, layout="constrained")
    shape, returns_axes, exact_axes = canvas.subplots(1, 3)
    right = np.linspace(0.03, 0.97, 300)
    shape.plot(right, tabular.corridor_value(right), color="black")
    shape.plot(2 - np.sqrt(2), BEST_BLIND, "o", color="tab:green", label="best: 2 − √2")
    shape.plot(0.05, tabular.corridor_value(0.05), "o", color="tab:red", label="start")
    _label(shape, "what a blind policy earns", "chance of going right", "return")
    for name, (chances, returns) in found.items():
        returns_axes.plot(smoothed(returns.mean(axis=1), 20), label=name)
        exact_axes.plot(np.median(tabular.corridor_value(chances), axis=1), label=name)
    blind, _ = policy_gradient.actor_critic(
        tabular.short_corridor(), CORRIDOR_START, episodes=150, runs=runs, **CORRIDOR_STEPS["actor-critic"][1],
        critic_sees=False, seed=seed,
    )  # fmt: skip
    tick()
    exact_axes.plot(
        np.median(tabular.corridor_value(blind[..., 1]), axis=1),
        ":",
        color="tab:grey",
        label="actor-critic, critic blind",
    )
    for axes in (returns_axes, exact_axes):
        axes.axhline(BEST_BLIND, color="black", linewidth=0.8, linestyle="--")
        axes.set_ylim(-60, -8)
    _label(returns_axes, f"as it learns, mean of {runs} runs and 20 episodes", "episode", "return")
    _label(exact_axes, "exact return of what was learnt, median", "episode", "J")
    return Experiment(figures, pictures.from_figure(canvas))


# The cliff, example 6.6.


def cliff_runs(
    runs: int = 60, seed: int = 0, tick: Callable[[], object] = _nothing
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Action values [runs, states, actions] and returns [episodes, runs], of each kind of backup."""
    found = {}
    for name, backup in values.BACKUPS.items():
        found[name] = values.learn_to_act(
            tabular.cliff_walking(), backup, episodes=CLIFF_EPISODES, runs=runs, step_size=0.5, epsilon=0.1, seed=seed
        )
        tick()
    return found


def cliff(runs: int = 60, seed: int = 0, tick: Callable[[], object] = _nothing) -> Experiment:
    """Q-learning, SARSA and expected SARSA along the cliff (example 6.6, figure 6.4)."""
    world, found = tabular.cliff_walking(), cliff_runs(runs, seed, tick)
    how = f"{CLIFF_EPISODES} episodes, step size 0.5, epsilon 0.1, {runs} runs; seed {seed}"
    canvas = Canvas(figsize=(11, 4), dpi=100, layout="constrained")
    curves, grid = canvas.subplots(1, 2, width_ratios=(1, 1.3))
    figures = []
    grid.imshow(cells(), cmap="Greys", vmin=0, vmax=2.5)
    for shift, (name, (table, returns)) in enumerate(found.items()):
        best = float((tabular.greedy_return(world, table) == -13).mean())
        online = float(returns[-100:].mean())
        (line,) = curves.plot(smoothed(returns.mean(axis=1), 10), label=name)
        way = path(table.mean(axis=0))
        offset = 0.12 * (shift - 1)
        grid.plot(way[:, 1] + offset, way[:, 0] + offset, color=line.get_color(), linewidth=2.5, label=name)
        remarks = ["reference: at least 0.95", f"reference {ONLINE_REFERENCE}"] if name == "q-learning" else ["", ""]
        figures += [
            Figure(f"{name}: share of runs whose greedy return is -13", best, how, remark=remarks[0]),
            Figure(f"{name}: online return", online, f"mean of the last 100 episodes; {how}", remark=remarks[1]),
        ]
    curves.set_ylim(-100, 0)
    _label(curves, f"as it learns, mean of {runs} runs and 10 episodes", "episode", "return")
    grid.set(xticks=[], yticks=[], title="greedily, by the mean of all runs; dark: the cliff")
    grid.legend(loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=3)
    return Experiment(figures, pictures.from_figure(canvas))


def smoothed(curve: np.ndarray, width: int) -> np.ndarray:
    """The mean of `width` values on end, as many as fit."""
    return np.convolve(curve, np.full(width, 1 / width), mode="valid")


def _label(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.legend(fontsize=8)


EXPERIMENTS: dict[str, Callable[..., Experiment]] = {
    "walk": walk,
    "episodes": episodes,
    "corridor": corridor,
    "cliff": cliff,
}
