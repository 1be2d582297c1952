"""The value network: its two targets by hand, and learning a walk whose values are known."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.control import experience, tabular
from kgan.datasets.transitions import Transitions, pack, unpack
from kgan.errors import UsageError
from kgan.models.value import ValueEstimator, lambda_returns
from kgan.networks import mlp

SEED = tf.constant([0, 0], tf.int64)


def line(slope: float, offset: float) -> keras.Model:
    network = mlp.mlp_discriminator((1,), widths=())
    network.set_weights([np.array([[slope]], np.float32), np.array([offset], np.float32)])
    return network


STEPS = pack(
    Transitions(
        observations=np.array([[1.0], [2.0]]),
        next_observations=np.array([[2.0], [7.0]]),
        rewards=[1.0, 5.0],
        discounts=[0.5, 0.0],
        returns=[3.5, 5.0],
    )
)


def test_what_is_packed_is_unpacked():
    assert STEPS.shape == (2, 5) and STEPS.dtype == np.float32
    steps = unpack(STEPS)
    assert steps.observations.tolist() == [[1], [2]] and steps.next_observations.tolist() == [[2], [7]]
    assert steps.rewards.tolist() == [1, 5] and steps.discounts.tolist() == [0.5, 0]
    assert steps.returns.tolist() == [3.5, 5]


@pytest.mark.parametrize(
    # V = 2 s + 1 is 3 and 5; TD's targets are 1 + 5/2 = 3.5 and 5, Monte-Carlo's 3.5 and 5 too, so shift the returns.
    ("target", "returns", "expected"),
    [("td", [9, 9], (0.25 + 0) / 2), ("monte-carlo", [4, 8], (1 + 9) / 2)],
)
def test_the_loss_by_hand(target, returns, expected):
    batch = tf.constant(np.concatenate([STEPS[:, :-1], np.array(returns, np.float32)[:, None]], axis=1))
    model = ValueEstimator(line(2.0, 1.0), target)
    loss, report = model.value_loss(batch, model.propose(batch, SEED, True), SEED, training=True)
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
    np.testing.assert_allclose(report["mean_value"], 4.0)
    np.testing.assert_allclose(report["return_error"] ** 2, np.mean((np.array([3, 5]) - returns) ** 2), rtol=1e-6)


def test_no_gradient_flows_through_the_target():
    model = ValueEstimator(line(2.0, 1.0), "td")
    batch, kernel = tf.constant(STEPS), model.value.trainable_variables[0].value
    with tf.GradientTape() as tape:
        loss, _ = model.value_loss(batch, model.propose(batch, SEED, True), SEED, training=True)
    # d/dw of the mean of (V(s) - 3.5)^2 at s = 1 and (V(s) - 5)^2 at s = 2: (2 (-0.5) 1 + 0) / 2.
    np.testing.assert_allclose(tape.gradient(loss, kernel), [[-0.5]], rtol=1e-6)


def test_the_moving_average_is_what_td_looks_ahead_with():
    model = ValueEstimator(line(2.0, 1.0), "td", average_decay=0.9)
    model.average_value.set_weights([np.array([[0.0]], np.float32), np.array([10.0], np.float32)])
    batch = tf.constant(STEPS)
    loss, _ = model.value_loss(batch, model.propose(batch, SEED, True), SEED, training=True)
    np.testing.assert_allclose(loss, ((3 - 6) ** 2 + 0) / 2, rtol=1e-6)


@pytest.mark.parametrize("trace", [0.0, 0.5, 1.0])
def test_the_lambda_return_is_the_mean_of_all_looks_ahead(trace):
    """Equation 12.18's other form, 12.3: (1 - lambda) sum of lambda^(n-1) G_(t:t+n), the rest on the longest look.

    One piece of five steps: three of an episode that ends, two of one that goes on; and the same three cut short.
    """
    random = np.random.default_rng(0)
    seen = np.array([[1.0], [2.0], [3.0], [5.0], [6.0]], np.float32)
    led = np.array([[2.0], [3.0], [4.0], [6.0], [7.0]], np.float32)
    rewards, following = random.normal(size=(2, 5)), random.normal(size=(2, 5))
    discounts = np.array([[0.9, 0.9, 0.0, 0.9, 0.9], [0.9, 0.9, 0.9, 0.9, 0.9]])
    steps = Transitions(*(tf.constant(x, tf.float32) for x in ([seen] * 2, [led] * 2, rewards, discounts, rewards)))
    found = lambda_returns(steps, tf.constant(following, tf.float32), trace)
    for piece in range(2):
        for t in range(5):
            last = 2 if t < 3 else 4
            looks = []
            for end in range(t, last + 1):
                total, weight = 0.0, 1.0
                for k in range(t, end + 1):
                    total, weight = total + weight * rewards[piece, k], weight * discounts[piece, k]
                looks.append(total + weight * following[piece, end])
            shares = [(1 - trace) * trace**n for n in range(len(looks) - 1)]
            expected = np.dot([*shares, 1 - sum(shares)], looks)
            np.testing.assert_allclose(found[piece, t], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("target, trace", [("td", 0.0), ("td", 0.9), ("monte-carlo", 0.0)])
def test_it_learns_the_values_of_the_long_walk(target, trace):
    data = experience.load(experience.WALK, "train", episodes=300, discount=1.0)
    network = mlp.standardised(
        mlp.mlp_discriminator((1,), widths=(64, 64), activation="tanh", seed=1), unpack(data.examples).observations
    )
    model = ValueEstimator(network, target, trace)
    model.compile(value_optimizer=keras.optimizers.Adam(2e-3))
    batches = data.batches(128, steps=1_000)
    if trace:
        pieces = data.examples[: len(data.examples) // 8 * 8].reshape(-1, 8, 5)
        batches = dataclasses.replace(data, examples=pieces).batches(64, steps=300)
    model.fit(batches, verbose=0, shuffle=False)
    values = model.signatures()["value"].function(tf.constant(experience.walk_positions()))["values"].numpy()
    exact = tabular.state_values(experience.long_walk(), experience.long_walk().uniform())
    assert np.sqrt(np.mean((values - exact) ** 2)) < 0.08 < exact.std() / 2


def test_an_unknown_target_is_refused():
    with pytest.raises(UsageError, match="unknown target 'tdd': choose monte-carlo or td"):
        ValueEstimator(line(1.0, 0.0), "tdd")


def test_a_trace_beyond_one_is_refused():
    with pytest.raises(UsageError, match="the trace is 1.5: give a number from 0"):
        ValueEstimator(line(1.0, 0.0), "td", 1.5)
