"""What each action is held to be worth, against loops that follow the definitions, in float64."""

import numpy as np
import pytest
import tiny  # noqa: F401

from kgan.control.environments import Environments
from kgan.control.normalisation import Moments
from kgan.control.rollouts import Rollout, advantages, credits
from kgan.errors import UsageError

T, B = 23, 4


@pytest.fixture
def experience():
    random = np.random.default_rng(7)
    terminated = random.random((T, B)) < 0.15
    truncated = (random.random((T, B)) < 0.15) & ~terminated
    assert terminated.any() and truncated.any()
    return random.normal(size=(T, B)), random.normal(size=(T, B)), random.normal(size=(T, B)), terminated, truncated


@pytest.mark.parametrize("discount, trace", [(0.9, 0.8), (1.0, 1.0), (0.99, 0.0)])
def test_advantages_are_the_weighted_sum_of_all_looks_ahead(experience, discount, trace):
    """Equation 16 of the paper as it is defined: sum over k of (gamma lambda)^k delta_{t + k}, to the episode's end."""
    rewards, values, next_values, terminated, truncated = experience
    found, returns = advantages(*experience, discount, trace)
    for b in range(B):
        for t in range(T):
            total, k = 0.0, 0
            while True:
                bootstrap = 0.0 if terminated[t + k, b] else next_values[t + k, b]
                delta = rewards[t + k, b] + discount * bootstrap - values[t + k, b]
                total += (discount * trace) ** k * delta
                if terminated[t + k, b] or truncated[t + k, b] or t + k == T - 1:
                    break
                k += 1
            np.testing.assert_allclose(found[t, b], total, rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(returns[t, b], total + values[t, b], rtol=1e-5, atol=1e-6)


def test_a_cut_is_worth_what_might_have_come_and_a_termination_nothing():
    """By hand: one step, reward 1, value 0, next value 10, gamma 0.5."""
    one = [np.array([[x]]) for x in (1.0, 0.0, 10.0)]
    yes, no = np.array([[True]]), np.array([[False]])
    assert advantages(*one, yes, no, 0.5, 0.9)[0] == 1.0
    assert advantages(*one, no, yes, 0.5, 0.9)[0] == 6.0
    assert advantages(*one, no, no, 0.5, 0.9)[0] == 6.0


def test_credits_by_hand():
    """Rewards 1, 2, 4 | 8 (cut off by the end of the rollout); gamma 0.5."""
    rewards = np.array([[1.0], [2.0], [4.0], [8.0]])
    ended = np.array([[False], [False], [True], [False]])
    to_go, weights = credits("reward-to-go", rewards, ended, 0.5)
    np.testing.assert_allclose(to_go[:3, 0], [3, 4, 4])
    np.testing.assert_array_equal(weights[:, 0], [1, 1, 1, 0])
    whole, weights = credits("whole-trajectory", rewards, ended, 0.5)
    np.testing.assert_allclose(whole[:3, 0], [3, 3, 3])
    np.testing.assert_array_equal(weights[:, 0], [1, 1, 1, 0])
    now, weights = credits("immediate", rewards, ended, 0.5)
    np.testing.assert_array_equal(now, rewards)
    np.testing.assert_array_equal(weights, np.ones((4, 1)))
    with pytest.raises(UsageError, match="credit 'later' is unknown"):
        credits("later", rewards, ended, 0.5)


def test_whole_trajectories_follow_each_other():
    ended = np.array([[False], [True], [True], [False], [True]])
    whole, weights = credits("whole-trajectory", np.arange(1.0, 6)[:, None], ended, 1.0)
    np.testing.assert_array_equal(whole[:, 0], [3, 3, 3, 9, 9])
    assert weights.all()


def test_a_rollout_is_what_happened():
    environments = Environments("TinyClock-v0", 3, seed=4)
    digits = environments.observations[:, 0].copy()
    rollout = Rollout.of(environments, 5)
    storage = rollout.observations
    returns, lengths = rollout.collect(environments, lambda seen: (np.arange(3), -seen[:, 1]))
    assert rollout.observations is storage
    np.testing.assert_array_equal(rollout.observations[0, :, 0], digits)
    np.testing.assert_array_equal(rollout.actions, np.tile(np.arange(3), (5, 1)))
    np.testing.assert_array_equal(rollout.log_probabilities, -rollout.observations[:, :, 1])
    inside = ~rollout.ended[:-1]
    np.testing.assert_array_equal(rollout.final[:-1][inside], rollout.observations[1:][inside])
    assert (rollout.observations[1:][~inside][:, 1] == 0).all() and (rollout.final[:-1][~inside][:, 1] >= 3).all()
    # Each step is worth its number, so an episode of n steps returns n (n + 1) / 2.
    assert len(returns) == rollout.ended.sum() > 0
    np.testing.assert_array_equal(returns, lengths * (lengths + 1) / 2)


def test_moments_are_those_of_everything_seen():
    random, moments = np.random.default_rng(0), Moments(3)
    np.testing.assert_allclose(moments.normalise(np.ones((1, 3))), np.ones((1, 3)), rtol=1e-6)
    batches = [random.normal([1, 50, -2], [1, 5, 0.1], (n, 3)) for n in (1, 7, 100)]
    for batch in batches:
        moments.update(batch)
    seen = np.concatenate(batches)
    np.testing.assert_allclose(moments.mean.numpy(), seen.mean(0), rtol=1e-12)
    np.testing.assert_allclose(moments.variance.numpy(), seen.var(0), rtol=1e-12)
    ours = moments.normalise(batches[2])
    np.testing.assert_allclose(ours, (batches[2] - seen.mean(0)) / seen.std(0), atol=1e-4)
    np.testing.assert_allclose(moments.in_graph(batches[2].astype(np.float32)).numpy(), ours, atol=1e-3)
    assert moments.normalise(np.full((1, 3), 1e9)).max() == 10
