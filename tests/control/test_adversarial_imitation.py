"""GAIL and AIRL: what the discriminator sees, what a fixed horizon is worth, exact resume, and that they learn."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import tiny  # noqa: F401

from kgan.control import demonstrations, imitation
from kgan.control.adversarial_imitation import AdversarialImitator, JudgeOptions, ShapedImitator
from kgan.control.environments import Environments
from kgan.control.experts import expert
from kgan.control.on_policy import OnPolicyOptions
from kgan.control.steps import demonstrated, nothing, steps
from kgan.errors import UsageError

SMALL = OnPolicyOptions(rollout=16, minibatch=32, epochs=2, widths=(8, 8), entropy=0.01, entropy_decay=True)


def played(name: str, limit: int, episodes: int = 1) -> demonstrations.Demonstrations:
    known = expert(name)
    return demonstrations.record(imitation.make(name, limit), lambda seen: known(seen[None])[0], episodes)


def imitator(name="CartPole-v1", limit=20, options=SMALL, kind=AdversarialImitator, **judge) -> AdversarialImitator:
    environments = Environments(name, 2, 0, limit=limit)
    shown = demonstrated(played(name, limit), environments.spaces, limit)
    return kind(environments, options, shown, JudgeOptions(steps=2, batch_size=8, **judge), updates=4)


def test_the_discriminator_sees_the_action_and_the_time_after_the_end():
    spaces = Environments("CartPole-v1", 1).spaces
    seen = np.arange(8).reshape(2, 4)
    looked_at = steps(spaces, seen, np.array([1, 0]), 10 + seen, np.array([False, True]))
    assert looked_at.transitions.tolist() == [[0, 1, 2, 3, 0, 1, 0], [4, 5, 6, 7, 1, 0, 0]]
    assert looked_at.following.tolist() == [[10, 11, 12, 13, 0], [0, 0, 0, 0, 1]]
    assert nothing(spaces).transitions.tolist() == [[0, 0, 0, 0, 0, 0, 1]]
    assert nothing(spaces).following.tolist() == [[0, 0, 0, 0, 1]]


def test_demonstrations_go_on_to_the_horizon_where_they_ended_by_themselves():
    name, spaces = "MountainCar-v0", Environments("MountainCar-v0", 1).spaces
    shown = played(name, 200, episodes=2)
    left = (200 - shown.lengths).sum()
    assert shown.terminated[np.cumsum(shown.lengths) - 1].all() and left > 100
    for every in (1, 5):
        over, _ = found = demonstrated(shown, spaces, 200, every)
        assert over[:, -1].sum() == round(left / every) and len(over) == pytest.approx(400 / every, abs=2)
        assert len(found.following) == len(over)
    assert demonstrated(shown, spaces, None).transitions[:, -1].sum() == 0
    whole = demonstrated(shown, spaces, None)
    inside = whole.following[:, -1] == 0
    assert (~inside).sum() == 2  # the last step of each
    assert np.array_equal(whole.following[:-1, :2][inside[:-1]], whole.transitions[1:, :2][inside[:-1]])
    cut_off = played(name, 50)
    assert demonstrated(cut_off, spaces, 50).transitions[:, -1].sum() == 0


def test_the_time_after_the_end_is_as_far_from_all_else_as_is_asked_for():
    ours = imitator(idle_distance=4.0)
    seen = ours.judge.standardised(nothing(ours.spaces).transitions).numpy()[0]
    assert seen[-1] == 4 and ours.judge.standardised(ours.shown.transitions).numpy()[:, -1].max() == 0


@pytest.mark.parametrize("kind", [AdversarialImitator, ShapedImitator])
def test_over_a_fixed_horizon_a_step_earns_what_it_is_better_than_nothing(kind):
    """Its sum, in which time after the end is worth 0, differs by a constant from that of what the judge says."""
    ours = imitator(kind=kind, learning_rate=1e-20)
    rollout, random = ours.rollout, np.random.default_rng(0)
    policy = np.log([0.3, 0.7]).astype(np.float32)

    def act(seen):
        actions = random.choice(2, 2, p=[0.3, 0.7])
        return actions, policy[actions]

    rollout.collect(ours.environments, act)
    assert rollout.terminated[:, 0].any()
    rewards, report = ours.rewards_of(rollout, random)
    said = tf.function(ours.judge)(ours.own_rows(rollout)).numpy().astype(np.float64)  # compiled, as rewards are
    steps_said = said[:-1].reshape(16, 2)
    assert report["reward"] == pytest.approx(steps_said.mean(), rel=1e-5)
    first = int(np.argmax(rollout.terminated[:, 0])) + 1
    to_the_horizon = np.concatenate([steps_said[:first, 0], [said[-1]] * (20 - first)])
    discounts = 0.9 ** np.arange(20)
    earned = (discounts[:first] * rewards[:first, 0]).sum()
    np.testing.assert_allclose(earned, (discounts * (to_the_horizon - said[-1])).sum(), rtol=1e-4)
    free = imitator(kind=kind, learning_rate=1e-20, fixed_horizon=False)
    np.testing.assert_allclose(free.rewards_of(rollout, random)[0], steps_said, rtol=1e-4)


@pytest.mark.parametrize(
    ("kind", "objective", "penalty"),
    [
        (AdversarialImitator, "least-squares", None),
        (AdversarialImitator, "wasserstein", "gradient-penalty"),
        (ShapedImitator, "minimax", None),
    ],
)
def test_a_resumed_game_goes_on_bit_for_bit(kind, objective, penalty):
    ours, other = (imitator(kind=kind, objective=objective, penalty=penalty) for _ in range(2))
    ours.train_step(None)
    for name, part in other.state().items():
        part.assign(ours.state()[name].value)
    ours.train_step(None)
    other.train_step(None)
    states = [{name: np.array(part.value) for name, part in actor.state().items()} for actor in (ours, other)]
    assert any("discriminator/" in name for name in states[0]) and any("judge/" in name for name in states[0])
    for name, value in states[0].items():
        assert np.array_equal(value, states[1][name], equal_nan=True), name


@pytest.mark.parametrize(
    ("kind", "game"),
    [
        (AdversarialImitator, {"objective": "wasserstein", "penalty": "gradient-penalty"}),
        (ShapedImitator, {}),
    ],
)
def test_one_episode_is_imitated(kind, game):
    """Balancing 100 steps, from ten of them; at random a pole falls after 22."""
    environments = Environments("CartPole-v1", 8, 0, limit=100)
    shown = demonstrated(played("CartPole-v1", 100), environments.spaces, 100, every=10)
    options = OnPolicyOptions(rollout=64, minibatch=128, epochs=5, learning_rate=1e-3, entropy=0.01)
    ours = kind(environments, options, shown, JudgeOptions(batch_size=32, **game), normalise=True)
    for _ in range(30):
        ours.train_step(None)
    assert len(shown.transitions) == 10 and ours.recent_return() > 60


def test_a_warm_start_is_behaviour_cloning():
    ours = imitator(limit=50, options=dataclasses.replace(SMALL, learning_rate=0.01))
    ours.clone(300, 16)
    rows = ours.shown.transitions
    chosen = ours.policy(ours.seen(rows[:, :4]))[0].mode().numpy()
    assert (chosen == rows[:, 4:6].argmax(axis=1)).mean() > 0.9


def test_demonstrations_of_another_environment_are_refused():
    spaces = Environments("MountainCar-v0", 1).spaces
    with pytest.raises(UsageError, match="of CartPole-v1, with 4 numbers an observation, but .* has 2"):
        demonstrated(played("CartPole-v1", 20), spaces, 20)
    with pytest.raises(UsageError, match="action 7 is none of the 3"):
        spaces.from_environment(np.array([0, 7]))
