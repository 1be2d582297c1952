"""What every model's update must be, taken apart: whose data, whose loss, whose optimiser, and what it refuses."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from examples import BATCH, EXAMPLES
from games import build, models, nothing_traced

from kgan.errors import UsageError
from kgan.training import callbacks


def descent():
    return keras.optimizers.SGD(0.1)


@pytest.fixture(scope="module", params=models(), ids=lambda kind: kind.__name__)
def update(request):
    """One update by plain descent on two critic steps: the model, and what each player's loss was called with."""
    example, calls = build(request.param, descent, eager=True, average_decay=0.0), []
    model = example.model
    for player in model.players:
        loss = getattr(model, f"{player}_loss")

        def recorded(batch, proposal, seed, training, player=player, loss=loss):
            calls.append((player, batch, seed))
            return loss(batch, proposal, seed, training=training)

        setattr(model, f"{player}_loss", recorded)
    batch = example.batch(0, 2 * BATCH)
    with nothing_traced():  # what is recorded is to be numbers
        report = model.play(tf.nest.map_structure(tf.constant, batch))
    return request.param, model, batch, calls, report


def test_each_critic_step_sees_fresh_data_and_other_random_numbers(update):
    _, model, batch, calls, _ = update
    for judge in model.judges:
        slices = [tf.nest.flatten(seen)[0].numpy() for player, seen, _ in calls if player == judge]
        assert len(slices) == 2
        np.testing.assert_array_equal(np.concatenate(slices), tf.nest.flatten(batch)[0])
        seeds = [tuple(seed.numpy()) for player, _, seed in calls if player == judge]
        assert seeds[0] != seeds[1]
    for proposer in model.proposers:
        assert sum(player == proposer for player, _, _ in calls) == 1
    assert [player for player, _, _ in calls] == list(model.judges) * 2 + list(model.proposers)


def test_each_player_descends_the_gradient_of_its_own_loss(update):
    """Judges first, then proposers against the judges as they are now: computed again with one tape each."""
    kind, model, _, calls, report = update
    plain = build(kind, descent, eager=True, average_decay=0.0).model
    losses = {}

    def descend(players, batch, seed):
        gradients = {}
        for player in players:
            values = [variable.value for variable in plain.variables_of(player)]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(values)
                proposal = plain.propose(batch, seed, training=True)
                if player in plain.judges:  # takes what is proposed as given
                    proposal = tf.nest.map_structure(tf.stop_gradient, proposal)
                loss, _ = getattr(plain, f"{player}_loss")(batch, proposal, seed, training=True)
            gradients[player] = tape.gradient(loss, values)
            losses.setdefault(player, []).append(float(loss))
        for player, found in gradients.items():
            for variable, gradient in zip(plain.variables_of(player), found, strict=True):
                variable.assign_sub(0.1 * tf.convert_to_tensor(gradient))  # that of an embedding is sparse

    of_judges = [(batch, seed) for player, batch, seed in calls if player in plain.judges[:1]]
    for batch, seed in of_judges:
        descend(plain.judges, batch, seed)
    descend(plain.proposers, *calls[-1][1:])

    for player in plain.players:
        np.testing.assert_allclose(report[f"{player}_loss"], np.mean(losses[player]), rtol=1e-5)
        for ours, theirs in zip(model.variables_of(player), plain.variables_of(player), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6, err_msg=ours.path)


@pytest.mark.parametrize("kind", models(), ids=lambda kind: kind.__name__)
def test_only_its_own_optimiser_moves_a_player(kind):
    def after_an_update(moving: str | None) -> dict[str, list[np.ndarray]]:
        example = build(kind, descent, eager=True, average_decay=0.0)
        model = example.model
        for player in model.players:
            model.optimizer_of(player).learning_rate = 0.1 if player == moving else 0.0
        with nothing_traced():
            model.play(tf.nest.map_structure(tf.constant, example.batch(0, 2 * BATCH)))
        return {player: [np.array(variable) for variable in model.variables_of(player)] for player in model.players}

    rest = after_an_update(None)  # not the initial weights: spectral normalisation rescales them in place
    for moving in rest:
        weights = after_an_update(moving)
        for player in rest:
            same = [np.array_equal(a, b) for a, b in zip(rest[player], weights[player], strict=True)]
            assert not any(same) if player == moving else all(same), (player, moving)


@pytest.mark.parametrize("kind", models(), ids=lambda kind: kind.__name__)
def test_a_batch_that_cannot_be_split_is_one_sentence(kind):
    if not kind.judges:
        with pytest.raises(UsageError, match=r"^critic_steps is 3, but this game has no judges: leave it at 1\.$"):
            EXAMPLES[kind](critic_steps=3)
        return
    example = build(kind, eager=True, critic_steps=3)
    with pytest.raises(UsageError, match=r"^a batch of 2 cannot be split over 3 critic steps: give [^\n]*\.$"):
        example.model.fit(tf.data.Dataset.from_tensors(example.batch(0, 2)), verbose=0)


@pytest.mark.parametrize("kind", models(), ids=lambda kind: kind.__name__)
def test_training_stops_at_the_first_weight_that_is_not_a_number(kind):
    example = build(kind, eager=True)
    player = example.model.players[0]
    variable = example.model.variables_of(player)[0]
    variable.assign(variable * np.nan)
    with nothing_traced():
        example.model.fit(example.batches(0, 3), verbose=0, callbacks=[callbacks.Health(0, 1)])
    assert int(example.model.updates) == 1
    # What the judges say of it reaches the others' losses at once.
    assert any(
        f"stopped at update 1: {player}_loss is nan" in example.model.unhealthy for player in example.model.players
    )
