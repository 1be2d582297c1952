"""What an actor has lived through and learns from again: a buffer, with priorities if wanted, and n-step targets."""

import numpy as np

from kgan.control.rollouts import Rollout
from kgan.errors import UsageError


def transitions(rollout: Rollout, rewards: np.ndarray, steps: int, discount: float) -> dict[str, np.ndarray]:
    """Every step of a rollout with what its next `steps` steps brought.

    A target is `rewards` + `discounts` times the value of `next_observations`: the sum stops at the end of an episode
    and at that of the rollout, and the future counts for nothing after a termination alone.

    Args:
        rollout: of T steps of B environments.
        rewards: [T, B], as they are to be learnt.
        steps: how far a target looks ahead, at least 1.
        discount: gamma.

    Returns:
        observations, actions, rewards, discounts and next_observations, [T * B, ...] each.
    """
    if steps < 1:
        raise UsageError(f"steps is {steps}: a target looks at least 1 step ahead.")
    length = len(rewards)
    sums, following = rewards.astype(np.float64), rollout.final.copy()
    discounts = discount * ~rollout.terminated
    stopped = rollout.ended.copy()
    for ahead in range(1, steps):
        later = np.minimum(np.arange(length) + ahead, length - 1)
        on = ~stopped & (np.arange(length) + ahead < length)[:, None]
        sums += np.where(on, discount**ahead * rewards[later], 0)
        discounts = np.where(on, discount ** (ahead + 1) * ~rollout.terminated[later], discounts)
        following = np.where(on[..., None], rollout.final[later], following)
        stopped |= rollout.ended[later]
    arrays = {
        "observations": rollout.observations,
        "actions": rollout.actions,
        "rewards": sums.astype(np.float32),
        "discounts": discounts.astype(np.float32),
        "next_observations": following,
    }
    return {name: array.reshape(-1, *array.shape[2:]) for name, array in arrays.items()}


class Replay:
    """The last `capacity` transitions, drawn uniformly or by priority (Schaul 2016, proportional).

    A transition of priority p is drawn with a probability in proportion to p^alpha, and new ones as if they were the
    most surprising seen; the weight (N P)^-beta, over the largest of the draw, takes the bias out again.
    """

    def __init__(self, capacity: int, alpha: float = 0.0, beta: float = 0.4):
        """With alpha 0 all are drawn alike, and every weight is 1."""
        if capacity < 1:
            raise UsageError(f"the capacity {capacity} holds nothing: give at least 1 transition.")
        self.capacity, self.alpha, self.beta = capacity, alpha, beta
        self.arrays: dict[str, np.ndarray] = {}
        self.priorities = np.zeros(capacity)
        self.added = 0

    def __len__(self) -> int:
        return min(self.added, self.capacity)

    def allocate(self, like: dict[str, np.ndarray]) -> None:
        """Make room for transitions such as these."""
        self.arrays = {name: np.zeros((self.capacity, *array.shape[1:]), array.dtype) for name, array in like.items()}

    def add(self, batch: dict[str, np.ndarray]) -> None:
        """Take in transitions, over the oldest ones."""
        count = len(batch["rewards"])
        places = (self.added + np.arange(count)) % self.capacity
        for name, array in batch.items():
            self.arrays[name][places] = array
        self.priorities[places] = self.priorities.max() or 1.0
        self.added += count

    def draw(self, count: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Where `count` transitions are, and their weights, float32."""
        held = len(self)
        if not self.alpha:
            return random.integers(0, held, count), np.ones(count, np.float32)
        sums = np.cumsum(self.priorities[:held] ** self.alpha)
        places = np.minimum(np.searchsorted(sums, random.random(count) * sums[-1], side="right"), held - 1)
        weights = (held * self.priorities[places] ** self.alpha / sums[-1]) ** -self.beta
        return places, (weights / weights.max()).astype(np.float32)

    def surprise(self, places: np.ndarray, errors: np.ndarray) -> None:
        """Let these be drawn by how wrong their predictions were."""
        self.priorities[places] = np.abs(errors) + 1e-6
