"""Rewards by a discriminator: AIRL's equations, worked out apart from it."""

import numpy as np
import pytest
import tensorflow as tf

from kgan.models.rewards import ShapedRewardModel
from kgan.networks.mlp import mlp_discriminator
from kgan.networks.shaped import shaped

MEAN, DEVIATION = [0.5, -1.0, 0.0, 0.0], [2.0, 0.5, 1.0, 1.0]  # of two numbers, an action, a mark
G, H, DISCOUNT = np.array([0.3, -0.7, 1.1, 0.4]), np.array([0.9, 0.2, -0.5]), 0.9


def model(penalty=None, state_only=False) -> ShapedRewardModel:
    """Linear g and h, so that everything can be worked out by hand."""
    gain = mlp_discriminator((3 if state_only else 4,), widths=())
    shaping = mlp_discriminator((3,), widths=())
    gain.set_weights([(G[[0, 1, 3]] if state_only else G)[:, None], np.array([0.25])])
    shaping.set_weights([H[:, None], np.array([-0.1])])
    mean, deviation = ([*moments, *moments[:2], moments[3]] for moments in (MEAN, DEVIATION))
    return ShapedRewardModel(shaped(gain, shaping, 1, DISCOUNT), penalty, mean=mean, deviation=deviation)


def f_and_log_pi(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    before = (rows[:, :4] - MEAN) / DEVIATION
    after = (rows[:, 4:7] - np.take(MEAN, [0, 1, 3])) / np.take(DEVIATION, [0, 1, 3])
    h, following = (states @ H - 0.1 for states in (before[:, [0, 1, 3]], after))
    return before @ G + 0.25 + DISCOUNT * following - h, rows[:, 7]


@pytest.fixture
def pairs():
    random = np.random.default_rng(0)
    rows = random.normal(size=(6, 2, 8))
    rows[..., 7] = np.log(random.uniform(0.1, 0.9, (6, 2)))
    return rows


def test_the_discriminator_is_exp_f_over_exp_f_plus_pi(pairs):
    ours = model()
    chances = []
    for side in (0, 1):
        f, log_pi = f_and_log_pi(pairs[:, side])
        chances.append(np.exp(f) / (np.exp(f) + np.exp(log_pi)))
        earned = np.log(chances[side]) - np.log(1 - chances[side])
        np.testing.assert_allclose(ours(pairs[:, side].astype(np.float32)), earned, rtol=1e-5)
    real, fake = chances
    batch = tf.constant(pairs, tf.float32)
    loss, _ = ours.discriminator_loss(batch, batch[:, 1], tf.constant([0, 0], tf.int64), training=True)
    np.testing.assert_allclose(loss, -np.log(real).mean() - np.log(1 - fake).mean(), rtol=1e-5)


def test_the_penalty_is_on_the_slope_of_f(pairs):
    """Of standardised rows; how probable an action was has no part in it."""
    slope = np.concatenate([G, DISCOUNT * H])
    slope[[0, 1, 3]] -= H
    ours, batch = model("zero-centred"), tf.constant(pairs, tf.float32)
    _, further = ours.discriminator_loss(batch, batch[:, 1], tf.constant([0, 0], tf.int64), training=True)
    np.testing.assert_allclose(further["penalty"], ours.penalty.weight * (slope**2).sum(), rtol=1e-5)


def test_shaping_adds_up_to_the_ends_of_an_episode():
    ours, steps = model(), np.random.default_rng(1).normal(size=(9, 4))
    following = np.concatenate([steps[1:], [[0.3, 0.1, 0.0, 1.0]]])[:, [0, 1, 3]]
    rows = np.concatenate([steps, following, np.zeros((9, 1))], axis=1)
    gain = ours.signatures()["reward"].function(transitions=tf.constant(steps, tf.float32))["rewards"].numpy()
    np.testing.assert_allclose(gain, (steps - MEAN) / DEVIATION @ G + 0.25, rtol=1e-5)
    discounts = DISCOUNT ** np.arange(9)
    shaping = (discounts * (ours(rows.astype(np.float32)).numpy() - gain)).sum()
    mean, deviation = (np.take(m, [0, 1, 3]) for m in (MEAN, DEVIATION))
    first, last = ((state - mean) / deviation @ H - 0.1 for state in (steps[0, [0, 1, 3]], following[-1]))
    np.testing.assert_allclose(shaping, DISCOUNT**9 * last - first, rtol=1e-4)


def test_a_reward_of_states_does_not_see_the_action():
    reward = model(state_only=True).signatures()["reward"].function
    transitions = np.tile(np.array([[0.2, 0.4, 0.0, 0.0]], np.float32), (3, 1))
    transitions[1, 2], transitions[2, 0] = 1.0, 1.0  # another action; another state
    found = reward(transitions=tf.constant(transitions))["rewards"].numpy()
    assert found[0] == found[1] != found[2]
