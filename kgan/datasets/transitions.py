"""What a policy met, step by step, in one array: what critics and imitators learn from."""

from typing import Any, NamedTuple

import numpy as np


class Transitions(NamedTuple):
    """Steps of episodes, N of them, observations having d numbers.

    Attributes:
        observations: [N, d], before the step.
        next_observations: [N, d], after it; the last one of an episode is what was seen there, not a new beginning.
        rewards: [N], of the step.
        discounts: [N], the discount, 0 where the step ended the episode; where it was only cut short it goes on.
        returns: [N], the discounted sum of the rewards to the episode's last step.
    """

    observations: Any
    next_observations: Any
    rewards: Any
    discounts: Any
    returns: Any


def pack(transitions: Transitions) -> np.ndarray:
    """As one array, float32 [N, 2 d + 3], such as `Data` serves in batches."""
    columns = [np.asarray(part, np.float32) for part in transitions]
    return np.concatenate([part if part.ndim == 2 else part[:, None] for part in columns], axis=1)


def unpack(packed) -> Transitions:
    """The parts of what `pack` packed, an array or a tensor [..., 2 d + 3]."""
    size = observation_size(packed.shape[-1])
    return Transitions(
        packed[..., :size], packed[..., size : 2 * size], packed[..., -3], packed[..., -2], packed[..., -1]
    )


def observation_size(width: int) -> int:
    """How many numbers an observation has in arrays of so many columns."""
    return (width - 3) // 2
