"""Critics: how much will come of it? Monte-Carlo and temporal differences, of tables, many runs at once.

Prediction (what a given policy's states are worth) learns from `Episodes`; control (Q-learning, SARSA, expected SARSA)
acts for itself. All runs learn side by side in one NumPy operation, each in its own row of the table.
Sutton & Barto 2018, chapters 5 to 7 and 12.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kgan.control.tabular import Episodes, Runs, World
from kgan.errors import UsageError

# Prediction. Each gives the values after 0, 1, 2 ... episodes: float [episodes + 1, runs, states].


def monte_carlo(
    episodes: Episodes,
    step_size: float | None = None,
    *,
    discount: float = 1.0,
    initial: float = 0.0,
    first_visit: bool = False,
) -> np.ndarray:
    """V(s_t) += step_size (G_t - V(s_t)), with the return G_t that really followed.

    Args:
        episodes: to learn from, in their order.
        step_size: in (0, 1]; None is one over the number of visits, so that V is the mean of the returns.
        discount: of the rewards, in [0, 1].
        initial: value of every state before the first episode.
        first_visit: learn from the first visit to a state in each episode only, instead of from every one.
    """
    _check(step_size, discount)
    returns, visits = episodes.returns(discount), np.zeros((episodes.runs, episodes.end + 1))
    rows = np.arange(episodes.runs)

    def learn(values: np.ndarray, index: int, last: int) -> None:
        met = np.zeros_like(visits, dtype=bool)
        for step in range(last):
            state = episodes.states[index, step]
            counts = ~met[rows, state] if first_visit else np.ones(len(rows), bool)
            met[rows, state] = True
            visits[rows, state] += counts
            size = step_size if step_size else 1 / np.maximum(1, visits[rows, state])
            values[rows, state] += counts * size * (returns[index, step] - values[rows, state])

    return _history(episodes, initial, learn)


def temporal_difference(
    episodes: Episodes, step_size: float, *, steps: int = 1, discount: float = 1.0, initial: float = 0.0
) -> np.ndarray:
    """V(s_t) += step_size (r_t + ... + discount^n V(s_t+n) - V(s_t)): TD(0), and with n `steps` n-step TD.

    Args:
        episodes: to learn from, in their order; within one, V(s_t) moves as soon as s_t+n is known.
        step_size, discount, initial: as for `monte_carlo`.
        steps: how many rewards are taken as they came before the value stands for the rest, at least 1.
    """
    _check(step_size, discount)
    if steps < 1:
        raise UsageError(f"steps is {steps}: give at least 1, which is TD(0).")
    rows, length = np.arange(episodes.runs), episodes.rewards.shape[1]
    ahead = np.zeros_like(episodes.rewards)
    for later in range(min(steps, length)):
        ahead[:, : length - later] += discount**later * episodes.rewards[:, later:]

    def learn(values: np.ndarray, index: int, last: int) -> None:
        for step in range(last):
            state, beyond = episodes.states[index, step], episodes.states[index, min(step + steps, length)]
            target = ahead[index, step] + discount**steps * values[rows, beyond]
            values[rows, state] += step_size * (target - values[rows, state])

    return _history(episodes, initial, learn)


def td_lambda(
    episodes: Episodes, step_size: float, trace_decay: float, *, discount: float = 1.0, initial: float = 0.0
) -> np.ndarray:
    """TD(lambda) with accumulating eligibility traces: between TD(0), `trace_decay` 0, and Monte-Carlo, 1.

    Args:
        episodes, step_size, discount, initial: as for `temporal_difference`.
        trace_decay: the lambda, in [0, 1].
    """
    _check(step_size, discount)
    if not 0 <= trace_decay <= 1:
        raise UsageError(f"trace_decay is {trace_decay}: give a number from 0 (TD(0)) to 1 (Monte-Carlo).")
    rows = np.arange(episodes.runs)

    def learn(values: np.ndarray, index: int, last: int) -> None:
        traces = np.zeros_like(values)
        for step in range(last):
            state, following = episodes.states[index, step], episodes.states[index, step + 1]
            error = episodes.rewards[index, step] + discount * values[rows, following] - values[rows, state]
            traces *= discount * trace_decay
            traces[rows, state] += 1
            values += step_size * error[:, None] * traces
            values[:, -1] = 0.0

    return _history(episodes, initial, learn)


def _history(episodes: Episodes, initial: float, learn: Callable[[np.ndarray, int, int], None]) -> np.ndarray:
    """The table before the first episode and after each; `learn` changes it by one episode of at most so many steps."""
    values = np.full((episodes.runs, episodes.end + 1), float(initial))
    values[:, -1] = 0.0
    lasts = (episodes.states != episodes.end).sum(axis=1).max(axis=1)
    history = [values[:, :-1].copy()]
    for index, last in enumerate(lasts):
        learn(values, index, last)
        history.append(values[:, :-1].copy())
    return np.stack(history)


def batch_monte_carlo(episodes: Episodes, *, discount: float = 1.0, initial: float = 0.0) -> np.ndarray:
    """Where every-visit Monte-Carlo ends that meets the same episodes for ever: the mean return of each state.

    It has the least squared error on these episodes. States that were never met keep `initial`. [runs, states].
    """
    returns, rows = episodes.returns(discount), np.arange(episodes.runs)
    sums, visits = np.zeros((2, episodes.runs, episodes.end + 1))
    for step in range(returns.shape[1]):
        for state, found in zip(episodes.states[:, step], returns[:, step], strict=True):
            sums[rows, state] += found
            visits[rows, state] += 1
    return np.where(visits > 0, sums / np.maximum(1, visits), initial)[:, :-1]


def batch_temporal_difference(episodes: Episodes, *, discount: float = 1.0, initial: float = 0.0) -> np.ndarray:
    """Where TD(0) ends that meets the same episodes for ever: the exact values of the likeliest Markov process.

    That process (certainty equivalence) goes from state to state as often, and earns as much, as the episodes did.
    States that were never met keep `initial`. [runs, states].
    """
    rows, end = np.arange(episodes.runs), episodes.end
    moves, earned = np.zeros((episodes.runs, end + 1, end + 1)), np.zeros((episodes.runs, end + 1))
    for step in range(episodes.rewards.shape[1]):
        for index in range(len(episodes.rewards)):
            state, following = episodes.states[index, step], episodes.states[index, step + 1]
            moves[rows, state, following] += 1
            earned[rows, state] += episodes.rewards[index, step]
    visits = moves.sum(axis=2)[:, :end, None]
    chances = moves[:, :end, :end] / np.maximum(1, visits)
    means = np.where(visits > 0, earned[:, :end, None] / np.maximum(1, visits), initial)
    return np.linalg.solve(np.eye(end) - discount * chances, means)[..., 0]


# Control.


@dataclass(frozen=True)
class Backup:
    """What a learner takes for the worth of the state that follows.

    Attributes:
        worth: (action values [runs, actions], the action chosen there [runs], epsilon) -> [runs].
        commits: whether the action chosen there is the one that is then taken, even when what was learnt meanwhile
            has changed its values.
    """

    worth: Callable[[np.ndarray, np.ndarray, float], np.ndarray]
    commits: bool = False


def _chosen(values: np.ndarray, action: np.ndarray, epsilon: float) -> np.ndarray:
    return np.take_along_axis(values, action[:, None], axis=1)[:, 0]


def _best(values: np.ndarray, action: np.ndarray, epsilon: float) -> np.ndarray:
    return values.max(axis=1)


def _expected(values: np.ndarray, action: np.ndarray, epsilon: float) -> np.ndarray:
    # Equally good actions share the greedy part, and as they are equally good it does not matter how.
    return epsilon * values.mean(axis=1) + (1 - epsilon) * values.max(axis=1)


BACKUPS = {
    "q-learning": Backup(_best),
    "sarsa": Backup(_chosen, commits=True),
    "expected-sarsa": Backup(_expected),
}


def learn_to_act(
    world: World,
    backup: Backup,
    *,
    episodes: int,
    runs: int,
    step_size: float,
    epsilon: float,
    discount: float = 1.0,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Q(s, a) += step_size (r + discount worth(s') - Q(s, a)), acting epsilon-greedily (chapter 6).

    Args:
        world: what is acted in.
        backup: one of BACKUPS: Q-learning (the best action's value), SARSA (the next action's), expected SARSA.
        episodes: of each run.
        runs: independent ones.
        step_size: in (0, 1].
        epsilon: share of the actions taken at random, in [0, 1]; among equally good ones the choice is random too.
        discount: of the rewards, in [0, 1].
        seed: the same one gives the same runs.

    Returns:
        Action values [runs, states, actions] at the end, and the undiscounted return of every episode as it was
        played, exploration included, [episodes, runs].
    """
    _check(step_size, discount)
    if not 0 <= epsilon <= 1:
        raise UsageError(f"epsilon is {epsilon}: give the share of random actions, from 0 to 1.")
    random = np.random.default_rng(seed)
    values = np.zeros((runs, world.states + 1, world.actions))

    def choose(here: np.ndarray) -> np.ndarray:
        ties = random.random(here.shape) * (here == here.max(axis=1, keepdims=True))
        explored = random.integers(0, world.actions, len(here))
        return np.where(random.random(len(here)) < epsilon, explored, ties.argmax(axis=1))

    live = Runs(world, episodes, runs)
    action = choose(values[live.alive, live.state])
    while len(live.alive):
        who, state = live.alive, live.state
        rewards, following = live.step(action)
        next_action = choose(values[who, following])
        target = rewards + discount * backup.worth(values[who, following], next_action, epsilon)
        values[who, state, action] += step_size * (target - values[who, state, action])
        ended, stay = live.settle(following)
        again = choose(values[live.alive, live.state])
        action = np.where(ended[stay], again, next_action[stay]) if backup.commits else again
    return values[:, :-1], live.returns


def _check(step_size: float | None, discount: float) -> None:
    if step_size is not None and not 0 < step_size <= 1:
        raise UsageError(f"step_size is {step_size}: give a number above 0 and at most 1.")
    if not 0 <= discount <= 1:
        raise UsageError(f"discount is {discount}: give a number from 0 to 1.")
