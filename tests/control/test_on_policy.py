"""PPO, A2C and REINFORCE: the arithmetic against NumPy, the gradient against its definition, and that they learn."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny  # noqa: F401

from kgan.control.environments import Environments
from kgan.control.networks import ArrayPolicy
from kgan.control.on_policy import OnPolicyActor, OnPolicyOptions
from kgan.errors import UsageError

SMALL = OnPolicyOptions(rollout=16, minibatch=16, epochs=2, widths=(8, 8))
REINFORCE = dataclasses.replace(
    SMALL, credit="reward-to-go", whole_episodes=True, epochs=1, minibatch=10_000, clip=0.0, gradient_norm=1e9
)


def actor(name="CartPole-v1", options=SMALL, copies=2, **further) -> OnPolicyActor:
    return OnPolicyActor(Environments(name, copies, 0), options, **further)


@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1"])
def test_acting_in_numpy_is_acting_by_the_network(name):
    ours = actor(name)
    for variable in ours.policy.variables:
        variable.assign_add(0.3 * tf.random.stateless_normal(variable.shape, [1, 2]))
    seen = np.random.default_rng(0).normal(size=(4000, ours.spaces.observation)).astype(np.float32)
    seen[:] = seen[0]
    policy = ArrayPolicy(ours.policy, ours.spaces, "tanh")
    actions, log_probabilities = policy.sample(seen, np.random.default_rng(1))
    distribution, _ = ours.policy(seen)
    np.testing.assert_allclose(log_probabilities, distribution.log_prob(actions), rtol=2e-4, atol=2e-5)
    if ours.spaces.choices is None:
        np.testing.assert_allclose(actions.mean(0), distribution.mean()[0], atol=0.1)
        np.testing.assert_allclose(actions.std(0), distribution.stddev()[0], rtol=0.1)
    else:
        np.testing.assert_allclose((actions == 1).mean(), np.exp(distribution.log_prob(1)[0]), atol=0.03)


def losses(ours: OnPolicyActor, arrays: dict) -> tuple[float, float]:
    """The clipped surrogate and the critic's loss by their definitions, in float64 but for the networks' outputs."""
    options = ours.options
    advantage = arrays["worth"].astype(np.float64)
    if options.normalise_advantages:
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
    distribution, _ = ours.policy(arrays["observations"])
    ratio = np.exp(distribution.log_prob(arrays["actions"]).numpy().astype(np.float64) - arrays["log_probabilities"])
    surrogate = ratio * advantage
    if options.clip:
        surrogate = np.minimum(surrogate, np.clip(ratio, 1 - options.clip, 1 + options.clip) * advantage)
    values = ours.critic(arrays["observations"])[0].numpy().astype(np.float64)
    return -surrogate.mean(), options.critic_weight * ((arrays["targets"] - values) ** 2).mean()


@pytest.mark.parametrize("clip, normalised", [(0.2, True), (0.0, False)])
def test_the_losses_are_those_of_the_paper(clip, normalised):
    ours = actor(options=dataclasses.replace(SMALL, clip=clip, normalise_advantages=normalised, learning_rate=1e-9))
    random = np.random.default_rng(0)
    arrays = {
        "observations": random.normal(size=(16, 4)).astype(np.float32),
        "actions": random.integers(0, 2, 16).astype(np.int32),
        "log_probabilities": np.log(random.uniform(0.3, 0.8, 16)).astype(np.float32),
        "worth": random.normal(1, 2, 16).astype(np.float32),
        "targets": random.normal(size=16).astype(np.float32),
        "weights": np.ones(16, np.float32),
    }
    actor_loss, critic_loss, clipped = ours._gradient_step(*map(tf.constant, arrays.values())).numpy()
    np.testing.assert_allclose([actor_loss, critic_loss], losses(ours, arrays), rtol=1e-4)
    assert (clipped > 0) == (clip > 0)


def test_the_weight_of_the_entropy_falls_to_zero_over_the_run():
    """Halfway through, a step is the one with half the weight; at the end and beyond, the one without any."""
    random = np.random.default_rng(0)
    rows = (
        random.normal(size=(16, 4)), random.integers(0, 2, 16), np.full(16, np.log(0.5)), random.normal(size=16),
        np.zeros(16), np.ones(16),
    )  # fmt: skip
    arrays = [tf.constant(row.astype(np.int32 if row.dtype == np.int64 else np.float32)) for row in rows]

    def stepped(share: float = 0.0, **entropy) -> np.ndarray:
        ours = actor(options=dataclasses.replace(SMALL, gradient_norm=1e9, **entropy), updates=10)
        last = ours.policy.trainable_variables[-2]
        last.assign(tf.reshape(tf.range(tf.size(last), dtype=tf.float32) / 8, last.shape))  # far from even odds
        ours.mover.iterations.assign(round(share * ours.run_length))
        ours._gradient_step(*arrays)
        return last.numpy()

    for share, left in ((0.0, 2.0), (0.5, 1.0), (1.0, 0.0), (1.5, 0.0)):
        np.testing.assert_allclose(stepped(share, entropy=2.0, entropy_decay=True), stepped(share, entropy=left))
    assert not np.allclose(stepped(entropy=2.0), stepped(entropy=1.0), atol=1e-6)


def test_without_clipping_the_gradient_is_that_of_reinforce():
    """The mean of grad log pi(a|s) R over the steps of whole episodes, by a tape of its own."""
    ours = actor(options=dataclasses.replace(REINFORCE, normalise_advantages=False, rollout=60), copies=3)
    before = [variable.numpy() for variable in ours.policy.trainable_variables]
    applied = {}
    ours.mover.apply_gradients = lambda pairs: applied.update((v.ref(), g) for g, v in pairs)
    ours.descend = lambda *arrays: applied.update(arrays=arrays[:6]) or ours._gradient_step(*arrays[:6])
    ours.minibatch = 180
    ours.learn(np.random.default_rng(0))
    rollout = ours.rollout
    total = []
    for b in range(3):  # the returns from each step on, by the definition
        for begin in range(60):
            ends = [t for t in range(begin, 60) if rollout.ended[t, b]]
            if ends:
                rewards = rollout.rewards[begin : ends[0] + 1, b]
                total.append((begin, b, float((rewards * 0.99 ** np.arange(len(rewards))).sum())))
    steps, copies, returns = map(np.array, zip(*total, strict=True))
    with tf.GradientTape() as tape:
        distribution, _ = ours.policy(rollout.observations[steps, copies])
        loss = -tf.reduce_mean(distribution.log_prob(rollout.actions[steps, copies]) * returns.astype(np.float32))
    expected = tape.gradient(loss, ours.policy.trainable_variables)
    for variable, gradient, old in zip(ours.policy.trainable_variables, expected, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), old)
        np.testing.assert_allclose(applied[variable.ref()], gradient, rtol=2e-3, atol=2e-4)
    assert len(total) < 180, "some steps must be of episodes that did not end"


def test_it_is_traced_once_whatever_happens():
    ours = actor(normalise=True)
    for _ in range(4):
        ours.train_step(None)
    assert ours.descend.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("credit", ["advantage", "reward-to-go", "whole-trajectory"])
def test_it_learns_to_answer(credit):
    """Chance is 8/3 of 8."""
    options = OnPolicyOptions(
        rollout=16, minibatch=64, epochs=4, credit=credit, learning_rate=1e-2, discount=0.5, widths=(16,)
    )
    ours = actor("TinyIdentity-v0", options, copies=8)
    ours.recent[:] = 8 / 3
    for _ in range(50):
        ours.train_step(None)
    assert ours.recent_return() > 6.5


def test_it_learns_to_aim():
    options = OnPolicyOptions(rollout=32, minibatch=64, epochs=10, learning_rate=3e-3, discount=0.0, widths=(16,))
    ours = actor("TinyAim-v0", options, copies=8)
    first = np.mean([float(ours.train_step(None)["return"]) for _ in range(2)])
    for _ in range(40):
        ours.train_step(None)
    shown = np.linspace(-0.9, 0.9, 7, dtype=np.float32)[:, None]
    aimed = ours.signatures()["act"].function(observations=tf.constant(shown))["actions"].numpy()
    assert ours.recent_return() > first / 4  # it is negative
    assert np.abs(aimed - 3 * shown).mean() < 0.3


@pytest.mark.parametrize("credit, waits", [("reward-to-go", True), ("immediate", False)])
def test_rewarded_by_the_moment_it_does_not_wait(credit, waits):
    """What the lecture says of R(tau) replaced by r_t: it takes the 1 at once and not the 3 a step later."""
    options = dataclasses.replace(REINFORCE, credit=credit, rollout=12, learning_rate=3e-2, widths=(8,))
    ours = actor("TinyPatience-v0", options, copies=8)
    for _ in range(40):
        ours.train_step(None)
    distribution, _ = ours.policy(np.zeros((1, 1), np.float32))
    assert (np.exp(distribution.log_prob(1)) > 0.8) == waits
    assert (np.exp(distribution.log_prob(1)) < 0.2) != waits


def test_exported_signatures_normalise_and_draw_by_their_seed():
    ours = actor("Pendulum-v1", normalise=True)
    ours.train_step(None)
    answers = {name: signature.function for name, signature in ours.signatures().items()}
    raw = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32) * [1, 1, 5]
    raw = raw.astype(np.float32)
    seen = ours.moments.normalise(raw)
    expected = ours.critic(seen)[0] * ours.return_moments.scale()[0].astype(np.float32)
    np.testing.assert_allclose(answers["value"](raw)["values"], expected, rtol=1e-4, atol=1e-5)
    means = ours.policy(seen)[0].mean().numpy()
    np.testing.assert_allclose(answers["act"](raw)["actions"], 2 * np.clip(means, -1, 1), rtol=1e-4, atol=1e-5)
    drawn = [answers["sample"](raw, tf.constant(seed, tf.int64))["actions"].numpy() for seed in (1, 1, 2)]
    assert np.array_equal(drawn[0], drawn[1]) and not np.array_equal(drawn[0], drawn[2])
    assert np.abs(drawn).max() <= 2


@pytest.mark.parametrize("name, normalise", [("CartPole-v1", False), ("Pendulum-v1", True)])
def test_it_goes_on_exactly(name, normalise):
    """The state after two of four updates, in another actor: the other two are the same, and so is all that is held."""
    one = actor(name, normalise=normalise)
    for _ in range(2):
        one.train_step(None)
    kept = {key: np.array(held.value) for key, held in one.state().items()}
    other = actor(name, normalise=normalise, seed=3)  # other weights, which the state replaces
    other.seed = 0
    for key, held in other.state().items():
        assert tuple(held.shape) == kept[key].shape
        held.assign(kept[key])
    for _ in range(2):
        one.train_step(None), other.train_step(None)
    for key, held in other.state().items():
        np.testing.assert_array_equal(np.asarray(held.value), np.asarray(one.state()[key].value), err_msg=key)


def test_a_minibatch_that_does_not_fit_is_refused():
    with pytest.raises(UsageError, match="multiple of the minibatch of 12: give --batch-size 8"):
        actor(options=dataclasses.replace(SMALL, minibatch=12))


def test_fit_plays():
    ours = actor()
    history = ours.fit(tf.data.Dataset.range(3), epochs=1, steps_per_epoch=3, verbose=0, shuffle=False)
    assert int(ours.updates.numpy()) == 3 and isinstance(ours, keras.Model)
    assert history.history["steps"] == [96]
