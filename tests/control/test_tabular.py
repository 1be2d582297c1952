"""Small worlds against their books and against gymnasium; their exact solutions by hand."""

import gymnasium
import numpy as np
import pytest

from kgan.control import tabular
from kgan.errors import UsageError


def test_the_walk_is_worth_its_distance_from_the_left_end():
    walk = tabular.random_walk()
    np.testing.assert_allclose(tabular.state_values(walk, walk.uniform()), np.arange(1, 6) / 6, atol=1e-12)
    # By hand for three states and a discount of 1/2: V1 = V2/4, V2 = (V1 + V3)/4, V3 = 1/2 + V2/4.
    short = tabular.random_walk(3)
    np.testing.assert_allclose(tabular.state_values(short, short.uniform(), 0.5), np.array([1, 4, 15]) / 28, atol=1e-12)


def test_a_long_walk_with_long_jumps_solves_its_own_equations():
    walk = tabular.random_walk(1_000, 100)
    values = np.append(tabular.state_values(walk, walk.uniform()), 0.0)
    expected = (walk.rewards + values[walk.next_states]).mean(axis=1)
    np.testing.assert_allclose(values[:-1], expected, atol=1e-9)
    assert walk.start == 499 and walk.actions == 200
    # From the state next to the middle either side is as likely as the other.
    np.testing.assert_allclose(values[499] + values[500], 1.0, atol=1e-9)


@pytest.mark.parametrize("right", [0.05, 0.3, 2 - np.sqrt(2), 0.9])
def test_the_corridor_in_closed_form_is_the_solution_of_its_equations(right):
    corridor = tabular.short_corridor()
    values = tabular.state_values(corridor, np.tile([1 - right, right], (3, 1)))
    np.testing.assert_allclose(values[0], tabular.corridor_value(right), rtol=1e-9)


def test_the_best_blind_policy_of_the_corridor():
    right = np.linspace(0.01, 0.99, 9_801)
    best = right[tabular.corridor_value(right).argmax()]
    assert abs(best - (2 - np.sqrt(2))) < 1e-4
    np.testing.assert_allclose(tabular.corridor_value(2 - np.sqrt(2)), -6 - 4 * np.sqrt(2))
    # Who sees the states needs three steps: right, left, right.
    assert tabular.optimal_action_values(tabular.short_corridor())[0].max() == -3


def test_the_cliff_is_that_of_gymnasium():
    table = gymnasium.make("CliffWalking-v1").unwrapped.P
    world = tabular.cliff_walking()
    visited = [*range(37)]  # nobody stands on the cliff or beyond the goal
    for state in visited:
        for action in range(4):
            ((chance, following, reward, ended),) = table[state][action]
            assert chance == 1 and world.rewards[state, action] == reward
            assert world.next_states[state, action] == (48 if ended else following)
    assert world.start == 36 and world.next_states[35, tabular.DOWN] == 48
    assert (world.next_states[visited] == 48).sum() == 1


def test_the_best_way_along_the_cliff_takes_thirteen_steps():
    world = tabular.cliff_walking()
    best = tabular.optimal_action_values(world)
    assert best[world.start].max() == -13 and tabular.greedy_return(world, best) == -13
    up_and_down = np.zeros((48, 4))
    up_and_down[world.start, tabular.UP] = 1
    up_and_down[24, tabular.DOWN] = 1  # and so for ever
    both = tabular.greedy_return(world, np.stack([best, up_and_down]))
    assert both[0] == -13 and both[1] == -np.inf


def test_a_policy_that_never_ends_is_refused_and_a_discount_mends_it():
    corridor = tabular.short_corridor()
    left = np.tile([1.0, 0.0], (3, 1))
    with pytest.raises(UsageError, match="never ends .* short corridor"):
        tabular.state_values(corridor, left)
    np.testing.assert_allclose(tabular.state_values(corridor, left, 0.9)[0], -10)
    endless = tabular.World("wheel", np.array([[0]]), np.array([[1.0]]), 0)
    with pytest.raises(UsageError, match="grow without bound"):
        tabular.optimal_action_values(endless)


def test_simulated_episodes_follow_the_world_and_its_policy():
    walk = tabular.random_walk()
    episodes = tabular.simulate(walk, walk.uniform(), episodes=20, runs=50, seed=3)
    again = tabular.simulate(walk, walk.uniform(), episodes=20, runs=50, seed=3)
    assert np.array_equal(episodes.states, again.states)
    assert (episodes.states[:, 0] == 2).all() and (episodes.states[:, -1] == 5).all()
    now, later = episodes.states[:, :-1], episodes.states[:, 1:]
    moved = (now < 5) & (later < 5)
    assert (np.abs(now[moved].astype(int) - later[moved]) == 1).all()
    ended = (now < 5) & (later == 5)
    assert np.isin(now[ended], [0, 4]).all() and (episodes.rewards[ended] == (now[ended] == 4)).all()
    assert (episodes.rewards[~ended] == 0).all()
    share = (later[moved] > now[moved]).mean()
    assert abs(share - 0.5) < 4 * 0.5 / np.sqrt(moved.sum())
    assert abs(episodes.rewards.sum() / 1_000 - 0.5) < 4 * 0.5 / np.sqrt(1_000)


def test_a_simulated_policy_takes_its_actions_in_proportion():
    corridor = tabular.short_corridor()
    policy = np.array([[0.2, 0.8], [0.5, 0.5], [0.9, 0.1]])
    episodes = tabular.simulate(corridor, policy, episodes=400, runs=10, seed=1)
    states, steps = episodes.states[:, :-1], (episodes.states[:, :-1] < 3).sum()
    for state, to, chance in ((0, 1, 0.8), (1, 0, 0.5), (2, 3, 0.1)):
        at = states == state
        share = (episodes.states[:, 1:][at] == to).mean()
        assert abs(share - chance) < 5 * np.sqrt(chance * (1 - chance) / at.sum())
    assert episodes.rewards.sum() == -steps


def test_returns_by_hand():
    rewards = np.array([1.0, 2.0, 4.0]).reshape(1, 3, 1)
    episodes = tabular.Episodes(np.array([0, 1, 0, 2]).reshape(1, 4, 1), rewards, end=2)
    np.testing.assert_allclose(episodes.returns(0.5).ravel(), [1 + 1 + 1, 2 + 2, 4])


def test_every_run_keeps_its_own_clock():
    live = tabular.Runs(tabular.short_corridor(), episodes=2, runs=2)
    # The first run goes the shortest way, twice; the second one stays where it is.
    for expected, action in zip([0, 1, 2, 0, 1, 2], [1, 0, 1, 1, 0, 1], strict=True):
        assert live.state.tolist() == [expected, 0]
        rewards, following = live.step(np.array([action, 0]))
        assert rewards.tolist() == [-1, -1]
        ended, stay = live.settle(following)
    assert ended.tolist() == [True, False] and stay.tolist() == [False, True]
    assert live.alive.tolist() == [1] and live.finished.tolist() == [0]
    assert live.returns.tolist() == [[-3, -6], [-3, 0]]
