"""Environments in batches: every episode's end, seed and space, and the way back to any step."""

import numpy as np
import pytest
import tiny  # noqa: F401
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from kgan.control.environments import Environments, make_vector, spaces_of
from kgan.errors import UsageError


def test_an_end_is_a_termination_or_a_cut_and_its_observation_is_kept():
    environments = Environments("TinyClock-v0", 6, seed=3)
    digits = environments.observations[:, 0].copy()
    assert len(set(digits % 2)) == 2, "the seeds of this test must give both kinds of episodes"
    for number in range(1, 4):
        step = environments.step(np.zeros(6, np.int32))
        np.testing.assert_array_equal(step.final, np.stack([digits, np.full(6, number)], 1))
        np.testing.assert_array_equal(step.rewards, np.full(6, number))
    even = digits % 2 == 0
    np.testing.assert_array_equal(step.terminated, even)
    assert not step.truncated.any()
    # An ended copy shows the next episode already, the others go on.
    np.testing.assert_array_equal(step.observations[:, 1], np.where(even, 0, 3))
    np.testing.assert_array_equal(environments.episodes, even)
    for _ in range(2):
        step = environments.step(np.zeros(6, np.int32))
    np.testing.assert_array_equal(step.truncated, ~even)
    assert not (step.truncated & step.terminated).any()
    np.testing.assert_array_equal(step.final[~even, 1], np.full((~even).sum(), 5))
    np.testing.assert_array_equal(step.observations[~even, 1], np.zeros((~even).sum()))


def test_choices_are_what_the_environment_takes():
    environments = Environments("TinyClock-v0", 6)
    environments.step(np.arange(6, dtype=np.int32))
    taken = [tuple(map(int, copy.unwrapped.taken[0])) for copy in environments.vector.envs]
    assert taken == [(0, 4), (0, 5), (0, 6), (1, 4), (1, 5), (1, 6)]
    one = Environments("TinyIdentity-v0", 1)
    np.testing.assert_array_equal(one.spaces.to_environment(np.array([0, 2])), [5, 7])
    np.testing.assert_array_equal(one.spaces.in_graph(np.array([0, 2])).numpy(), [5, 7])
    assert one.observations.sum() == 1 and one.observations.shape == (1, 3)


def test_vectors_are_scaled_to_the_bounds_and_clipped():
    aim = Environments("TinyAim-v0", 1).spaces
    vectors = np.array([[-1.0], [0.0], [0.5], [7.0]], np.float32)
    for scaled in (aim.to_environment(vectors), aim.in_graph(vectors).numpy()):
        np.testing.assert_allclose(scaled, [[-4], [0], [2], [4]], atol=1e-6)


