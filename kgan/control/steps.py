"""What a discriminator looks at of an episode: its steps, and the time after its end."""

from typing import NamedTuple

import numpy as np

from kgan.control.demonstrations import Demonstrations
from kgan.control.environments import Spaces
from kgan.errors import UsageError


class Steps(NamedTuple):
    """Steps of one or more episodes, float32.

    Attributes:
        transitions: [N, D], an observation with its action beside it (choices one-hot), and a last number that is 1
            for the time when the episode is over already, all else being 0 then.
        following: [N, S + 1], the observation that it led to, with such a last number too.
    """

    transitions: np.ndarray
    following: np.ndarray


def steps(
    spaces: Spaces, observations: np.ndarray, actions: np.ndarray, following: np.ndarray, terminated: np.ndarray
) -> Steps:
    """Of observations [N, S], a policy's actions [N, ...], what they led to [N, S] and whether the episode ended."""
    if spaces.choices is not None:
        actions = np.eye(spaces.actions)[actions]
    zeros = np.zeros((len(observations), 1))
    before = np.concatenate([observations, np.clip(actions, -1, 1), zeros], axis=1)
    after = np.where(terminated[:, None], nothing(spaces).following, np.concatenate([following, zeros], axis=1))
    return Steps(before.astype(np.float32), after.astype(np.float32))


def nothing(spaces: Spaces) -> Steps:
    """A step of an episode that is over, [1, ...]: it goes on being over."""
    seen, done = spaces.observation, spaces.actions
    return Steps(np.eye(1, seen + done + 1, seen + done, np.float32), np.eye(1, seen + 1, seen, np.float32))


def joined(*parts: Steps) -> Steps:
    """One after the other."""
    return Steps(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def demonstrated(
    demonstrations: Demonstrations, spaces: Spaces, horizon: int | None, every: int = 1, seed: int = 0
) -> Steps:
    """The steps of demonstrations.

    Args:
        demonstrations: episodes of the actor's environment.
        spaces: of that environment.
        horizon: steps that every episode is taken to last, the time after its end included; None: no such time.
        every, seed: keep only one step in so many, as of `Demonstrations.chosen`.

    Raises:
        UsageError: when they are not of these spaces.
    """
    before, kept = demonstrations.chosen(every, seed)
    seen = demonstrations.observations.reshape(len(demonstrations.observations), -1)
    if seen.shape[1] != spaces.observation:
        raise UsageError(
            f"the demonstrations are of {demonstrations.environment}, with {seen.shape[1]} numbers an observation, but "
            f"the actor's environment has {spaces.observation}: record them in the same one."
        )
    actions = spaces.from_environment(demonstrations.actions[kept])
    found = steps(spaces, seen[before], actions, seen[before + 1], demonstrations.terminated[kept])
    if horizon is None:
        return found
    ends = np.cumsum(demonstrations.lengths) - 1
    over = np.maximum(0, horizon - demonstrations.lengths[demonstrations.terminated[ends]]).sum()
    return joined(found, *[nothing(spaces)] * round(over / every))
