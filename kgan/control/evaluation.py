"""How good a policy is, and what it looks like."""

import os
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path

import gymnasium
import numpy as np
from matplotlib.figure import Figure as Canvas
from PIL import Image
from scipy import stats

from kgan import pictures
from kgan.control.environments import Environments, Spaces
from kgan.errors import UsageError
from kgan.metrics.protocol import Figure
from kgan.training.callbacks import read_curves

UNSEEN = 1_000_003  # added to a seed, for episodes that no training of the same seed has begun
AT_ONCE = 20

# observations [N, *shape] -> actions as the environment takes them, [N, ...]
Policy = Callable[[np.ndarray], np.ndarray]
Make = Callable[..., Environments]  # as `Environments` itself is called: name, count, seed, options


def play(
    name: str, policy: Policy, count: int, seed: int = 0, make: Make = Environments
) -> tuple[np.ndarray, np.ndarray]:
    """Returns and lengths of `count` episodes, each float64 [count].

    Every copy of the environment plays its share to the end, so that long episodes count as often as they are.
    """
    environments = make(name, min(count, AT_ONCE), seed + UNSEEN)
    shares = np.array([len(part) for part in np.array_split(np.arange(count), environments.count)])
    returns, lengths = [], []
    while (unfinished := environments.episodes < shares).any():
        sums, counts = environments.returns.copy(), environments.lengths.copy()
        step = environments.take(policy(environments.observations))
        ended = step.ended & unfinished
        returns += list((sums + step.rewards)[ended])
        lengths += list(counts[ended] + 1)
    environments.close()
    return np.array(returns), np.array(lengths, float)


def at_random(spaces: Spaces, seed: int = 0) -> Policy:
    """A policy that draws every action alike."""
    drawn = np.random.default_rng(seed)

    def policy(observations: np.ndarray) -> np.ndarray:
        number = len(observations)
        return spaces.to_environment(
            drawn.integers(0, spaces.actions, number) if spaces.choices is not None
            else drawn.uniform(-1, 1, (number, spaces.actions))
        )  # fmt: skip

    return policy


def figures(name: str, policy: Policy, count: int, seed: int, how: str, make: Make = Environments) -> list[Figure]:
    """The mean return and length of `count` episodes with their 95 % confidence intervals, and random play beside."""
    returns, lengths = play(name, policy, count, seed, make)
    by_chance, _ = play(name, at_random(make(name, 1).spaces, seed), count, seed, make)
    protocol = f"{name}, {count} episodes from unseen seeds, {how}; seed {seed}"
    return [
        _figure("mean return", returns, protocol),
        _figure("mean length", lengths, protocol.replace(how, f"steps, {how}")),
        _figure("mean return at random", by_chance, protocol.replace(how, "random actions")),
    ]


def _figure(what: str, values: np.ndarray, protocol: str) -> Figure:
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    reach = float(stats.t.ppf(0.975, len(values) - 1)) * error
    mean = float(values.mean())
    return Figure(what, mean, protocol, error, f"95 % interval {mean - reach:.4g} to {mean + reach:.4g}")


def frames(
    name: str, policy: Policy, most: int, seed: int = 0, make: Make = Environments, side: int = 300
) -> tuple[np.ndarray, float]:
    """Pictures of one episode, evenly spaced from its first to its last step.

    Args:
        most: how many at most.
        side: the longer side of a picture is at most so many pixels.

    Returns:
        uint8 [N, H, W, 3], and the seconds from one to the next.

    Raises:
        UsageError: when the environment cannot draw itself.
    """
    if "rgb_array" not in make(name, 1).vector.metadata.get("render_modes", ()):
        raise UsageError(f"the environment {name!r} cannot be drawn (it has no render mode rgb_array): try another.")
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())  # or SDL complains where there is no screen
    environments = make(name, 1, seed + UNSEEN, render_mode="rgb_array")
    try:
        length, found = _episode(environments, policy, (), []), []
        environments.begin(0)
        wanted = set(np.linspace(0, length - 1, min(most, length)).round().astype(int).tolist())
        _episode(environments, policy, wanted, found)
    except (ImportError, gymnasium.error.Error) as error:
        raise UsageError(
            f"the environment {name!r} cannot be drawn ({str(error).strip().splitlines()[0].rstrip('.')}): "
            "install what it draws with, such as pip install pygame."
        ) from None
    finally:
        environments.close()
    rate = environments.vector.metadata.get("render_fps") or 30
    return np.stack([_small(picture, side) for picture in found]), length / max(1, len(found) - 1) / rate


def learning_curve(path: Path, chance: float | None = None) -> np.ndarray:
    """The mean return of the last 100 episodes over the steps of a run, from its metrics.csv: uint8 [H, W, 3].

    Args:
        path: the metrics.csv.
        chance: what random play gets, drawn beside it.

    Raises:
        UsageError: there are no rows yet.
    """
    rows = read_curves(path)
    if not rows:
        raise UsageError(f"{path} has no rows yet: let the run go on.")
    canvas = Canvas(figsize=(6, 4), dpi=100, layout="constrained")
    axes = canvas.subplots()
    axes.plot([float(row["steps"]) for row in rows], [float(row["return"]) for row in rows], label="training")
    if chance is not None:
        axes.axhline(chance, color="grey", linestyle="--", label="random play")
        axes.legend()
    axes.set(xlabel="environment steps", ylabel="mean return of 100 episodes")
    return pictures.from_figure(canvas)


def trace(name: str, policy: Policy, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The observations [T, D] and rewards [T] of one episode."""
    environments, observations, rewards = Environments(name, 1, seed + UNSEEN), [], []
    while environments.episodes[0] == 0:
        observations.append(environments.observations[0])
        rewards.append(environments.take(policy(environments.observations)).rewards[0])
    return np.stack(observations), np.array(rewards)


def _episode(environments: Environments, policy: Policy, wanted: Collection[int], found: list) -> int:
    """Play one episode to its end, drawing what is seen before the wanted steps; gives its length."""
    length = 0
    while environments.episodes[0] == 0:
        if length in wanted:
            found.append(environments.render())
        environments.take(policy(environments.observations))
        length += 1
    return length


def _small(picture: np.ndarray, side: int) -> np.ndarray:
    image = Image.fromarray(picture)
    image.thumbnail((side, side))
    return np.asarray(image)
