"""What happened while a policy acted, and what each of its actions is held to be worth."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from kgan.control.environments import Environments
from kgan.errors import UsageError

Credit = Literal["advantage", "reward-to-go", "whole-trajectory", "immediate"]


@dataclass(frozen=True)
class Rollout:
    """T steps of B environments, in storage that is allocated once; step t leads from entry t to `final[t]`.

    Attributes:
        observations: [T, B, *shape] as `Spaces.seen` has one, from which the policy acted.
        final: [T, B, *shape], where each step led, before a new episode began.
        actions: int32 [T, B] choices, or float32 [T, B, A] as drawn, before they are clipped.
        log_probabilities: float32 [T, B], of the actions when they were drawn.
        rewards: float32 [T, B].
        lengths: int64 [T, B], how many steps the episode had when the step was taken, with it.
        terminated, truncated: bool [T, B]; an episode that was only cut off would have been worth something yet. A
            lost life counts as terminated.
    """

    observations: np.ndarray
    final: np.ndarray
    actions: np.ndarray
    log_probabilities: np.ndarray
    rewards: np.ndarray
    lengths: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray

    @classmethod
    def of(cls, environments: Environments, steps: int) -> "Rollout":
        """Room for `steps` steps."""
        shape, spaces = (steps, environments.count), environments.spaces
        choices, seen = spaces.choices is not None, spaces.seen
        return cls(
            np.zeros((*shape, *seen.shape), seen.dtype.as_numpy_dtype),
            np.zeros((*shape, *seen.shape), seen.dtype.as_numpy_dtype),
            np.zeros(shape, np.int32) if choices else np.zeros((*shape, spaces.actions), np.float32),
            np.zeros(shape, np.float32),
            np.zeros(shape, np.float32),
            np.zeros(shape, np.int64),
            np.zeros(shape, bool),
            np.zeros(shape, bool),
        )

    @property
    def ended(self) -> np.ndarray:
        """bool [T, B]: after which steps an episode ended, for whichever reason."""
        return self.terminated | self.truncated

    def collect(
        self, environments: Environments, act: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Fill it: `act` takes observations [B, D] and gives actions and their log-probabilities.

        Returns:
            The returns and the lengths of the episodes that ended, in the order in which they did.
        """
        returns, lengths = [], []
        for t in range(len(self.rewards)):
            self.observations[t] = environments.observations
            self.actions[t], self.log_probabilities[t] = act(environments.observations)
            self.lengths[t], sums = environments.lengths + 1, environments.returns.copy()
            step = environments.step(self.actions[t])
            self.final[t], self.rewards[t] = step.final, step.rewards
            self.terminated[t], self.truncated[t] = step.terminated | step.lost, step.truncated
            ended = step.ended
            if ended.any():
                returns.append((sums + step.rewards)[ended])
                lengths.append(self.lengths[t, ended])
        none = np.zeros(0)
        return np.concatenate([none, *returns]), np.concatenate([none, *lengths])


def advantages(
    rewards: np.ndarray,
    values: np.ndarray,
    next_values: np.ndarray,
    terminated: np.ndarray,
    truncated: np.ndarray,
    discount: float,
    trace: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Generalised advantages (Schulman 2016, equation 16), and the lambda-returns that they are above `values`.

    Where an episode was only cut off, and at the end of the rollout, the value of where it had come to stands for the
    rewards that were not seen; after a termination there are none.

    Args:
        rewards, values: [T, B]; `values` of the observations from which each step was taken.
        next_values: [T, B] of where each step led, the last observations of episodes included.
        terminated, truncated: bool [T, B].
        discount: gamma, in [0, 1].
        trace: lambda, in [0, 1]: 0 looks one step ahead, 1 to the end of the episode.

    Returns:
        float32 advantages and returns, [T, B] each.
    """
    deltas = rewards + discount * next_values * ~terminated - values
    decay = discount * trace * ~(terminated | truncated)
    result, running = np.zeros_like(deltas, np.float32), np.zeros(deltas.shape[1:])
    for t in reversed(range(len(deltas))):
        running = deltas[t] + decay[t] * running
        result[t] = running
    return result, (result + values).astype(np.float32)


def credits(kind: Credit, rewards: np.ndarray, ended: np.ndarray, discount: float) -> tuple[np.ndarray, np.ndarray]:
    """What REINFORCE multiplies the gradient of each action's log-probability by, without a critic.

    - "whole-trajectory": R(tau), the discounted return of the whole episode, the same for all of its actions;
    - "reward-to-go": what came after the action, discounted from there;
    - "immediate": r_t alone. An actor that learns from it does what pays at once, whatever it leads to.

    Args:
        rewards: [T, B].
        ended: bool [T, B], after which steps an episode ended.
        discount: gamma, in [0, 1].

    Returns:
        float32 credits [T, B]; and float32 weights [T, B], 0 for the steps of episodes that did not end in time,
        whose returns are unknown ("immediate" needs none, and weighs all alike).

    Raises:
        UsageError: for another kind.
    """
    if kind not in get_args(Credit)[1:]:
        raise UsageError(f"credit {kind!r} is unknown: choose {', '.join(get_args(Credit))}.")
    if kind == "immediate":
        return rewards.astype(np.float32), np.ones_like(rewards, np.float32)
    zeros, nothing = np.zeros_like(rewards), np.zeros(rewards.shape, bool)
    # With trace 1 and no values these are the returns.
    to_go, _ = advantages(rewards, zeros, zeros, nothing, ended, discount, 1.0)
    whole = np.flip(np.logical_or.accumulate(np.flip(ended, 0), 0), 0)
    if kind == "whole-trajectory":
        begins = np.concatenate([np.ones_like(ended[:1]), ended[:-1]])
        for t in range(1, len(to_go)):
            to_go[t] = np.where(begins[t], to_go[t], to_go[t - 1])
    return to_go, whole.astype(np.float32)
