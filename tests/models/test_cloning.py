"""Behaviour cloning: its losses by hand, and learning against chance."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.control import demonstrations, experts, imitation
from kgan.datasets.data import Data
from kgan.models.cloning import BehaviourCloner
from kgan.networks import mlp

SEED = tf.constant([0, 0], tf.int64)


def linear(kernel, bias) -> keras.Model:
    network = mlp.mlp_discriminator((len(kernel),), widths=(), outputs=len(bias))
    network.set_weights([np.array(kernel, np.float32), np.array(bias, np.float32)])
    return network


def test_the_loss_of_discrete_actions_by_hand():
    model = BehaviourCloner(linear([[1.0, 0.0]], [0.0, 0.0]))
    batch = tf.constant([[np.log(3.0), 0.0], [np.log(3.0), 1.0]], tf.float32)  # probabilities 3/4 and 1/4
    loss, report = model.policy_loss(batch, model.propose(batch, SEED, True), SEED, training=True)
    np.testing.assert_allclose(loss, -(np.log(0.75) + np.log(0.25)) / 2, rtol=1e-6)
    np.testing.assert_allclose(report["error"], 0.5)
    answer = model.signatures()["act"].function(tf.constant([[np.log(3.0)]], tf.float32))
    np.testing.assert_allclose(answer["probabilities"], [[0.75, 0.25]], rtol=1e-6)
    assert answer["actions"].numpy().tolist() == [0]


def test_the_loss_of_continuous_actions_by_hand():
    model = BehaviourCloner(linear([[2.0, 0.0]], [0.0, 1.0]), discrete=False)
    batch = tf.constant([[1.0, 5.0, 5.0], [0.0, 0.0, 1.0]])  # (2, 1) for (5, 5), and (0, 1) for (0, 1)
    loss, report = model.policy_loss(batch, model.propose(batch, SEED, True), SEED, training=True)
    np.testing.assert_allclose([loss, report["error"]], [12.5, np.sqrt(12.5)], rtol=1e-6)
    assert model.signatures()["act"].function(batch[:, :1])["actions"].shape == (2, 2)


@pytest.fixture(scope="module")
def cloned():
    """A policy cloned from two of the expert's episodes."""
    known = experts.cart_pole
    shown = demonstrations.record(
        imitation.make("CartPole-v1", 200), lambda seen: known(np.asarray(seen, np.float32)[None])[0], 2
    )
    seen, done = shown.pairs()
    data = Data("cart", "train", np.concatenate([seen, done[:, None]], axis=1).astype(np.float32))
    network = mlp.mlp_discriminator((4,), widths=(32,), activation="tanh", outputs=2, seed=1)
    model = BehaviourCloner(mlp.standardised(network, seen))
    model.compile(policy_optimizer=keras.optimizers.Adam(1e-2))
    before = play(model).returns.mean()
    history = model.fit(data.batches(64, steps=300), verbose=0, shuffle=False).history
    return model, before, history


def play(model):
    act = tf.function(model.signatures()["act"].function, reduce_retracing=True)
    return imitation.play("CartPole-v1", lambda seen: act(tf.constant(seen))["actions"].numpy(), 10, 200, seed=3)


def test_it_learns_to_balance_the_pole(cloned):
    model, before, history = cloned
    assert history["error"][-1] < 0.2
    assert before < 60 and play(model).returns.mean() > 150