@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1", "TinyIdentity-v0"])
def test_a_run_is_brought_back_to_the_very_step(name):
    one, random = Environments(name, 3, seed=5), np.random.default_rng(0)

    def actions():
        if one.spaces.choices is None:
            return random.uniform(-1.5, 1.5, (3, one.spaces.actions)).astype(np.float32)
        return random.integers(0, one.spaces.actions, 3).astype(np.int32)

    for _ in range(70):
        one.step(actions())
    kept = {key: array.copy() for key, array in one.state().items()}
    other = Environments(name, 3, seed=5)
    other.restore(kept)
    np.testing.assert_array_equal(one.observations, other.observations)
    np.testing.assert_array_equal(one.returns, other.returns)
    for _ in range(40):
        chosen = actions()
        for ours, theirs in zip(one.step(chosen), other.step(chosen), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_copies_and_seeds_begin_differently():
    first = Environments("CartPole-v1", 2, seed=0).observations
    assert np.abs(first[0] - first[1]).max() > 1e-3
    assert np.abs(first - Environments("CartPole-v1", 2, seed=1).observations).max() > 1e-3
    np.testing.assert_array_equal(first, Environments("CartPole-v1", 2, seed=0).observations)


@pytest.mark.parametrize(
    "observation, length",
    [
        (spaces.MultiBinary(4), 4),
        (spaces.MultiDiscrete([2, 3]), 5),
        (spaces.Dict({"a": spaces.Discrete(3), "b": spaces.Box(0, 1, (2, 2))}), 7),
        (spaces.Tuple([spaces.Discrete(2), spaces.Box(0, 1, (1,))]), 3),
        (spaces.Box(0, 255, (2, 3), np.uint8), 6),
    ],
)
def test_observations_become_vectors(observation, length):
    environments = Environments("TinyOdd-v0", 2, observation=observation)
    assert environments.observations.shape == (2, length) and environments.observations.dtype == np.float32
    assert environments.step(np.zeros(2, np.int32)).observations.shape == (2, length)


@pytest.mark.parametrize(
    "options, said",
    [
        ({"action": spaces.Box(-np.inf, np.inf, (1,))}, "have no bounds"),
        ({"action": spaces.MultiDiscrete([100, 100])}, "more than 4,096 combinations"),
        ({"action": spaces.Tuple([spaces.Discrete(2)])}, "are Tuple"),
        ({"observation": spaces.Graph(spaces.Discrete(2), None)}, "are Graph"),
        ({"observation": spaces.Sequence(spaces.Discrete(2))}, "are Sequence"),
    ],
)
def test_a_space_that_no_policy_can_have_is_refused(options, said):
    with pytest.raises(UsageError, match=said):
        Environments("TinyOdd-v0", 1, **options)


@pytest.mark.parametrize(
    "name, said",
    [
        ("CartPol-v1", "such as 'CartPole-v1'"),
        ("CartPole-v9", "'CartPole-v1'"),
        ("nothing_of_this_kind:Pong-v5", "needs nothing_of_this_kind, which is not installed"),
        ("ALE/Pang-v5", "needs ale_py|such as 'ALE/Pong-v5'"),
        ("", "unknown environment ''"),
    ],
)
def test_an_unknown_environment_is_one_sentence(name, said):
    with pytest.raises(UsageError, match=said) as error:
        Environments(name, 1)
    assert "\n" not in str(error.value)


def test_tf_agents_sees_the_same_environment():
    from tf_agents.environments import tf_py_environment, utils

    from kgan.control.tf_agents_view import GymnasiumEnvironment

    view = GymnasiumEnvironment("TinyClock-v0", 4, seed=0)
    first = view.reset()
    assert first.is_first().all() and (first.discount == 1).all()
    even = first.observation[:, 0] % 2 == 0
    for _ in range(3):
        step = view.step(np.tile([1, 5], (4, 1)))
    np.testing.assert_array_equal(step.is_last(), even)
    np.testing.assert_array_equal(step.discount, np.where(even, 0.0, 1.0))
    np.testing.assert_array_equal(step.observation[:, 1], np.full(4, 3))
    step = view.step(np.tile([1, 5], (4, 1)))
    np.testing.assert_array_equal(step.is_first(), even)
    np.testing.assert_array_equal(step.reward, np.where(even, 0, 4))
    step = view.step(np.tile([1, 5], (4, 1)))  # a cut: the last step, but worth something yet
    np.testing.assert_array_equal(step.is_last()[~even], True)
    np.testing.assert_array_equal(step.discount[~even], 1.0)
    utils.validate_py_environment(GymnasiumEnvironment("CartPole-v1", 2), episodes=2)
    wrapped = tf_py_environment.TFPyEnvironment(GymnasiumEnvironment("CartPole-v1", 2))
    assert wrapped.batch_size == 2 and wrapped.reset().observation.shape == (2, 4)


def test_gymnasium_is_asked_for_resets_of_our_own():
    vector = make_vector("TinyClock-v0", 2, AutoresetMode.DISABLED)
    assert vector.metadata["autoreset_mode"] == AutoresetMode.DISABLED
    assert spaces_of(vector, "TinyClock-v0").actions == 6
