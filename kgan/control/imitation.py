"""What becomes of an imitator: playing many episodes at once, its mistakes along the way, and DAgger."""

import os
import tempfile
from collections.abc import Callable, Mapping
from typing import NamedTuple

import gymnasium
import numpy as np
from PIL import Image, ImageDraw

from kgan import pictures
from kgan.control import experience
from kgan.control.demonstrations import Policy, record
from kgan.errors import UsageError

BatchPolicy = Callable[[np.ndarray], np.ndarray]
"""Observations [N, d] -> actions [N, ...]."""


class Played(NamedTuple):
    """Episodes that a policy played, `episodes` of at most `horizon` steps.

    Attributes:
        returns: float [episodes], undiscounted.
        lengths: int [episodes].
        observations: float32 [steps, d], before each step, one episode after the other.
        actions: [steps, ...], what was done there.
    """

    returns: np.ndarray
    lengths: np.ndarray
    observations: np.ndarray
    actions: np.ndarray


def make(name: str, horizon: int = 0, **options) -> gymnasium.Env:
    """The environment of this id, cut off after so many steps; 0 leaves it as it is. `options` are gymnasium's.

    A fixed horizon is the same for good and bad players, so that how long an episode is tells nothing of the reward.
    Observations are vectors: whatever else they are is flattened as gymnasium does it, one choice to one-hot.
    """
    environment = experience.make(name)
    if horizon or options:
        environment.close()
        environment = gymnasium.make(name, max_episode_steps=horizon or None, **options)
    space = environment.observation_space
    if isinstance(space, gymnasium.spaces.Box) and len(space.shape) == 1:
        return environment
    return gymnasium.wrappers.FlattenObservation(environment)


def drawn(name: str, horizon: int = 0) -> gymnasium.Env:
    """The environment of this id as `make` gives it, but one that can be drawn.

    Raises:
        UsageError: when it cannot.
    """
    if "rgb_array" not in make(name).metadata.get("render_modes", ()):
        raise UsageError(f"the environment {name!r} cannot be drawn (it has no render mode rgb_array): try another.")
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())  # or SDL complains where there is no screen
    return make(name, horizon, render_mode="rgb_array")


def play(name: str, policy: BatchPolicy, episodes: int, horizon: int = 0, seed: int = 0) -> Played:
    """Play all episodes side by side, each in an environment and from a seed of its own.

    Actions of a Box are clipped to its bounds.
    """
    environments = [make(name, horizon) for _ in range(episodes)]
    space = environments[0].action_space
    seen = [env.reset(seed=seed * 100_003 + index)[0] for index, env in enumerate(environments)]
    met: list[list] = [[] for _ in environments]
    done: list[list] = [[] for _ in environments]
    returns, alive = np.zeros(episodes), list(range(episodes))
    while alive:
        actions = policy(np.stack([seen[index] for index in alive]).astype(np.float32))
        if isinstance(space, gymnasium.spaces.Box):
            actions = np.clip(actions, space.low, space.high)
        still = []
        for index, action in zip(alive, actions, strict=True):
            met[index].append(seen[index])
            done[index].append(action)
            seen[index], reward, terminated, truncated, _ = environments[index].step(action)
            returns[index] += reward
            if not (terminated or truncated):
                still.append(index)
        alive = still
    for environment in environments:
        environment.close()
    lengths = np.array([len(steps) for steps in met])
    return Played(returns, lengths, np.concatenate(met).astype(np.float32), np.concatenate([np.array(d) for d in done]))


def one(policy: BatchPolicy) -> Policy:
    """The policy of one observation at a time."""
    return lambda observation: policy(np.asarray(observation, np.float32)[None])[0]


def watch(
    name: str, players: Mapping[str, BatchPolicy], horizon: int = 0, seed: int = 0, most: int = 100, side: int = 300
) -> tuple[list[np.ndarray], float]:
    """Pictures of the same episode by several players side by side; who is done first waits for the others.

    Args:
        players: by what is to be written above each.
        most: about how many pictures at most.
        side: of each player's part, its width in pixels.

    Returns:
        uint8 [H, W, 3] each, and the seconds from one to the next.

    Raises:
        UsageError: when the environment cannot draw itself.
    """
    seen = []
    for title, policy in players.items():
        environment, frames = drawn(name, horizon), []

        def act(observation, policy=policy, environment=environment, frames=frames):
            frames.append(environment.render())
            return one(policy)(observation)

        try:
            found = record(environment, act, 1, seed)
            frames.append(environment.render())
        finally:
            environment.close()
        seen.append((title, frames, found.returns[0]))
    longest = max(len(frames) for _, frames, _ in seen)
    every = -(-longest // most)
    shown = [
        pictures.beside(*(_titled(title, frames, at, total, side) for title, frames, total in seen), gap=8)
        for at in [*range(0, longest - 1, every), longest - 1]
    ]
    rate = environment.metadata.get("render_fps") or 30
    return shown, every / rate


def _titled(title: str, frames: list[np.ndarray], at: int, total: float, side: int) -> np.ndarray:
    """A player's picture after so many steps, or its last one, below who it is and how far it is."""
    over = at >= len(frames) - 1
    image = Image.fromarray(frames[min(at, len(frames) - 1)])
    image = image.resize((side, round(side * image.height / image.width)))
    sheet = Image.new("RGB", (side, image.height + 40), "white")
    sheet.paste(image, (0, 40))
    said = f"over after {len(frames) - 1} steps, return {total:g}" if over else f"step {at}"
    draw = ImageDraw.Draw(sheet)
    draw.text((6, 3), title, fill="black", font_size=16)
    draw.text((6, 22), said, fill="firebrick" if over else "grey", font_size=13)
    return np.asarray(sheet)


def mistakes(played: Played, expert: BatchPolicy, horizon: int, end_fails: bool) -> np.ndarray:
    """Mean number of steps among the first 1, 2 ... `horizon` at which the expert would have done otherwise, [horizon].

    Where `end_fails`, as in CartPole, every step that an early end has cost is a mistake; elsewhere none is.
    """
    wrong = expert(played.observations) != played.actions
    counted = np.full((len(played.lengths), horizon), float(end_fails))
    begin = np.cumsum(played.lengths) - played.lengths
    for row, (start, length) in enumerate(zip(begin, played.lengths, strict=True)):
        counted[row, : min(length, horizon)] = wrong[start : start + min(length, horizon)]
    return counted.cumsum(axis=1).mean(axis=0)


def dagger(
    name: str,
    expert: BatchPolicy,
    observations: np.ndarray,
    actions: np.ndarray,
    learn: Callable[[np.ndarray, np.ndarray], BatchPolicy],
    *,
    rounds: int,
    episodes: int = 1,
    horizon: int = 0,
    every: int = 1,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Dataset aggregation (Ross, Gordon & Bagnell 2011): ask the expert about where the learner itself goes.

    Args:
        name: id of the environment.
        expert: who answers.
        observations, actions: what the expert showed, [N, d] and [N, ...].
        learn: all observations and actions so far -> a policy, which then plays.
        rounds: of learning, playing and asking.
        episodes: that are played in each round.
        horizon: longest episode; 0 for the environment's own.
        every: ask at one step in so many only.
        seed: of the episodes; a round's are its own.

    Returns:
        What was shown and what was answered, [M, d] and [M, ...], in this order.
    """
    for index in range(rounds):
        policy = learn(observations, actions)
        met = play(name, policy, episodes, horizon, seed * 1_009 + 1 + index).observations[::every]
        observations = np.concatenate([observations, met])
        actions = np.concatenate([actions, expert(met)])
    return observations, actions
