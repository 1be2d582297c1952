"""GAIL: what the discriminator sees, what a fixed horizon is worth, exact resume, and that it learns."""

import dataclasses

import numpy as np
import pytest
import tiny  # noqa: F401

from kgan.control import demonstrations, imitation
from kgan.control.adversarial_imitation import AdversarialImitator, JudgeOptions, demonstrated, nothing, transitions
from kgan.control.environments import Environments
from kgan.control.experts import expert
from kgan.control.on_policy import OnPolicyOptions
from kgan.errors import UsageError

SMALL = OnPolicyOptions(rollout=16, minibatch=32, epochs=2, widths=(8, 8), entropy=0.01)


def played(name: str, limit: int, episodes: int = 1) -> demonstrations.Demonstrations:
    known = expert(name)
    return demonstrations.record(imitation.make(name, limit), lambda seen: known(seen[None])[0], episodes)


def imitator(name="CartPole-v1", limit=20, copies=2, options=SMALL, **judge) -> AdversarialImitator:
    environments = Environments(name, copies, 0, limit=limit)
    shown = demonstrated(played(name, limit), environments.spaces, limit)
    return AdversarialImitator(environments, options, shown, JudgeOptions(steps=2, batch_size=8, **judge))


def test_the_discriminator_sees_the_action_and_the_time_after_the_end():
    spaces = Environments("CartPole-v1", 1).spaces
    seen = np.arange(8).reshape(2, 4)
    rows = transitions(spaces, seen, np.array([1, 0]), over=1)
    assert rows.tolist() == [[0, 1, 2, 3, 0, 1, 0], [4, 5, 6, 7, 1, 0, 0], [0, 0, 0, 0, 0, 0, 1]]
    assert nothing(spaces).tolist() == rows[2:].tolist()


def test_demonstrations_go_on_to_the_horizon_where_they_ended_by_themselves():
    name, spaces = "MountainCar-v0", Environments("MountainCar-v0", 1).spaces
    shown = played(name, 200, episodes=2)
    left = (200 - shown.lengths).sum()
    assert shown.terminated[np.cumsum(shown.lengths) - 1].all() and left > 100
    for every in (1, 5):
        rows = demonstrated(shown, spaces, 200, every)
        assert rows[:, -1].sum() == round(left / every) and len(rows) == pytest.approx(400 / every, abs=2)
    assert demonstrated(shown, spaces, None)[:, -1].sum() == 0
    cut_off = played(name, 50)
    assert demonstrated(cut_off, spaces, 50)[:, -1].sum() == 0


@pytest.mark.parametrize("fixed, discount", [(True, 0.9), (True, 1.0), (False, 0.9)])
def test_the_last_step_is_worth_the_time_that_is_left(fixed, discount):
    """Against a sum, term by term."""
    ours = imitator(options=dataclasses.replace(SMALL, discount=discount), fixed_horizon=fixed, learning_rate=1e-9)
    rollout, random = ours.rollout, np.random.default_rng(0)
    rollout.collect(ours.environments, lambda seen: (random.integers(0, 2, 2), np.zeros(2, np.float32)))
    assert rollout.terminated.any() and not rollout.terminated.all()
    rewards, report = ours.rewards_of(rollout, random)
    rows = transitions(ours.spaces, rollout.observations.reshape(-1, 4), rollout.actions.ravel())
    expected = ours.judge(rows).numpy().reshape(16, 2).astype(np.float64)
    assert report["reward"] == pytest.approx(expected.mean(), rel=1e-5)
    after = float(ours.judge(nothing(ours.spaces))[0])
    for t, b in np.argwhere(rollout.terminated) if fixed else ():
        expected[t, b] += sum(discount**k * after for k in range(1, 20 - rollout.lengths[t, b] + 1))
    np.testing.assert_allclose(rewards, expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("objective", "penalty"),
    [("minimax", None), ("least-squares", None), ("wasserstein", "gradient-penalty")],
)
def test_a_resumed_game_goes_on_bit_for_bit(objective, penalty):
    ours, other = (imitator(objective=objective, penalty=penalty) for _ in range(2))
    ours.train_step(None)
    for name, part in other.state().items():
        part.assign(ours.state()[name].value)
    ours.train_step(None)
    other.train_step(None)
    states = [{name: np.array(part.value) for name, part in actor.state().items()} for actor in (ours, other)]
    assert any("discriminator/" in name for name in states[0]) and any("judge/" in name for name in states[0])
    for name, value in states[0].items():
        assert np.array_equal(value, states[1][name], equal_nan=True), name


def test_one_episode_is_imitated():
    """Balancing 100 steps, from ten of them; at random a pole falls after 22."""
    environments = Environments("CartPole-v1", 8, 0, limit=100)
    shown = demonstrated(played("CartPole-v1", 100), environments.spaces, 100, every=10)
    options = OnPolicyOptions(rollout=64, minibatch=128, epochs=5, learning_rate=1e-3, entropy=0.01)
    judge = JudgeOptions(objective="wasserstein", penalty="gradient-penalty", batch_size=32)
    ours = AdversarialImitator(environments, options, shown, judge, normalise=True)
    for _ in range(30):
        ours.train_step(None)
    assert len(shown) == 10 and ours.recent_return() > 60


def test_a_warm_start_is_behaviour_cloning():
    ours = imitator(limit=50, options=dataclasses.replace(SMALL, learning_rate=0.01))
    ours.clone(300, 16)
    rows = ours.shown
    chosen = ours.policy(ours.seen(rows[:, :4]))[0].mode().numpy()
    assert (chosen == rows[:, 4:6].argmax(axis=1)).mean() > 0.9


def test_demonstrations_of_another_environment_are_refused():
    spaces = Environments("MountainCar-v0", 1).spaces
    with pytest.raises(UsageError, match="of CartPole-v1, with 4 numbers an observation, but .* has 2"):
        demonstrated(played("CartPole-v1", 20), spaces, 20)
    with pytest.raises(UsageError, match="action 7 is none of the 3"):
        spaces.from_environment(np.array([0, 7]))
