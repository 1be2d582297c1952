"""Policy gradients of a blind policy: the estimate against the exact derivative, and learning in the corridor."""

import numpy as np
import pytest

from kgan.control import policy_gradient, tabular
from kgan.errors import UsageError

CORRIDOR = tabular.short_corridor()


def slope(right: float, width: float = 1e-6) -> float:
    """dJ/d(preference of right), by central differences in the closed form."""
    logit = np.log(right / (1 - right))
    ends = [tabular.corridor_value(1 / (1 + np.exp(-(logit + sign * width)))) for sign in (1, -1)]
    return (ends[0] - ends[1]) / (2 * width)


def move(right, episodes=1, runs=4_000, learn=policy_gradient.reinforce, **options) -> np.ndarray:
    """How far one episode moves the preference of right over that of left, half of it, over the step size: [runs]."""
    start, size = np.array([0.0, np.log(right / (1 - right))]), 1e-6
    policies, _ = learn(CORRIDOR, start, episodes=episodes, runs=runs, step_size=size, **options)
    return (np.log(policies[-1, :, 1] / policies[-1, :, 0]) - start[1]) / (2 * size)


@pytest.mark.parametrize("right", [0.4, 0.75])
def test_reinforce_moves_by_the_gradient_on_average(right):
    found = move(right)
    assert abs(found.mean() - slope(right)) < 4 * found.std() / np.sqrt(len(found))
    assert abs(slope(right)) > 4 * found.std() / np.sqrt(len(found))


def test_a_baseline_keeps_the_mean_and_lowers_the_variance():
    # The baseline moves after each episode; the preferences by next to nothing, so that moves add up.
    plain = move(0.5, episodes=30, runs=1_000)
    based = move(0.5, episodes=30, runs=1_000, baseline_step_size=0.2)
    error = np.hypot(plain.std(), based.std()) / np.sqrt(1_000)
    assert abs(plain.mean() - based.mean()) < 4 * error
    assert based.std() < 0.8 * plain.std()


def test_one_episode_of_reinforce_by_hand():
    """The corridor's shortest episode is right, left, right: G = -3, -2, -1."""
    size = 1e-3
    for seed in range(50):
        policies, returns = policy_gradient.reinforce(
            CORRIDOR, np.zeros(2), episodes=1, runs=1, step_size=size, seed=seed
        )
        if returns[0, 0] == -3:
            break
    # d log pi(right) / d preferences = (-1/2, 1/2) and the opposite for left: sum G grad = (1/2)(3 - 2 + 1) = 1.
    expected = policy_gradient.softmax(size * np.array([1.0, -1.0]))
    np.testing.assert_allclose(policies[0, 0], expected, rtol=1e-12)


def test_the_baseline_by_hand():
    """After one shortest episode, and at a step size of 1, the baseline is -2, the mean of -3, -2 and -1."""
    size = 1e-2
    for seed in range(2_000):
        policies, returns = policy_gradient.reinforce(
            CORRIDOR, np.zeros(2), episodes=2, runs=1, step_size=size, baseline_step_size=1.0, seed=seed
        )
        if (returns == -3).all():
            break
    theta = size * np.array([1.0, -1.0])
    slopes = np.eye(2)[[1, 0, 1]] - policy_gradient.softmax(theta)
    theta = theta + size * np.array([-3 + 2, -2 + 2, -1 + 2]) @ slopes
    np.testing.assert_allclose(policies[1, 0], policy_gradient.softmax(theta), rtol=1e-12)


def test_one_episode_of_actor_critic_by_hand():
    size, rate = 1e-2, 0.5
    for seed in range(50):
        policies, returns = policy_gradient.actor_critic(
            CORRIDOR, np.zeros(2), episodes=1, runs=1, step_size=size, critic_step_size=rate, seed=seed
        )
        if returns[0, 0] == -3:
            break
    # Three states met once each, all values 0 before: delta is -1 every time.
    theta = np.zeros(2)
    for action in (1, 0, 1):
        theta -= size * (np.eye(2)[action] - policy_gradient.softmax(theta))
    np.testing.assert_allclose(policies[0, 0], policy_gradient.softmax(theta), rtol=1e-12)


@pytest.mark.parametrize(
    "learn",
    [
        lambda start: policy_gradient.reinforce(CORRIDOR, start, episodes=600, runs=10, step_size=2**-11),
        lambda start: policy_gradient.reinforce(
            CORRIDOR, start, episodes=600, runs=10, step_size=2**-9, baseline_step_size=2**-4
        ),
        lambda start: policy_gradient.actor_critic(
            CORRIDOR, start, episodes=600, runs=10, step_size=2**-8, critic_step_size=2**-4
        ),
    ],
    ids=["reinforce", "with baseline", "actor-critic"],
)
def test_each_finds_the_right_chance(learn):
    policies, returns = learn(np.log([0.95, 0.05]))
    exact = tabular.corridor_value(policies[..., 1])
    assert np.median(exact[0]) < -40 and np.median(exact[-1]) > -12.2
    assert returns[:5].mean() < -40 and returns[-100:].mean() > -14


def test_a_critic_as_blind_as_the_actor_leads_it_astray():
    policies, _ = policy_gradient.actor_critic(
        CORRIDOR, np.zeros(2), episodes=60, runs=10, step_size=2**-5, critic_step_size=2**-4, critic_sees=False
    )
    assert np.median(policies[-1, :, 1]) > 0.75


def test_step_sizes_out_of_range_are_refused():
    with pytest.raises(UsageError, match="a step size is -0.1"):
        policy_gradient.reinforce(CORRIDOR, np.zeros(2), episodes=1, runs=1, step_size=-0.1)
