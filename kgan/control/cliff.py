"""The cliff as Q-learning and SARSA learn it: what they hold its cells to be worth, and where they then walk."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from kgan import pictures
from kgan.control import tabular, values

LEARNERS = {"Q-learning": "q-learning", "SARSA": "sarsa"}
SNAPSHOTS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 500)
"""Episodes after which it is looked at."""
RUNS = 20
LOWEST = -20.0
"""The value that is drawn darkest."""


def learning(seed: int = 0, snapshots: tuple[int, ...] = SNAPSHOTS) -> dict[str, np.ndarray]:
    """Action values [snapshots, states, actions] of each learner, mean of RUNS runs (step size 0.5, epsilon 0.1)."""
    world = tabular.cliff_walking()

    def after(episodes: int, backup: str) -> np.ndarray:
        options = {"runs": RUNS, "step_size": 0.5, "epsilon": 0.1, "seed": seed}
        return values.learn_to_act(world, values.BACKUPS[backup], episodes=episodes, **options)[0].mean(axis=0)

    untaught = np.zeros((world.states, world.actions))
    return {
        name: np.stack([after(count, backup) if count else untaught for count in snapshots])
        for name, backup in LEARNERS.items()
    }


def path(table: np.ndarray) -> np.ndarray:
    """Where the greedy policy goes from the start, rows and columns [steps, 2], until it goes round in circles."""
    world = tabular.cliff_walking()
    state, met = world.start, []
    while state < world.states and state not in met:
        met.append(state)
        state = world.next_states[state, table[state].argmax()]
    met.append(min(int(state), world.states - 1))
    return np.stack(np.divmod(met, tabular.CLIFF_SHAPE[1]), axis=1)


def cells() -> np.ndarray:
    """The map, [4, 12]: 2 over the cliff, 0.5 at the start and the goal, else 0."""
    cells = np.zeros(tabular.CLIFF_SHAPE)
    cells[-1, 1:-1] = 2
    cells[-1, [0, -1]] = 0.5
    return cells


def animation(seed: int = 0, snapshots: tuple[int, ...] = SNAPSHOTS) -> list[np.ndarray]:
    """Pictures, uint8 [H, W, 3]: both as they learn, a snapshot thrice; and then both on their way."""
    tables = learning(seed, snapshots)
    last = {name: path(table[-1]) for name, table in tables.items()}
    frames = []
    for index, episodes in enumerate(snapshots):
        ways = {name: path(table[index]) for name, table in tables.items()}
        now = {name: table[index] for name, table in tables.items()}
        frames += [_draw(now, ways, None, f"after {episodes} episodes, mean of {RUNS} runs")] * 3
    final = {name: table[-1] for name, table in tables.items()}
    for step in range(max(map(len, last.values()))):
        frames.append(_draw(final, last, step, f"after {snapshots[-1]} episodes, greedily: step {step}"))
    return frames


def _draw(tables: dict[str, np.ndarray], ways: dict[str, np.ndarray], step: int | None, title: str) -> np.ndarray:
    canvas = Canvas(figsize=(5.2, 4.2), dpi=100, layout="constrained")
    canvas.suptitle(title, fontsize=11)
    for axes, (name, table) in zip(canvas.subplots(len(tables), 1), tables.items(), strict=True):
        _walls(axes, table.max(axis=1).reshape(tabular.CLIFF_SHAPE))
        way = ways[name]
        axes.plot(way[:, 1], way[:, 0], color="tab:red", linewidth=2, alpha=0.8 if step is None else 0.3)
        if step is not None:
            row, column = way[min(step, len(way) - 1)]
            axes.plot(column, row, "o", color="tab:red", markersize=13)
        axes.set_title(f"{name}: what cells are worth, and the greedy way", fontsize=9)
    return pictures.from_figure(canvas)


def _walls(axes: Axes, worth: np.ndarray) -> None:
    hidden = np.ma.masked_where(cells() == 2, worth)
    axes.set_facecolor("black")
    axes.imshow(hidden, cmap="viridis", vmin=LOWEST, vmax=0)
    axes.set(xticks=[], yticks=[])
    height, width = tabular.CLIFF_SHAPE
    for column, letter in ((0, "S"), (width - 1, "G")):
        axes.text(column, height - 1, letter, ha="center", va="center", color="white", fontweight="bold")
