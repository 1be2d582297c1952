"""Directions of attributes: means by hand, and correlated attributes that are told apart."""

import numpy as np
import pytest

from kgan import attributes
from kgan.datasets.data import Data
from kgan.errors import UsageError

TAGS = [
    {"glasses": True, "hair": "red"},
    {"glasses": False, "hair": "blue"},
    {"hair": "red"},
    {"glasses": True, "hair": "blue"},
]


def data(tags, **given) -> Data:
    return Data("own", "train", np.zeros([4, 8, 8, 3], np.uint8), tags=tags, **given)


def test_the_attributes_of_tags_and_of_classes():
    found = attributes.of_data(data(TAGS))
    assert found.names == ("glasses", "hair=blue", "hair=red") and found.groups == ("glasses", "hair", "hair")
    np.testing.assert_array_equal(found.present.T, [[1, 0, 0, 1], [0, 1, 0, 1], [1, 0, 1, 0]])
    classes = attributes.of_data(data(None, labels=np.array([0, 1, 1, 0]), label_names=["cat", "dog"]))
    assert classes.names == ("class=cat", "class=dog")


@pytest.mark.parametrize("tags", [None, [{}] * 4, [{"glasses": True}] * 4])
def test_images_that_nothing_tells_apart(tags):
    with pytest.raises(UsageError, match="have no tags that tell them apart"):
        attributes.of_data(data(tags))


def test_a_direction_is_the_difference_of_the_means():
    codes = np.array([[1.0, 0], [3, 2], [5, 7], [0, 1]])
    present = np.array([[1, 0, 0, 1], [0, 0, 1, 0]], bool).T
    expected = [[0.5 - 4, 0.5 - 4.5], [5 - 4 / 3, 7 - 1]]
    np.testing.assert_allclose(attributes.directions(codes, present), expected)


def test_correlated_attributes_are_told_apart():
    random, true = np.random.default_rng(0), np.array([[2.0, 0, 0], [0, 3, 0]])
    age = random.random(4000) < 0.5
    glasses = random.random(4000) < np.where(age, 0.9, 0.1)
    present = np.stack([age, glasses], axis=1)
    codes = present @ true + random.normal(0, 0.1, (4000, 3))
    plain = attributes.directions(codes, present)
    apart = attributes.decorrelated(codes, present, ("age", "glasses"))
    assert abs(plain[1, 0]) > 1  # glasses alone would age
    np.testing.assert_allclose(apart, true, atol=0.03)
    assert attributes.correlations(present)[0, 1] == pytest.approx(0.8, abs=0.03)
    assert attributes.cosines(plain)[0, 1] > 0.5 and abs(attributes.cosines(apart)[0, 1]) < 0.02
    found = attributes.Attributes(("age", "glasses"), present, ("age", "glasses"))
    header, row = attributes.table(found, plain, apart).splitlines()
    *pair, data, before, after = row.split()
    assert pair == ["age", "~", "glasses"] and float(data) == pytest.approx(0.8, abs=0.03)
    assert float(before) > 0.5 and abs(float(after)) < 0.03


def test_values_of_one_tag_exclude_each_other_and_stay_as_they_are():
    """And where nothing goes together, decorrelating changes nothing."""
    hair, glasses = np.meshgrid(np.arange(3), np.arange(2))
    hair, glasses = np.tile(hair.ravel(), 4), np.tile(glasses.ravel(), 4)
    present = np.stack([*(hair == k for k in range(3)), glasses == 1], axis=1)
    codes = np.random.default_rng(1).normal(size=(24, 5))
    apart = attributes.decorrelated(codes, present, ("hair", "hair", "hair", "glasses"))
    np.testing.assert_allclose(apart, attributes.directions(codes, present), atol=1e-9)


def test_no_direction_points_nowhere():
    np.testing.assert_allclose(attributes.cosines(np.array([[0.0, 0], [3, 4]])), [[0, 0], [0, 1]])
