"""Episodes that are counted once each, with an interval that is the textbook's."""

import numpy as np
import pytest
import tiny  # noqa: F401

from kgan.control import evaluation
from kgan.control.environments import Environments
from kgan.errors import UsageError


def waiting(observations):
    return np.tile([0, 4], (len(observations), 1))


def test_every_copy_plays_its_share(monkeypatch):
    monkeypatch.setattr(evaluation, "AT_ONCE", 3)
    returns, lengths = evaluation.play("TinyClock-v0", waiting, 31, seed=2)
    seeds = Environments("TinyClock-v0", 3, 2 + evaluation.UNSEEN)
    expected = []
    for episode, copies in enumerate([3] * 10 + [1]):
        seeds.begin(episode)
        expected += list(np.where(seeds.observations[:copies, 0] % 2 == 0, 6.0, 15.0))
    assert sorted(returns) == sorted(expected) and len(set(expected)) == 2
    np.testing.assert_array_equal(returns, lengths * (lengths + 1) / 2)


def test_the_interval_is_students():
    """Of 1, 2, 4: mean 7/3, standard error sqrt((7/3) / 3), and t(2) leaves 2.5 % above 4.30265."""
    figure = evaluation._figure("return", np.array([1.0, 2.0, 4.0]), "by hand")
    error = np.sqrt(7 / 3 / 3)
    assert figure.standard_error == pytest.approx(error)
    assert figure.remark == f"95 % interval {7 / 3 - 4.30265 * error:.4g} to {7 / 3 + 4.30265 * error:.4g}"


def test_random_play_is_beside_it():
    ours, length, chance = evaluation.figures(
        "TinyPatience-v0", lambda seen: np.ones(len(seen), int), 60, 0, "always 1"
    )
    assert (ours.value, length.value) == (3.0, 2.0)
    assert 1.5 < chance.value < 2.5 and "random" in chance.protocol and "always 1" in ours.protocol


def test_what_cannot_be_drawn_says_so():
    with pytest.raises(UsageError, match="cannot be drawn"):
        evaluation.frames("TinyClock-v0", waiting, 5)
    observations, rewards = evaluation.trace("TinyClock-v0", waiting)
    np.testing.assert_array_equal(observations[:, 1], np.arange(len(rewards)))


def test_an_episode_is_drawn_from_its_first_to_its_last_step():
    pytest.importorskip("pygame")
    frames, seconds = evaluation.frames("CartPole-v1", lambda seen: np.zeros(len(seen), int), 4)
    observations, _ = evaluation.trace("CartPole-v1", lambda seen: np.zeros(len(seen), int))
    assert frames.shape[0] == 4 and frames.dtype == np.uint8 and max(frames.shape[1:3]) == 300
    assert seconds == pytest.approx(len(observations) / 3 / 50)
    assert not np.array_equal(frames[0], frames[-1])
