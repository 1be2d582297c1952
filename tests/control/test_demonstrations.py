"""Demonstrations: what is recorded is read back, what does not fit is refused, and the scripted experts know how."""

import dataclasses
import json

import gymnasium
import h5py
import numpy as np
import pytest

from kgan.control import demonstrations, experts, imitation
from kgan.errors import UsageError


def one(policy):
    return lambda observation: policy(np.asarray(observation, np.float32)[None])[0]


@pytest.fixture(scope="module")
def cart():
    return imitation.make("CartPole-v1", 30)


@pytest.fixture(scope="module")
def shown(cart):
    return demonstrations.record(cart, one(experts.cart_pole), 3, seed=5)


def assert_same(one, other):
    for name, value in vars(one).items():
        assert np.array_equal(value, getattr(other, name)), name


def test_what_is_recorded_is_read_back(shown, cart, tmp_path):
    demonstrations.save(shown, tmp_path / "cart.npz")
    assert_same(demonstrations.load(tmp_path / "cart.npz", cart), shown)
    assert [path.name for path in tmp_path.iterdir()] == ["cart.npz"]
    assert shown.lengths.tolist() == [30, 30, 30] and shown.returns.tolist() == [30, 30, 30]
    assert shown.truncated.sum() == 3 and not shown.terminated.any()


def test_playing_the_recorded_actions_again_meets_the_recorded_observations(shown, cart):
    cart.reset(seed=5)
    assert np.array_equal(cart.unwrapped.state.astype(np.float32), shown.observations[0])
    for index in range(30):
        seen, *_ = cart.step(shown.actions[index])
        assert np.array_equal(seen, shown.observations[index + 1])


def counting(lengths):
    steps, episodes = sum(lengths), len(lengths)
    observations = np.concatenate([100 * k + np.arange(n + 1) for k, n in enumerate(lengths)])[:, None]
    actions = np.concatenate([100 * k + np.arange(n) for k, n in enumerate(lengths)])
    assert len(observations) == steps + episodes
    flags = np.zeros(steps, bool)
    return demonstrations.Demonstrations(
        "None-v0", "", "", np.array(lengths), observations, actions, np.ones(steps), flags, flags
    )


def test_pairs_are_what_was_done_where_and_one_in_so_many():
    some = counting([7, 3, 10])
    seen, done = some.pairs()
    assert np.array_equal(seen[:, 0], done) and len(done) == 20
    firsts = set()
    for seed in range(40):
        seen, done = some.pairs(every=5, seed=seed)
        assert np.array_equal(seen[:, 0], done)
        for episode, length in enumerate([7, 3, 10]):
            here = done[done // 100 == episode] - 100 * episode
            assert (np.diff(here) == 5).all() and len(here) in (length // 5, -(-length // 5))
            firsts.add((episode, int(here[0])))
    assert len(firsts) == 5 + 3 + 5
    last = some.between(1, 3)
    assert last.lengths.tolist() == [3, 10] and last.observations[[0, 3, 4, -1], 0].tolist() == [100, 103, 200, 210]
    assert last.actions[[0, -1]].tolist() == [100, 209] and some.between(0, 1).returns.tolist() == [7]
    with pytest.raises(UsageError, match="episodes 3 to 4 were asked for, but there are only 1 to 3"):
        some.between(2, 4)
    assert some.returns.tolist() == [7, 3, 10]


@pytest.mark.parametrize(("name", "size"), [("FrozenLake-v1", 16), ("Blackjack-v1", 32 + 11 + 2)])
def test_observations_that_are_choices_become_vectors(name, size, tmp_path):
    environment = imitation.make(name, 5)
    demonstrations.save(demonstrations.record(environment, lambda seen: 0, 2), tmp_path / "some.npz")
    found = demonstrations.load(tmp_path / "some.npz", environment)
    assert found.observations.shape[1] == size and found.environment == name
    assert imitation.play(name, lambda seen: np.zeros(len(seen), int), 2, 5).observations.shape[1] == size


def write_minari(directory, shown, parts=False):
    """As Minari 0.5.4 lays a data set out."""
    directory.mkdir()
    spec = json.dumps({"id": shown.environment, "max_episode_steps": 30})
    (directory / "metadata.json").write_text(json.dumps({"env_spec": spec, "data_format": "hdf5"}))
    ends = np.cumsum(shown.lengths)
    with h5py.File(directory / "main_data.hdf5", "w", track_order=True) as file:
        for index, (end, length) in enumerate(zip(ends, shown.lengths, strict=True)):
            group, steps = file.create_group(f"episode_{index}"), slice(end - length, end)
            seen = shown.observations[end - length + index : end + index + 1]
            if parts:
                group.create_group("observations").create_dataset("place", data=seen)
            else:
                group.create_dataset("observations", data=seen)
            for name, ours in (
                ("actions", "actions"), ("rewards", "rewards"), ("terminations", "terminated"),
                ("truncations", "truncated"),
            ):  # fmt: skip
                group.create_dataset(name, data=getattr(shown, ours)[steps])


def test_a_data_set_of_minari_is_read(shown, cart, tmp_path):
    write_minari(tmp_path / "data", shown)
    for path in (tmp_path, tmp_path / "data", tmp_path / "data" / "main_data.hdf5"):
        found = demonstrations.load(path, cart)
        assert_same(dataclasses.replace(found, observation_space="", action_space=""),
                    dataclasses.replace(shown, observation_space="", action_space=""))  # fmt: skip


def test_a_data_set_of_several_parts_is_refused(shown, tmp_path):
    write_minari(tmp_path / "data", shown, parts=True)
    with pytest.raises(UsageError, match="the observations of .* are of several parts"):
        demonstrations.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"environment": "Acrobot-v1"}, "are of Acrobot-v1, not of CartPole-v1"),
        ({"observations": np.zeros((93, 5))}, r"of shape \(5,\), but those of CartPole-v1 are of shape \(4,\)"),
        ({"actions": np.full(90, 2)}, "actions .* go from 2 to 2, but those of CartPole-v1 from 0 to 1"),
        ({"actions": np.zeros(80, int)}, "have 80 actions for 90 steps"),
        ({"observations": np.full((93, 4), np.nan)}, "not finite"),
        ({"lengths": np.array([90, 0, 0])}, "an episode without a step"),
    ],
)
def test_what_does_not_fit_is_one_sentence(change, message, shown, cart, tmp_path):
    demonstrations.save(dataclasses.replace(shown, **change), tmp_path / "some.npz")
    with pytest.raises(UsageError, match=message) as refusal:
        demonstrations.load(tmp_path / "some.npz", cart)
    assert "\n" not in str(refusal.value)


