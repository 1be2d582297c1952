"""Batches: a pure function of seed and number, in any slices, each example once an epoch."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from kgan.datasets import load
from kgan.datasets.data import Data, shuffled
from kgan.errors import UsageError


def numbered(count: int) -> Data:
    """Images of one pixel whose value and label is their own number."""
    images = np.arange(count, dtype=np.uint8).reshape(count, 1, 1, 1)
    return Data("numbered", "train", images, labels=np.arange(count, dtype=np.int64))


def order(dataset) -> list[list[int]]:
    return [np.rint((x.numpy().ravel() + 1) * 127.5).astype(int).tolist() for x in dataset]


@pytest.mark.parametrize("data", [numbered(10), load("moons", count=5)], ids=["images", "points"])
def test_a_batch_depends_on_seed_and_number_only(data):
    whole = list(data.batches(4, steps=9, seed=3))
    assert whole[0].dtype == tf.float32
    assert [x.shape for x in whole] == [(4, *data.shape)] * 9
    for first in (0, 1, 5, 8):
        tail = list(data.batches(4, first=first, steps=9 - first, seed=3))
        np.testing.assert_array_equal(tail, whole[first:])
    assert not np.array_equal(whole, list(data.batches(4, steps=9, seed=4)))


@pytest.mark.parametrize("data", [numbered(10), load("ring", count=5)], ids=["images", "points"])
def test_slices_of_workers_make_up_the_batch(data):
    whole = list(data.batches(6, first=2, steps=4, seed=1, labels=True))
    slices = [list(data.batches(6, first=2, steps=4, seed=1, labels=True, shard=(k, 3))) for k in range(3)]
    for step, (x, y) in enumerate(whole):
        np.testing.assert_array_equal(np.concatenate([s[step][0] for s in slices]), x)
        np.testing.assert_array_equal(np.concatenate([s[step][1] for s in slices]), y)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 100])
def test_every_epoch_visits_each_example_once_across_batch_ends(count):
    batch_size, epochs = 8, 8
    seen = sum(order(numbered(count).batches(batch_size, steps=-(-count * epochs // batch_size))), [])
    rows = np.array(seen[: count * epochs]).reshape(epochs, count)
    np.testing.assert_array_equal(np.sort(rows, axis=1), np.tile(np.arange(count), (epochs, 1)))
    if count >= 7:
        assert len({tuple(row) for row in rows}) == epochs  # each epoch in another order


def test_shuffling_is_fair():
    """Where an example lands is uniform over seeds and epochs: chi-square with 15 degrees of freedom, p = .001."""
    count, epochs = 64, 400
    place = np.array(list(shuffled(count, 11).take(epochs)))
    quarters = np.zeros((4, 4))
    np.add.at(quarters, (np.arange(count)[None].repeat(epochs, 0) * 4 // count, place * 4 // count), 1)
    expected = count * epochs / 16
    assert ((quarters - expected) ** 2 / expected).sum() < 37.7


def test_neighbouring_seeds_and_epochs_give_unrelated_orders():
    """A permutation of 1,000 leaves about one in its place (Poisson): of the one before, or of none, hardly eight."""
    count = 1000
    orders = [np.arange(count), *shuffled(count, 0).take(3).as_numpy_iterator()]
    orders += [next(shuffled(count, seed).as_numpy_iterator()) for seed in (1, 2)]
    for one, other in itertools.combinations(orders, 2):
        assert (one == other).sum() <= 8
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.15


def test_seeds_of_any_size_differ():
    first = [tuple(order(numbered(50).batches(10, steps=1, seed=s))[0]) for s in (0, 1, 2**31, 2**32, 2**40 + 1)]
    assert len(set(first)) == len(first)


def test_labels_go_with_their_images():
    for x, y in numbered(20).batches(5, steps=6, labels=True):
        assert y.dtype == tf.int64
        np.testing.assert_array_equal(np.rint((x.numpy().ravel() + 1) * 127.5), y)
    data = load("ring", count=5)
    x, y = next(iter(data.batches(200, labels=True)))
    angle = 2 * np.pi * y.numpy() / 8
    assert np.abs(x - np.stack([np.cos(angle), np.sin(angle)], 1)).max() < 0.06


def test_without_steps_it_never_ends_and_has_static_shapes():
    dataset = numbered(3).batches(2, first=10**9)
    assert dataset.element_spec == tf.TensorSpec((2, 1, 1, 1), tf.float32)
    assert dataset.cardinality() == tf.data.INFINITE_CARDINALITY
    assert len(list(itertools.islice(dataset, 40))) == 40
    assert load("ring", count=1).batches(2).cardinality() == tf.data.INFINITE_CARDINALITY
    assert numbered(3).batches(2, first=5, steps=7).cardinality() == 7


def test_points_are_fresh_in_every_batch_and_apart_from_the_examples():
    train, test = load("grid"), load("grid", "test")
    batches = [x.numpy() for x in train.batches(100, steps=5)] + [next(iter(test.batches(100))).numpy()]
    points = np.concatenate([*batches, train.examples, test.examples])
    assert len(np.unique(points, axis=0)) == len(points)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"batch_size": 0}, "batch size 0"),
        ({"batch_size": -4}, "batch size -4"),
        ({"batch_size": 4, "first": -1}, "first batch -1"),
        ({"batch_size": 4, "steps": -1}, "-1 must not be negative"),
        ({"batch_size": 5, "shard": (0, 2)}, "batch size 5 .* 2 workers"),
        ({"batch_size": 4, "shard": (2, 2)}, "shard 2 of 2"),
    ],
)
def test_impossible_batches_are_refused(arguments, words):
    with pytest.raises(UsageError, match=words):
        numbered(3).batches(**arguments)


def test_labels_that_do_not_exist_are_refused():
    with pytest.raises(UsageError, match="'spiral' has no labels"):
        load("spiral", count=5).batches(2, labels=True)
