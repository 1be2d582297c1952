"""Episodes as transitions: their books balance, they are decided by their seed, and what cannot be is refused."""

import gymnasium
import numpy as np
import pytest

from kgan.control import experience
from kgan.datasets.transitions import unpack
from kgan.errors import UsageError


@pytest.mark.parametrize("name", [experience.WALK, "CartPole-v1", "Blackjack-v1"])
def test_returns_and_observations_follow_from_step_to_step(name):
    steps = unpack(experience.load(name, "train", episodes=5, discount=0.9).examples)
    ends = steps.discounts == 0
    assert ends.sum() == 5 and ends[-1]
    assert np.isin(steps.discounts[~ends], np.float32(0.9)).all()
    np.testing.assert_array_equal(steps.next_observations[:-1][~ends[:-1]], steps.observations[1:][~ends[:-1]])
    following = np.append(steps.returns[1:], 0.0)
    np.testing.assert_allclose(steps.returns, steps.rewards + steps.discounts * following, rtol=1e-5)


def test_an_episode_that_is_cut_short_goes_on_in_its_discounts():
    steps = unpack(experience.load("MountainCar-v0", "train", episodes=2, discount=0.5).examples)
    assert len(steps.rewards) == 400 and (steps.discounts == 0.5).all()
    np.testing.assert_allclose(steps.returns[[199, 198, 399]], [-1, -1.5, -1])


def test_the_policy_takes_every_action_alike():
    steps = unpack(experience.load("CartPole-v1", "train", episodes=100, discount=1.0).examples)
    # Either push changes the cart's velocity by its sign.
    right = (steps.next_observations[:, 1] > steps.observations[:, 1]).mean()
    assert abs(right - 0.5) < 4 * 0.5 / np.sqrt(len(steps.rewards))
    assert 18 < len(steps.rewards) / 100 < 27  # acting at random keeps the pole up for 22 steps


def test_the_seed_decides_and_the_splits_share_nothing():
    for name in (experience.WALK, "CartPole-v1"):
        one, same, other, test = (
            experience.load(name, split, episodes=3, discount=1.0, seed=seed).examples
            for split, seed in (("train", 1), ("train", 1), ("train", 2), ("test", 1))
        )
        assert np.array_equal(one, same) and one.shape != test.shape or not np.array_equal(one, test)
        assert one.shape != other.shape or not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("CartPol-v1", {}, "unknown environment 'CartPol-v1': did you mean 'CartPole-v1'"),
        ("NoSuch/Thing-v7", {}, "unknown environment 'NoSuch/Thing-v7'"),
        ("CartPole-v1", {"episodes": 0}, "--episodes is 0: give at least 1"),
        ("CartPole-v1", {"discount": 1.5}, "--discount is 1.5"),
    ],
)
def test_what_cannot_be_played_is_refused(name, options, message):
    with pytest.raises(UsageError, match=message):
        experience.load(name, "train", **{"episodes": 1, "discount": 1.0, **options})


def test_pictures_are_refused(monkeypatch):
    space = gymnasium.spaces.Box(0, 255, (84, 84, 3), np.uint8)
    environment = gymnasium.Env()
    environment.observation_space = space
    monkeypatch.setattr(experience.gymnasium, "make", lambda name: environment)
    with pytest.raises(UsageError, match="takes up to 1000 numbers"):
        experience.make("Pictures-v0")
