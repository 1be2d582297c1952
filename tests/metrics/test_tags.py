"""The classifier of faces that ships: it knows faces that it was not trained on, and refuses what are none."""

import numpy as np
import pytest

from kgan import datasets
from kgan.errors import UsageError
from kgan.metrics.tags import TAGS, WEIGHTS, read_tags


@pytest.fixture(scope="module")
def held_out():
    return datasets.load("faces", "test", count=300)


def test_it_reads_held_out_faces(held_out):
    found = read_tags(held_out.examples)
    assert set(found) == set(TAGS) == set(held_out.tags[0])
    right = {tag: np.mean(found[tag] == np.array([face[tag] for face in held_out.tags])) for tag in TAGS}
    assert right["hair"] >= 0.98 and right["eyes"] >= 0.90, right
    assert min(right.values()) >= 0.90, right
    assert found["glasses"].dtype == bool and set(found["eyes"]) <= set(TAGS["eyes"])


def test_a_reading_does_not_depend_on_what_else_is_read(held_out):
    whole, alone = read_tags(held_out.examples[:101]), read_tags(held_out.examples[100:101])
    for tag in TAGS:
        assert alone[tag].tolist() == whole[tag][100:].tolist()


def test_other_sizes_are_resized(held_out):
    doubled = held_out.examples[:50].repeat(2, axis=1).repeat(2, axis=2)
    assert np.mean(read_tags(doubled)["hair"] == read_tags(held_out.examples[:50])["hair"]) == 1


def test_the_weights_are_small():
    assert WEIGHTS.stat().st_size < 1e6


@pytest.mark.parametrize(
    "images",
    [np.zeros((2, 64, 64, 1), np.uint8), np.zeros((2, 64, 64, 3)), np.zeros((0, 64, 64, 3), np.uint8), np.zeros(3)],
)
def test_what_is_no_picture_is_refused(images):
    with pytest.raises(UsageError, match=r"were given to the classifier of faces, but uint8 [^\n]*\.$"):
        read_tags(images)
