"""The toys against their definitions, worked out by hand."""

import numpy as np
import pytest
import tensorflow as tf

from kgan.datasets import load, toy_modes
from kgan.datasets.toys import TOYS
from kgan.errors import UsageError


@pytest.mark.parametrize(("name", "modes", "std"), [("ring", 8, 0.01), ("grid", 25, 0.05), ("four", 4, 0.1)])
def test_mixtures(name, modes, std):
    centres, spread = toy_modes(name)
    assert (centres.shape, spread) == ((modes, 2), std)
    assert len(np.unique(centres.round(6), axis=0)) == modes  # a ring that counts its end twice has seven
    data = load(name)
    offsets = data.examples - centres[data.labels]
    n = len(data.examples)
    assert abs(offsets.mean()) < 4 * std / np.sqrt(2 * n)
    assert offsets.std() == pytest.approx(std, rel=4 / np.sqrt(4 * n))
    shares = np.bincount(data.labels, minlength=modes) / n
    assert np.abs(shares - 1 / modes).max() < 4 * np.sqrt(1 / modes / n)
    nearest = np.linalg.norm(data.examples[:, None] - centres, axis=2).argmin(1)
    np.testing.assert_array_equal(nearest, data.labels)


def test_where_the_modes_are():
    ring, _ = toy_modes("ring")
    half = np.sqrt(0.5)
    expected = [(1, 0), (half, half), (0, 1), (-half, half), (-1, 0), (-half, -half), (0, -1), (half, -half)]
    np.testing.assert_allclose(ring, expected, atol=1e-12)
    assert {tuple(c) for c in toy_modes("grid")[0]} == {(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)}
    assert {tuple(c) for c in toy_modes("four")[0]} == {(1, 1), (1, -1), (-1, 1), (-1, -1)}


def test_moons_lie_on_half_circles():
    data = load("moons")
    x, y = data.examples[data.labels == 0].T
    assert np.hypot(x, y).std() == pytest.approx(0.05, rel=0.05)
    assert np.hypot(x, y).mean() == pytest.approx(1, abs=0.005)
    assert y.mean() == pytest.approx(2 / np.pi, abs=0.02)  # of sin over half a turn
    x, y = data.examples[data.labels == 1].T
    assert np.hypot(x - 1, y - 0.5).mean() == pytest.approx(1, abs=0.005)
    assert y.mean() == pytest.approx(0.5 - 2 / np.pi, abs=0.02)


@pytest.mark.parametrize(
    ("name", "slope", "inner"), [("spiral", 1 / (3 * np.pi), 0), ("swiss-roll", 1 / (4.5 * np.pi), 1 / 3)]
)
def test_points_lie_on_their_spiral(name, slope, inner):
    """Off the centre the radius less slope times the angle is a whole number of turns, but for the noise."""
    x, y = load(name).examples.T.astype(np.float64)
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    assert radius.min() > inner - 0.1
    assert radius.max() == pytest.approx(1, abs=0.1)
    far = radius > 0.3
    turns = (radius - slope * angle)[far] / (2 * np.pi * slope)
    off = np.abs(turns - np.rint(turns)) * 2 * np.pi * slope
    assert off.max() < 0.11  # over five standard deviations of .02
    assert len(np.unique(np.rint(turns))) >= 2


def test_checkerboard():
    points = load("checkerboard").examples.astype(np.float64)
    column, row = np.floor((points + 1) * 2).astype(int).T
    assert column.min() == row.min() == 0
    assert column.max() == row.max() == 3
    assert ((column + row) % 2 == 0).all()
    assert len({(c, r) for c, r in zip(column, row, strict=True)}) == 8
    np.testing.assert_allclose(points.var(0), 1 / 3, rtol=0.05)  # each coordinate alone is uniform on [-1, 1]


@pytest.mark.parametrize("name", TOYS)
def test_every_toy(name):
    train, test = load(name), load(name, "test")
    assert train.examples.shape == (10_000, 2)
    assert test.examples.shape == (2_500, 2)
    assert train.examples.dtype == np.float32
    np.testing.assert_array_equal(load(name).examples, train.examples)
    assert not set(map(tuple, train.examples)) & set(map(tuple, test.examples))
    assert not np.array_equal(load(name, seed=1).examples, train.examples)
    seed = tf.constant([1, 2], tf.int64)
    compiled = tf.function(train.sampler, reduce_retracing=True)(7, seed)[0]
    np.testing.assert_allclose(compiled, train.sampler(7, seed)[0], atol=1e-6)


def test_what_is_no_mixture_has_no_modes():
    with pytest.raises(UsageError, match="'moons'.*ring, grid, four"):
        toy_modes("moons")
    with pytest.raises(UsageError, match="'rng'.*did you mean 'ring'"):
        toy_modes("rng")
    with pytest.raises(UsageError, match="'moons' is not made of images, which alone have a size"):
        load("moons", size=32)
