"""What is looked at: pictures as a policy is given them, games of ale-py, and an actor that learns from its screen."""

import sys

import numpy as np
import pytest
import tensorflow as tf
import tiny  # noqa: F401
from PIL import Image

from kgan.control.pixel_actor import PixelActor, PixelOptions
from kgan.control.pixels import AtariEnvironments, pixel_environments
from kgan.control.rollouts import Rollout
from kgan.errors import UsageError

SMALL = PixelOptions(rollout=8, minibatch=16, epochs=2, filters=(4, 4, 4), widths=(8,))
GAME = "ALE/SpaceInvaders-v5"


@pytest.fixture
def ale():
    """Skips what needs a game where ale-py is not installed."""
    pytest.importorskip("ale_py")


@pytest.mark.parametrize("shape, seen", [((36, 36), (36, 36)), ((40, 50, 1), (40, 50)), ((40, 126, 3), (40, 84))])
def test_pictures_become_grey_small_and_four(shape, seen):
    environments = pixel_environments("TinyScreen-v0", 2, shape=shape)
    assert environments.spaces.picture == (*seen, 4) and environments.spaces.seen.dtype == tf.uint8
    before = environments.observations
    assert before.shape == (2, *seen, 4) and before.dtype == np.uint8
    assert abs(int(before.max()) - 200) <= 1 and before.min() == 0
    step = environments.step(np.zeros(2, np.int32))
    np.testing.assert_array_equal(step.final[..., :-1], before[..., 1:])
    assert environments.render().shape == (*seen, 3)


@pytest.mark.parametrize("options", [{"shape": (36,)}, {"shape": (36, 36, 2)}, {"kind": np.float32}])
def test_what_is_no_picture_is_refused(options):
    with pytest.raises(UsageError, match="no pictures.*apps.policy_control"):
        pixel_environments("TinyScreen-v0", 1, **options)


def same(ours, theirs, steps: int) -> None:
    """The two stand at the same place, and go on alike."""
    random = np.random.default_rng(1)
    for _ in range(steps):
        np.testing.assert_array_equal(ours.observations, theirs.observations)
        np.testing.assert_array_equal(ours.returns, theirs.returns)
        np.testing.assert_array_equal(ours.lengths, theirs.lengths)
        actions = random.integers(0, ours.spaces.actions, ours.count).astype(np.int32)
        for mine, other in zip(ours.step(actions), theirs.step(actions), strict=True):
            np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("name, limit", [("TinyScreen-v0", None), (GAME, 30)])
def test_a_run_is_brought_back_to_the_very_step(name, limit, request):
    if name == GAME:
        request.getfixturevalue("ale")
    ours, theirs = (pixel_environments(name, 2, 7, limit) for _ in range(2))
    random = np.random.default_rng(0)
    for at in range(33):
        ours.step(random.integers(0, 3, 2).astype(np.int32))
        if at == 20:  # so that the copies are not in step
            ours.episodes[1] += 1
            ours.observations = ours._reset(np.array([False, True]))
    assert len(set(ours.lengths)) > 1
    theirs.restore({name: array.copy() for name, array in ours.state().items()})
    same(ours, theirs, 10)


def test_a_game_goes_on_after_a_lost_life_and_is_over_after_the_last(ale):
    game = pixel_environments(GAME, 1)
    assert isinstance(game, AtariEnvironments) and game.limit == 27_000
    random, lost, rewards = np.random.default_rng(0), 0, []
    for _ in range(3_000):
        before = game.observations
        step = game.step(random.integers(0, 6, 1).astype(np.int32))
        rewards.append(step.rewards[0])
        lost += int(step.lost[0])
        assert not (step.lost & step.ended).any()
        if step.lost[0] and lost == 1:
            assert game.episodes[0] == 0
            np.testing.assert_array_equal(step.final[..., :-1], before[..., 1:])
        if step.ended[0]:
            break
    assert step.terminated[0] and not step.truncated[0] and lost == 2
    assert sum(rewards) >= 5 and max(rewards) > 1 and game.returns[0] == 0  # the game's own score
    assert (step.observations != step.final).any()


def test_a_game_that_is_cut_off_is_not_over_and_is_seen_to_its_end(ale):
    game = pixel_environments(GAME, 1, limit=20)
    for _ in range(20):
        before = game.observations
        step = game.step(np.ones(1, np.int32))
        if step.ended.any():
            break
    assert step.truncated.any() and not step.terminated.any()
    np.testing.assert_array_equal(step.final[..., :-1], before[..., 1:])


