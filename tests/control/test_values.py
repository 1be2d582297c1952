"""Tables of values: each rule by hand on one episode, its fixed point, and learning against chance."""

import dataclasses

import numpy as np
import pytest

from kgan.control import tabular, values
from kgan.errors import UsageError


def one_run(states, rewards, end):
    """One run of episodes of one length."""
    states, rewards = np.asarray(states)[:, :, None], np.asarray(rewards, float)[:, :, None]
    return tabular.Episodes(states, rewards, end)


# One episode 0, 1, 0, end with rewards 1, 2, 4 and a discount of 1/2; its returns are 3, 4, 4.
LOOP = one_run([[0, 1, 0, 2]], [[1, 2, 4]], end=2)


@pytest.mark.parametrize(
    ("first_visit", "step_size", "expected"),
    [
        (False, 0.5, [0.5 * 3 + 0.5 * (4 - 1.5), 2.0]),
        (True, 0.5, [1.5, 2.0]),
        (False, None, [3.5, 4.0]),
        (True, None, [3.0, 4.0]),
    ],
)
def test_monte_carlo_by_hand(first_visit, step_size, expected):
    history = values.monte_carlo(LOOP, step_size, discount=0.5, first_visit=first_visit)
    np.testing.assert_allclose(history[:, 0], [[0, 0], expected])


def test_td_by_hand():
    # 1/2 (1 + V1/2 - V0) = 1/2; 1/2 (2 + (1/2)/2) = 1.125; 1/2 + 1/2 (4 - 1/2) = 2.25.
    history = values.temporal_difference(LOOP, 0.5, discount=0.5)
    np.testing.assert_allclose(history[1, 0], [2.25, 1.125])


def test_two_step_td_by_hand():
    # V0: 1/2 (1 + 2/2 + 0/4) = 1; V1: 1/2 (2 + 4/2) = 2; V0: 1 + 1/2 (4 - 1) = 2.5.
    history = values.temporal_difference(LOOP, 0.5, steps=2, discount=0.5)
    np.testing.assert_allclose(history[1, 0], [2.5, 2.0])
    # From 8: V0 is drawn to 1 + 2/2 + 8/4, V1 to 2 + 4/2, V0 to 4.
    history = values.temporal_difference(LOOP, 0.5, steps=2, discount=0.5, initial=8.0)
    np.testing.assert_allclose(history[1, 0], [5.0, 6.0])


def test_td_lambda_by_hand():
    # Traces decay by 1/4. Step 1: error 1, V0 = 1/2. Step 2: error 2 + 1/4, V1 = 9/8, V0 = 1/2 + 9/8 * 1/4 = 25/32.
    # Step 3: error 4 - 25/32 = 103/32, traces 0: 1 + 1/16, 1: 1/4.
    history = values.td_lambda(LOOP, 0.5, 0.5, discount=0.5)
    expected = [25 / 32 + 0.5 * 103 / 32 * 17 / 16, 9 / 8 + 0.5 * 103 / 32 / 4]
    np.testing.assert_allclose(history[1, 0], expected)


def walks(episodes=40, runs=6, seed=0):
    walk = tabular.random_walk()
    return tabular.simulate(walk, walk.uniform(), episodes, runs, seed)


def test_td_of_infinitely_many_steps_is_monte_carlo_and_lambda_zero_is_td():
    some = walks(5)
    many = values.temporal_difference(some, 0.1, steps=10_000, discount=0.9, initial=0.5)
    np.testing.assert_allclose(many, values.monte_carlo(some, 0.1, discount=0.9, initial=0.5), atol=1e-12)
    np.testing.assert_allclose(
        values.td_lambda(some, 0.1, 0.0, initial=0.5), values.temporal_difference(some, 0.1, initial=0.5), atol=1e-12
    )


def test_runs_do_not_disturb_one_another():
    together = walks(10)
    for learn in (
        lambda e: values.temporal_difference(e, 0.1, initial=0.5),
        lambda e: values.td_lambda(e, 0.1, 0.7),
        lambda e: values.monte_carlo(e, 0.1, first_visit=True),
    ):
        alone = tabular.Episodes(together.states[:, :, 2:3], together.rewards[:, :, 2:3], together.end)
        np.testing.assert_allclose(learn(together)[:, 2:3], learn(alone), atol=1e-12)


def test_the_eight_episodes_of_the_lecture():
    eight = tabular.eight_episodes()
    np.testing.assert_allclose(values.batch_monte_carlo(eight), [[0, 0.75]])
    np.testing.assert_allclose(values.batch_temporal_difference(eight), [[0.75, 0.75]])


