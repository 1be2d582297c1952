"""DQN: its targets and priorities against the definitions, and that it learns."""

import numpy as np
import pytest
import tensorflow as tf
import tiny  # noqa: F401

from kgan.control.environments import Environments
from kgan.control.off_policy import DQNActor, DQNOptions
from kgan.control.replay import Replay, transitions
from kgan.control.rollouts import Rollout
from kgan.errors import UsageError

SMALL = DQNOptions(rollout=16, gradient_steps=4, minibatch=8, capacity=40, first=1, widths=(8,))


def actor(options=SMALL, name="CartPole-v1", **further) -> DQNActor:
    return DQNActor(Environments(name, 2, 0), options, **further)


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_targets_add_up_the_next_rewards_and_stop_where_the_episode_does(steps):
    rollout = Rollout.of(Environments("TinyClock-v0", 3, seed=4), 13)
    rollout.collect(Environments("TinyClock-v0", 3, seed=4), lambda seen: (np.zeros(3, np.int32), 0.0))
    assert rollout.terminated.any() and rollout.truncated.any()
    found = transitions(rollout, rollout.rewards, steps, 0.9)
    for t in range(13):
        for b in range(3):
            total, at, discount = 0.0, t, 1.0
            while True:
                total += discount * rollout.rewards[at, b]
                discount *= 0.9
                if rollout.ended[at, b] or at == 12 or at == t + steps - 1:
                    break
                at += 1
            index = 3 * t + b
            np.testing.assert_allclose(found["rewards"][index], total, rtol=1e-6)
            expected = 0.0 if rollout.terminated[at, b] else discount
            np.testing.assert_allclose(found["discounts"][index], expected, rtol=1e-6)
            np.testing.assert_array_equal(found["next_observations"][index], rollout.final[at, b])
            np.testing.assert_array_equal(found["observations"][index], rollout.observations[t, b])


def test_the_oldest_make_room():
    replay = Replay(5)
    replay.allocate({"rewards": np.zeros(1, np.float32)})
    for batch in ([1, 2, 3], [4, 5, 6, 7]):
        replay.add({"rewards": np.array(batch, np.float32)})
    assert len(replay) == 5 and sorted(replay.arrays["rewards"]) == [3, 4, 5, 6, 7]


def test_surprises_are_drawn_by_their_priority_and_weighed_back():
    replay, random = Replay(4, alpha=0.5, beta=1.0), np.random.default_rng(0)
    replay.allocate({"rewards": np.zeros(1)})
    replay.add({"rewards": np.arange(4.0)})
    replay.surprise(np.arange(4), np.array([1.0, -4.0, 9.0, 0.0]))
    places, weights = replay.draw(60_000, random)
    shares = np.bincount(places, minlength=4) / 60_000
    np.testing.assert_allclose(shares, np.array([1, 2, 3, 1e-3]) / 6.001, atol=0.01)
    # Their product is the same for all, which is what makes the mean unbiased.
    for place, priority in enumerate([1, 2, 3]):
        np.testing.assert_allclose(weights[places == place][0] * priority, weights[places == 0][0], rtol=1e-4)


@pytest.mark.parametrize("double", [False, True])
def test_the_loss_is_the_huber_loss_of_the_target(double):
    options = DQNOptions(rollout=16, gradient_steps=1, minibatch=6, widths=(8,), double=double, learning_rate=1e-9)
    ours, random = actor(options), np.random.default_rng(0)
    for variable in ours.target.variables:
        variable.assign_add(tf.random.stateless_normal(variable.shape, [3, 4]))
    seen, later = (random.normal(size=(6, 4)).astype(np.float32) for _ in range(2))
    actions, rewards = random.integers(0, 2, 6).astype(np.int32), random.normal(0, 2, 6).astype(np.float32)
    discounts = np.array([0.9, 0, 0.5, 0.9, 0.9, 0], np.float32)
    weights = random.uniform(0.5, 1, 6).astype(np.float32)
    target_values, values = ours.target(later)[0].numpy(), ours.critic(seen)[0].numpy()
    chosen = (ours.critic(later)[0].numpy() if double else target_values).argmax(-1)
    errors = rewards + discounts * target_values[np.arange(6), chosen] - values[np.arange(6), actions]
    huber = np.where(np.abs(errors) < 1, errors**2 / 2, np.abs(errors) - 0.5)
    batch = {
        "observations": seen, "actions": actions, "rewards": rewards, "discounts": discounts,
        "next_observations": later, "weights": weights,
    }  # fmt: skip
    (loss,), found = ours.gradient_step({name: tf.constant(array) for name, array in batch.items()})
    np.testing.assert_allclose(np.abs(found), np.abs(errors), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(loss, (weights * huber).mean(), rtol=1e-4)


@pytest.mark.parametrize("prioritised", [0.0, 0.6])
def test_it_learns_to_answer(prioritised):
    """Chance is 8/3 of 8."""
    options = DQNOptions(
        rollout=16, gradient_steps=32, minibatch=32, capacity=2_000, first=64, discount=0.5, widths=(16,),
        exploration=0.5, prioritised=prioritised, steps_ahead=2, learning_rate=3e-3,
    )  # fmt: skip
    ours = actor(options, "TinyIdentity-v0", updates=60)
    for _ in range(60):
        ours.train_step(None)
    states = np.eye(3, dtype=np.float32)
    np.testing.assert_array_equal(ours.signatures()["act"].function(tf.constant(states))["actions"], [5, 6, 7])
    assert ours.descend.experimental_get_tracing_count() == 1
    assert ours.exploration() == 0.04


@pytest.mark.parametrize("persistence", [1, 5])
def test_random_actions_are_kept_without_being_more_of_the_steps(persistence):
    options = DQNOptions(rollout=16, exploration=0.0, last_exploration=0.3, persistence=persistence, widths=(8,))
    ours, random = actor(options, "TinyIdentity-v0"), np.random.default_rng(0)
    ours.updates.assign(1)  # the share is the last one from here on
    ours.begin()
    ours.array = lambda seen: np.eye(4)[[3] * len(seen)]  # of which no random action is one
    taken = np.stack([ours.act(np.zeros((2, 3), np.float32), random) for _ in range(20_000)])
    np.testing.assert_allclose((taken < 3).mean(), 0.3, atol=0.02)
    mean = (1 + persistence) / 2
    begun = 0.3 / (0.3 + 0.7 * mean)
    went_on = (taken[1:] == taken[:-1])[taken[:-1] < 3].mean()
    np.testing.assert_allclose(went_on, 1 - 1 / mean + begun / mean / 3, atol=0.02)


def test_it_goes_on_exactly():
    options = DQNOptions(
        rollout=16, gradient_steps=4, minibatch=8, capacity=40, first=1, widths=(8,), prioritised=0.5, persistence=9
    )
    one, other = actor(options, updates=5), actor(options, updates=5, seed=3)
    other.seed = 0
    for _ in range(3):
        one.train_step(None)
    kept = {key: np.array(held.value) for key, held in one.state().items()}
    for key, held in other.state().items():
        held.assign(kept[key])
    for _ in range(2):
        one.train_step(None), other.train_step(None)
    for key, held in other.state().items():
        np.testing.assert_array_equal(np.asarray(held.value), np.asarray(one.state()[key].value), err_msg=key)


def test_vectors_are_refused():
    with pytest.raises(UsageError, match="are vectors: take sac or ppo"):
        actor(name="Pendulum-v1")