def test_a_game_is_drawn_as_it_is_played(ale):
    game = pixel_environments(GAME, 1, render_mode="rgb_array")
    random = np.random.default_rng(0)
    for _ in range(40):
        game.step(random.integers(0, 6, 1).astype(np.int32))
    drawn = game.render()
    assert drawn.shape == (210, 160, 3) and drawn.std(axis=2).max() > 0
    # The same moment: where it is bright in colours it is bright in grey.
    small = np.asarray(Image.fromarray(drawn).convert("L").resize((84, 84), Image.BOX))
    assert np.corrcoef(small.ravel(), game.observations[0, :, :, -1].ravel())[0, 1] > 0.9


def test_without_ale_py_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ale_py", None)
    with pytest.raises(UsageError, match=r'needs ale_py, which is not installed: pip install "ale-py==') as error:
        pixel_environments(GAME, 1)
    assert "\n" not in str(error.value)


def test_old_names_of_games_are_refused(ale):
    with pytest.raises(UsageError, match="old name of a game"):
        pixel_environments("ale_py:PongNoFrameskip-v4", 1)


def test_pictures_too_small_for_the_network_are_refused():
    with pytest.raises(UsageError, match="30 x 36, but three convolutions need at least 36 x 36"):
        PixelActor(pixel_environments("TinyScreen-v0", 2, shape=(30, 36)), SMALL)


def test_an_actor_keeps_bytes_and_is_traced_once():
    ours = PixelActor(pixel_environments("TinyScreen-v0", 2), SMALL)
    for number in range(3):
        ours.train_step(number)
    assert ours.rollout.observations.dtype == np.uint8
    assert ours.descend.experimental_get_tracing_count() == 1
    assert ours._look.experimental_get_tracing_count() == 1


def test_values_are_those_of_the_network_and_cut_games_are_worth_something_yet():
    ours = PixelActor(pixel_environments("TinyScreen-v0", 2, limit=3), SMALL)
    ours.critic.variables[-1].assign([0.7])
    returns = ours.collect(np.random.default_rng(0))
    rollout = ours.rollout
    assert len(returns) == 4 and rollout.truncated.sum() == 4
    values, following = ours.values(rollout.observations)
    exact = {
        name: ours.critic(ours.features(tf.constant(seen.reshape(16, 36, 36, 4))))[0].numpy().reshape(8, 2)
        for name, seen in {"here": rollout.observations, "there": rollout.final}.items()
    }
    np.testing.assert_allclose(values, exact["here"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(following, exact["there"], rtol=1e-4, atol=1e-5)
    logits = ours.policy(ours.features(tf.constant(rollout.observations[0])))[0].logits.numpy()
    chances = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    expected = np.log(chances[np.arange(2), rollout.actions[0]])
    np.testing.assert_allclose(rollout.log_probabilities[0], expected, rtol=1e-4, atol=1e-5)


def test_vectors_can_be_chosen_as_well():
    ours = PixelActor(pixel_environments("TinyScreen-v0", 2, steered=True), SMALL)
    ours.train_step(0)
    assert ours.rollout.actions.shape == (8, 2, 1) and np.isfinite(ours.policy.variables[-1]).all()
    sample = ours.signatures()["sample"]
    drawn = sample.function(tf.constant(ours.rollout.observations[0]), tf.constant(3, tf.int64))["actions"]
    assert drawn.shape == (2, 1) and np.abs(drawn).max() <= 1


def test_large_rewards_are_cut_for_learning_and_reported_whole():
    ours = PixelActor(pixel_environments("TinyScreen-v0", 2), SMALL)
    returns = ours.collect(np.random.default_rng(0))
    rewards, _ = ours.rewards_of(ours.rollout, np.random.default_rng(0))
    assert set(np.unique(rewards)) == {0, 1} and set(np.unique(ours.rollout.rewards)) == {0, 5}
    assert sum(returns) == ours.rollout.rewards.sum()


def test_a_lost_life_counts_as_the_end_for_learning():
    environments = pixel_environments("TinyScreen-v0", 2)
    advance = environments.advance
    environments.advance = lambda actions: (*advance(actions)[:-1], np.array([False, True]))
    rollout = Rollout.of(environments, 3)
    rollout.collect(environments, lambda seen: (np.zeros(2, np.int32), np.zeros(2)))
    assert (rollout.terminated == [False, True]).all() and (environments.episodes == 0).all()


def test_it_learns_to_name_what_is_lit():
    options = PixelOptions(
        rollout=16, minibatch=64, epochs=4, filters=(4, 8, 8), widths=(32,), learning_rate=5e-3, discount=0.0, trace=0.0
    )
    ours = PixelActor(pixel_environments("TinyScreen-v0", 8), options)
    for number in range(15):
        report = ours.train_step(number)
    chance, best = 8 * 5 / 3, 8 * 5
    assert report["return"] > (chance + best) / 2