def test_a_damaged_or_missing_file_is_one_sentence(shown, tmp_path):
    path = tmp_path / "some.npz"
    with pytest.raises(UsageError, match="there are no demonstrations at"):
        demonstrations.load(path)
    demonstrations.save(shown, path)
    whole = path.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"words\n" * 40):
        path.write_bytes(damaged)
        with pytest.raises(UsageError, match="are damaged"):
            demonstrations.load(path)
    np.savez(path, format=1, environment="CartPole-v1")
    with pytest.raises(UsageError, match="are damaged"):
        demonstrations.load(path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="without a main_data.hdf5"):
        demonstrations.load(tmp_path / "empty")


@pytest.mark.parametrize(
    ("name", "least"), [("CartPole-v1", 200), ("MountainCar-v0", -103), ("Acrobot-v1", -90)]
)  # E9's experts: 200, -98.75, -75.25
def test_the_experts_know_how(name, least):
    played = imitation.play(name, experts.expert(name), episodes=10, horizon=200, seed=1)
    assert played.returns.mean() >= least
    assert len(played.observations) == played.lengths.sum() == len(played.actions)


def test_there_is_no_expert_of_everything():
    with pytest.raises(UsageError, match="unknown environment with an expert 'Pendulum-v1'"):
        experts.expert("Pendulum-v1")


def test_mistakes_are_counted_along_the_way_and_after_an_early_end():
    played = imitation.Played(
        np.zeros(2), np.array([3, 1]), np.array([[0.0], [1.0], [2.0], [0.0]]), np.array([0, 0, 1, 1])
    )

    def other(seen):
        return (seen[:, 0] > 0.5).astype(int)

    # First: right, wrong, right, over; second: wrong, and over.
    np.testing.assert_allclose(imitation.mistakes(played, other, 4, end_fails=True), [0.5, 1.5, 2.0, 3.0])
    np.testing.assert_allclose(imitation.mistakes(played, other, 4, end_fails=False), [0.5, 1.0, 1.0, 1.0])


def test_dagger_asks_the_expert_about_where_the_learner_goes():
    learnt = []

    def learn(observations, actions):
        learnt.append((len(observations), len(actions)))
        return lambda seen: np.zeros(len(seen), np.int64)  # falls over after nine or ten steps

    start = np.zeros((2, 4), np.float32)
    seen, done = imitation.dagger(
        "CartPole-v1", experts.cart_pole, start, np.array([1, 1]), learn, rounds=3, episodes=2, every=2
    )
    sizes = np.array([count for count, _ in learnt])
    assert sizes[0] == 2 and all(a == b for a, b in learnt) and (np.diff(sizes) >= 8).all()
    assert np.array_equal(done[2:], experts.cart_pole(seen[2:])) and len(seen) == len(done) > sizes[-1]
    assert done[2:].mean() > 0.6  # the pole falls to the right of a cart that is pushed to the left


def test_continuous_actions_are_kept_within_bounds():
    acted = []

    def policy(seen):
        acted.append(seen)
        return np.full((len(seen), 1), 9.0, np.float32)

    played = imitation.play("Pendulum-v1", policy, episodes=2, horizon=4)
    assert (played.actions == 2.0).all() and played.actions.shape == (8, 1) and len(acted) == 4
    assert isinstance(imitation.make("Pendulum-v1").action_space, gymnasium.spaces.Box)
