"""What becomes of an imitator: playing many episodes at once, its mistakes along the way, and DAgger."""

from collections.abc import Callable
from typing import NamedTuple

import gymnasium
import numpy as np

from kgan.control import experience

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


def make(name: str, horizon: int = 0) -> gymnasium.Env:
    """The environment of this id, cut off after so many steps; 0 leaves it as it is.

    A fixed horizon is the same for good and bad players, so that how long an episode is tells nothing of the reward.
    """
    environment = experience.make(name)
    if not horizon:
        return environment
    environment.close()
    return gymnasium.make(name, max_episode_steps=horizon)


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
