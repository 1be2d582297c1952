"""Two domains of one task: how they are made, and how they are served."""

import dataclasses
import hashlib

import numpy as np
import pytest

from kgan import datasets
from kgan.datasets import domains
from kgan.datasets.domains import Domains
from kgan.errors import UsageError


def test_blending_is_the_difference():
    background = np.array([[10, 200, 255], [0, 100, 128]], np.uint8).reshape(1, 1, 2, 3)
    digit = np.array([100, 255], np.uint8).reshape(1, 1, 2, 1)
    expected = [[90, 100, 155], [255, 155, 127]]
    blended = domains.blend(background, digit)
    assert blended.dtype == np.uint8
    np.testing.assert_array_equal(blended[0, 0], expected)


def test_patches_are_cut_from_anywhere_in_the_photographs():
    rows, columns = np.meshgrid(np.arange(9), np.arange(7), indexing="ij")
    photos = [np.stack([rows + 20 * k, columns, np.full((9, 7), k)], -1).astype(np.uint8) for k in range(2)]
    cut = domains.patches(photos, 1_500, (3, 2), np.random.default_rng(0))
    assert cut.shape == (1_500, 3, 2, 3)
    for patch in cut:
        k = patch[0, 0, 2]
        top, left = patch[0, 0, 0] - 20 * k, patch[0, 0, 1]
        np.testing.assert_array_equal(patch, photos[k][top : top + 3, left : left + 2])
    assert {(k, top - 20 * k, left) for top, left, k in map(tuple, cut[:, 0, 0].astype(int))} == {
        (k, top, left) for k in range(2) for top in range(7) for left in range(6)
    }


def test_coloured_digits_are_the_digits_over_photographs():
    plain, coloured = (datasets.load(name, "test") for name in ("digits", "coloured-digits"))
    assert coloured.shape == (28, 28, 3) and coloured.examples.dtype == np.uint8
    np.testing.assert_array_equal(coloured.labels, plain.labels)
    random = np.random.default_rng([0, True])
    background = domains.patches(domains.photographs("test"), 1000, (28, 28), random).astype(int)
    np.testing.assert_array_equal(coloured.examples, np.abs(background - plain.examples))
    assert coloured.examples.std(-1).mean() > 3  # there is colour
    again, other = datasets.load("coloured-digits", "test"), datasets.load("coloured-digits", "test", seed=1)
    np.testing.assert_array_equal(coloured.examples, again.examples)
    assert (coloured.examples != other.examples).mean() > 0.5
    assert datasets.load("coloured-digits", "test", size=14, channels=1, count=3).examples.shape == (3, 14, 14, 1)


def test_the_photographs_of_the_splits_are_different_ones():
    found = {split: domains.photographs(split) for split in ("train", "test")}
    assert {split: len(photos) for split, photos in found.items()} == {"train": 17, "test": 6}
    assert all(max(photo.shape) <= 481 and photo.shape[2] == 3 for photos in found.values() for photo in photos)
    hashes = {split: {hashlib.sha256(photo).digest() for photo in photos} for split, photos in found.items()}
    assert not hashes["train"] & hashes["test"]


def test_turned_moons_are_moons_when_turned_back():
    both = domains.moons("train", count=2_000)
    for data in (both.source, both.target):
        assert data.examples.dtype == np.float32 and np.bincount(data.labels).tolist() == [1000, 1000]
    angle = np.deg2rad(-35)
    back = both.target.examples @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]).T
    for points, labels in ((both.source.examples, both.source.labels), (back, both.target.labels)):
        # The upper moon is half a circle of radius 2 around (-1, -0.5), the lower one around (1, 0.5).
        sign = np.where(labels == 0, 1, -1)[:, None]
        x, y = (sign * points - (-1, -0.5)).T
        assert np.hypot(x, y).mean() == pytest.approx(2, abs=0.02) and np.hypot(x, y).std() == pytest.approx(
            0.1, abs=0.01
        )
        assert y.min() > -0.5
    assert np.abs(back - both.source.examples).max() > 1  # other points
    held_out = domains.moons("test", count=2_000)
    assert not set(map(tuple, held_out.source.examples)) & set(map(tuple, both.source.examples))
    np.testing.assert_array_equal(both.target.examples, domains.moons("train", count=2_000).target.examples)


def test_batches_bring_both_domains_and_only_the_sources_labels():
    both = domains.moons("train", count=40)
    batches = list(both.batches(8, steps=10, seed=4).as_numpy_iterator())
    assert len(batches) == 10
    label_of = {tuple(x): y for x, y in zip(both.source.examples, both.source.labels, strict=True)}
    for (x, y), target in batches:
        assert x.shape == target.shape == (8, 2) and [label_of[tuple(point)] for point in x] == y.tolist()
    order = {name: {tuple(x): k for k, x in enumerate(data.examples)} for name, data in vars(both).items()}
    epoch = [[order["source"][tuple(p)] for (x, _), _ in batches[:5] for p in x]]
    epoch.append([order["target"][tuple(p)] for _, t in batches[:5] for p in t])
    assert sorted(epoch[0]) == sorted(epoch[1]) == list(range(40)) and epoch[0] != epoch[1]  # no pairs

    later = next(iter(both.batches(8, first=7, steps=1, seed=4).as_numpy_iterator()))
    shards = [next(iter(both.batches(8, first=7, seed=4, shard=(k, 2)).as_numpy_iterator())) for k in range(2)]
    for found in (
        later,
        [
            [np.concatenate(p) for p in zip(*(s[0] for s in shards), strict=True)],
            np.concatenate([s[1] for s in shards]),
        ],
    ):
        np.testing.assert_array_equal(found[0][0], batches[7][0][0])
        np.testing.assert_array_equal(found[0][1], batches[7][0][1])
        np.testing.assert_array_equal(found[1], batches[7][1])


def test_sets_that_do_not_fit_are_one_sentence():
    digits = datasets.load("digits", "test", count=5)
    small = datasets.load("digits", "test", count=5, size=14)
    with pytest.raises(UsageError, match=r"^data set 'digits' has no labels: [^\n]*\.$"):
        Domains(dataclasses.replace(digits, labels=None), digits)
    with pytest.raises(
        UsageError, match=r"^'digits' is of shape \(28, 28, 1\) but 'digits' of \(14, 14, 1\): [^\n]*\.$"
    ):
        Domains(digits, small)
    with pytest.raises(UsageError, match=r"has the classes 0, [^\n]* but 'digits' a, b: [^\n]*\.$"):
        Domains(digits, dataclasses.replace(digits, label_names=["a", "b"]))
    assert Domains(digits, dataclasses.replace(digits, labels=None)).target.labels is None
