"""Actors without a network: policy gradients for a blind policy, whose every state looks the same.

The actor has one preference an action, pi(a) = softmax(preferences), as in the short corridor of Sutton & Barto 2018,
example 13.1, where the best it can do is to be random in the right proportion. Returns are undiscounted.
"""

import numpy as np

from kgan.control.tabular import Runs, World
from kgan.errors import UsageError


def reinforce(
    world: World,
    preferences: np.ndarray,
    *,
    episodes: int,
    runs: int,
    step_size: float,
    baseline_step_size: float = 0.0,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """REINFORCE (Williams 1992): after each episode, preferences += step_size sum_t (G_t - b) grad log pi(a_t).

    Args:
        world: what is acted in.
        preferences: [actions], what every run starts from.
        episodes: of each run.
        runs: independent ones.
        step_size: of the actor.
        baseline_step_size: how far the baseline b moves after each episode to the mean of its G_t, in [0, 1]; with 0
            it stays at 0, which is REINFORCE without a baseline.
        seed: the same one gives the same runs.

    Returns:
        The policy after each episode, [episodes, runs, actions], and the returns, [episodes, runs].
    """
    _check(step_size, baseline_step_size)
    random, live = np.random.default_rng(seed), Runs(world, episodes, runs)
    theta = np.tile(np.asarray(preferences, np.float64), (runs, 1))
    baseline, policies = np.zeros(runs), np.zeros((episodes, runs, world.actions))
    # Sums over the steps so far: of grad log pi, of the same times what came after it, of G_t, and their number.
    scores, weighted = np.zeros((2, runs, world.actions))
    total, steps = np.zeros((2, runs))
    while len(live.alive):
        who, finished = live.alive, live.finished
        action, slope = _act(theta[who], random)
        rewards, following = live.step(action)
        scores[who] += slope
        steps[who] += 1
        weighted[who] += rewards[:, None] * scores[who]
        total[who] += rewards * steps[who]
        ended, _ = live.settle(following)
        done = who[ended]
        theta[done] += step_size * (weighted[done] - baseline[done, None] * scores[done])
        baseline[done] += baseline_step_size * (total[done] / steps[done] - baseline[done])
        policies[finished[ended], done] = softmax(theta[done])
        for sums in (scores, weighted, total, steps):
            sums[done] = 0.0
    return policies, live.returns


def actor_critic(
    world: World,
    preferences: np.ndarray,
    *,
    episodes: int,
    runs: int,
    step_size: float,
    critic_step_size: float,
    critic_sees: bool = True,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """One-step actor-critic: after each step, delta = r + V(s') - V(s), and both move by it (chapter 13.5).

    Args:
        world, preferences, episodes, runs, step_size, seed: as for `reinforce`.
        critic_step_size: of V, in (0, 1].
        critic_sees: whether V tells the states apart. A critic as blind as the actor has one value for all, so that
            delta is the plain reward until the last step: the actor then learns whatever ends an episode, which in the
            corridor is to go right for ever, the worst there is.

    Returns:
        As `reinforce`.
    """
    _check(step_size, critic_step_size)
    random, live = np.random.default_rng(seed), Runs(world, episodes, runs)
    theta = np.tile(np.asarray(preferences, np.float64), (runs, 1))
    cell = np.append(np.arange(world.states) if critic_sees else np.zeros(world.states, int), world.states)
    values, policies = np.zeros((runs, world.states + 1)), np.zeros((episodes, runs, world.actions))
    while len(live.alive):
        who, finished, here = live.alive, live.finished, cell[live.state]
        action, slope = _act(theta[who], random)
        rewards, following = live.step(action)
        delta = rewards + values[who, cell[following]] - values[who, here]
        values[who, here] += critic_step_size * delta
        theta[who] += step_size * delta[:, None] * slope
        ended, _ = live.settle(following)
        policies[finished[ended], who[ended]] = softmax(theta[who[ended]])
    return policies, live.returns


def softmax(preferences: np.ndarray) -> np.ndarray:
    """Probabilities [..., actions] of preferences [..., actions]."""
    raised = np.exp(preferences - preferences.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def _act(preferences: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """An action of each run, [runs], and the gradient of its log-probability by the preferences, [runs, actions]."""
    chances = softmax(preferences)
    action = (random.random((len(chances), 1)) >= chances.cumsum(axis=1)[:, :-1]).sum(axis=1)
    return action, np.eye(chances.shape[1])[action] - chances


def _check(step_size: float, other: float) -> None:
    for value in (step_size, other):
        if not 0 <= value <= 1:
            raise UsageError(f"a step size is {value}: give a number from 0 to 1.")