@pytest.mark.parametrize("discount", [1.0, 0.8])
def test_batch_solutions_are_where_the_rules_come_to_rest(discount):
    some = walks(2, runs=12, seed=1)
    monte_carlo = values.batch_monte_carlo(some, discount=discount, initial=0.3)
    td = np.hstack([values.batch_temporal_difference(some, discount=discount, initial=0.3), np.zeros((12, 1))])
    assert np.abs(monte_carlo - td[:, :-1]).max() > 0.01
    never_met = 0
    for run in range(12):
        states, rewards = some.states[:, :, run], some.rewards[:, :, run]
        for state in range(5):
            errors, misses = [], []
            for episode, step in np.argwhere(states[:, :-1] == state):
                errors.append(rewards[episode, step] + discount * td[run, states[episode, step + 1]] - td[run, state])
                after = rewards[episode, step:]
                misses.append((after * discount ** np.arange(len(after))).sum() - monte_carlo[run, state])
            np.testing.assert_allclose([sum(errors), sum(misses)], 0, atol=1e-9)
            if not errors:
                never_met += 1
                assert td[run, state] == monte_carlo[run, state] == 0.3
    assert never_met


def test_td_learns_the_walk_better_than_monte_carlo():
    """Figure 6.2, right: at step sizes that suit each, after 100 episodes."""
    walk, some = tabular.random_walk(), walks(100, runs=200)
    exact = tabular.state_values(walk, walk.uniform())
    td, monte_carlo = (
        np.sqrt(((rule(some, size, initial=0.5) - exact) ** 2).mean(axis=-1)).mean(axis=-1)
        for rule, size in ((values.temporal_difference, 0.05), (values.monte_carlo, 0.02))
    )
    assert abs(td[0] - np.sqrt(2 / 36)) < 1e-9  # (1/3, 1/6, 0, 1/6, 1/3) off
    assert td[-1] < 0.04 < 0.07 < monte_carlo[-1] < 0.1


def test_what_each_backup_takes_for_the_worth_of_a_state():
    table, action = np.array([[1.0, 5.0, 3.0], [2.0, 0.0, 2.0]]), np.array([0, 1])
    worths = {name: backup.worth(table, action, 0.3).tolist() for name, backup in values.BACKUPS.items()}
    assert worths["q-learning"] == [5.0, 2.0] and worths["sarsa"] == [1.0, 0.0]
    np.testing.assert_allclose(worths["expected-sarsa"], [0.3 * 3 + 0.7 * 5, 0.3 * 4 / 3 + 0.7 * 2])


@pytest.mark.parametrize("name", ["q-learning", "expected-sarsa"])
def test_control_with_steps_of_one_is_exact_on_a_world_without_chance(name):
    world = tabular.short_corridor()
    table, returns = values.learn_to_act(
        world, values.BACKUPS[name], episodes=60, runs=4, step_size=1.0, epsilon=0.0 if name != "q-learning" else 0.5
    )
    assert (tabular.greedy_return(world, table) == -3).all()
    assert returns.shape == (60, 4) and (returns <= -3).all()
    if name == "q-learning":
        np.testing.assert_allclose(table, np.stack([tabular.optimal_action_values(world)] * 4))


def test_q_learning_walks_the_edge_and_sarsa_the_safe_way():
    """Example 6.6: what is learnt off the policy falls off the cliff while it explores, and does not mind."""
    world = tabular.cliff_walking()
    options = {"episodes": 200, "runs": 6, "step_size": 0.5, "epsilon": 0.1}
    found = {name: values.learn_to_act(world, backup, **options) for name, backup in values.BACKUPS.items()}
    assert (tabular.greedy_return(world, found["q-learning"][0]) == -13).all()
    online = {name: returns[-100:].mean() for name, (_, returns) in found.items()}
    assert online["q-learning"] < -40 < -35 < online["sarsa"] < -17
    assert online["sarsa"] < online["expected-sarsa"] < -17


def test_sarsa_takes_the_action_that_it_learnt_from(monkeypatch):
    backup, announced, taken = values.BACKUPS["sarsa"], [], []

    def worth(table, action, epsilon):
        announced.append(int(action[0]))
        return backup.worth(table, action, epsilon)

    step = tabular.Runs.step
    monkeypatch.setattr(tabular.Runs, "step", lambda self, action: taken.append(int(action[0])) or step(self, action))
    options = {"episodes": 1, "runs": 1, "step_size": 0.5, "epsilon": 0.9}
    values.learn_to_act(tabular.cliff_walking(), dataclasses.replace(backup, worth=worth), **options)
    assert len(taken) > 50 and announced[:-1] == taken[1:]


def test_control_is_decided_by_its_seed():
    options = {"episodes": 5, "runs": 3, "step_size": 0.5, "epsilon": 0.3}
    one, same, other = (
        values.learn_to_act(tabular.short_corridor(), values.BACKUPS["sarsa"], **options, seed=seed)[0]
        for seed in (1, 1, 2)
    )
    assert np.array_equal(one, same) and not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: values.monte_carlo(LOOP, 0.0), "step_size is 0.0"),
        (lambda: values.temporal_difference(LOOP, 0.1, steps=0), "steps is 0"),
        (lambda: values.temporal_difference(LOOP, 0.1, discount=1.1), "discount is 1.1"),
        (lambda: values.td_lambda(LOOP, 0.1, -0.1), "trace_decay is -0.1"),
        (
            lambda: values.learn_to_act(
                tabular.short_corridor(), values.BACKUPS["sarsa"], episodes=1, runs=1, step_size=0.1, epsilon=2
            ),
            "epsilon is 2",
        ),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(UsageError, match=message):
        call()
