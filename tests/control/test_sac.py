"""SAC: densities and losses against NumPy, and that it learns."""

import numpy as np
import pytest
import tensorflow as tf
import tiny  # noqa: F401

from kgan.control.environments import Environments
from kgan.control.sac import SACActor, SACOptions
from kgan.errors import UsageError

SMALL = SACOptions(rollout=8, gradient_steps=3, minibatch=8, capacity=60, first=1, widths=(8,), learning_rate=1e-9)


def actor(options=SMALL, name="Pendulum-v1", **further) -> SACActor:
    return SACActor(Environments(name, 2, 0), options, **further)


def test_the_density_of_a_squashed_action_integrates_to_one():
    ours = actor()
    seen = tf.zeros([1, 3])
    actions = np.linspace(-0.9999, 0.9999, 40_001)
    means, log_deviations = np.split(ours.policy(seen)[0].numpy()[0], 2)
    noise = ((np.arctanh(actions) - means) / np.exp(log_deviations)).astype(np.float32)[:, None]
    found, log_probabilities = ours.drawn(tf.zeros([len(actions), 3]), tf.constant(noise))
    np.testing.assert_allclose(found[:, 0], actions, atol=1e-4)
    np.testing.assert_allclose(np.trapezoid(np.exp(log_probabilities), actions), 1.0, atol=0.01)


def test_the_losses_are_those_of_the_paper():
    ours, random = actor(), np.random.default_rng(0)
    for variable in ours.targets[1].variables:
        variable.assign_add(0.3 * tf.random.stateless_normal(variable.shape, [3, 4]))
    ours.log_temperature.assign(-0.7)
    batch = {name: random.normal(size=(8, 3)).astype(np.float32) for name in ("observations", "next_observations")}
    batch |= {name: random.normal(size=(8, 1)).astype(np.float32) for name in ("noise", "next_noise")}
    batch |= {name: random.uniform(0, 1, 8).astype(np.float32) for name in ("rewards", "discounts", "weights")}
    batch["actions"] = random.uniform(-1, 1, (8, 1)).astype(np.float32)

    def least(networks, observations, actions):
        both = np.concatenate([observations, actions], -1)
        return np.minimum(*[network(both)[0].numpy().astype(np.float64) for network in networks])

    later, later_log = (x.numpy() for x in ours.drawn(batch["next_observations"], batch["next_noise"]))
    now, now_log = (x.numpy() for x in ours.drawn(batch["observations"], batch["noise"]))
    alpha = np.exp(-0.7)
    future = least(ours.targets, batch["next_observations"], later) - alpha * later_log
    target = batch["rewards"] + batch["discounts"] * future
    both = np.concatenate([batch["observations"], batch["actions"]], -1)
    errors = [target - critic(both)[0].numpy() for critic in ours.critics]
    expected = [
        sum((batch["weights"] * error**2).mean() for error in errors) / 2,
        (alpha * now_log - least(ours.critics, batch["observations"], now)).mean(),
        alpha,
        -now_log.mean(),
    ]
    before = [target.numpy() for target in ours.targets[1].variables]
    figures, surprise = ours.gradient_step({name: tf.constant(array) for name, array in batch.items()})
    np.testing.assert_allclose(figures, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(surprise, errors[0], rtol=1e-4, atol=1e-5)
    for old, target, critic in zip(before, ours.targets[1].variables, ours.critics[1].variables, strict=True):
        np.testing.assert_allclose(target, 0.995 * old + 0.005 * critic.numpy(), rtol=1e-4, atol=1e-6)


def test_it_learns_to_aim():
    options = SACOptions(
        rollout=16, gradient_steps=32, minibatch=64, capacity=5_000, first=100, discount=0.0, widths=(32,),
        learning_rate=3e-3,
    )  # fmt: skip
    ours = actor(options, "TinyAim-v0")
    for _ in range(40):
        ours.train_step(None)
    shown = np.linspace(-0.9, 0.9, 7, dtype=np.float32)[:, None]
    aimed = ours.signatures()["act"].function(tf.constant(shown))["actions"].numpy()
    assert np.abs(aimed - 3 * shown).mean() < 0.7
    assert ours.descend.experimental_get_tracing_count() == 1


def test_it_goes_on_exactly():
    options = SACOptions(rollout=8, gradient_steps=3, minibatch=8, capacity=60, first=1, widths=(8,))
    one, other = actor(options, normalise=True), actor(options, normalise=True, seed=3)
    other.seed = 0
    for _ in range(2):
        one.train_step(None)
    kept = {key: np.array(held.value) for key, held in one.state().items()}
    for key, held in other.state().items():
        held.assign(kept[key])
    for _ in range(2):
        one.train_step(None), other.train_step(None)
    for key, held in other.state().items():
        np.testing.assert_array_equal(np.asarray(held.value), np.asarray(one.state()[key].value), err_msg=key)


def test_choices_are_refused():
    with pytest.raises(UsageError, match="are choices: take dqn or ppo"):
        actor(name="CartPole-v1")
