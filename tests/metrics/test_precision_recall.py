import numpy as np
import pytest

from kgan.errors import UsageError
from kgan.metrics import pairs
from kgan.metrics.neighbours import nearest_neighbours
from kgan.metrics.precision_recall import precision_recall


def brute_share(samples, centres, k):
    inside = 0
    radii = [sorted(np.linalg.norm(centre - other) for other in centres)[k] for centre in centres]  # [0] is itself
    for sample in samples:
        inside += any(np.linalg.norm(sample - centre) <= radius for centre, radius in zip(centres, radii, strict=True))
    return inside / len(samples)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("block_bytes", [pairs.BLOCK_BYTES, 1000])  # all at once, or a few rows at a time
def test_precision_recall_is_that_of_brute_force(monkeypatch, k, block_bytes):
    monkeypatch.setattr(pairs, "BLOCK_BYTES", block_bytes)
    random = np.random.default_rng(0)
    real, fake = random.normal(size=(60, 2)), random.normal(size=(45, 2)) * [0.3, 1.5] + 1
    expected = brute_share(fake, real, k), brute_share(real, fake, k)
    assert precision_recall(real, fake, k=k) == pytest.approx(expected)
    assert 0.1 < expected[0] < 0.9 and 0.1 < expected[1] < 0.9  # the example is worth something


def test_precision_recall_tells_dropped_modes_from_invented_ones():
    random = np.random.default_rng(1)
    left, right = random.normal(size=(100, 2)), random.normal(size=(100, 2)) + 100
    both = np.concatenate([left, right])
    dropped = precision_recall(both, left)
    assert dropped.precision == 1 and dropped.recall == 0.5
    invented = precision_recall(left, both)
    assert invented.precision == 0.5 and invented.recall == 1


def test_precision_recall_refuses_bad_sets():
    with pytest.raises(UsageError, match="k is 0"):
        precision_recall(np.zeros((5, 2)), np.zeros((5, 2)), k=0)
    with pytest.raises(UsageError, match="3 samples, but this needs at least 4"):
        precision_recall(np.zeros((5, 2)), np.zeros((3, 2)))


@pytest.mark.parametrize("block_bytes", [pairs.BLOCK_BYTES, 2000])
def test_nearest_neighbours_are_those_of_brute_force(monkeypatch, block_bytes):
    monkeypatch.setattr(pairs, "BLOCK_BYTES", block_bytes)
    random = np.random.default_rng(0)
    training = random.integers(0, 256, (70, 4, 5, 3), dtype=np.uint8)
    samples = random.integers(0, 256, (34, 4, 5, 3), dtype=np.uint8)
    samples[10] = training[42]
    every = np.sqrt(((samples[:, None].astype(int) - training) ** 2).sum(axis=(2, 3, 4)))
    indices, distances = nearest_neighbours(samples, training)
    np.testing.assert_array_equal(indices, every.argmin(axis=1))
    np.testing.assert_allclose(distances, every.min(axis=1), rtol=1e-12)
    assert indices[10] == 42 and distances[10] == 0


def test_nearest_neighbours_refuses_other_shapes():
    with pytest.raises(UsageError, match=r"\(28, 28, 1\) and the training examples \(32, 32, 1\)"):
        nearest_neighbours(np.zeros((2, 28, 28, 1)), np.zeros((2, 32, 32, 1)))
    with pytest.raises(UsageError, match="0 examples"):
        nearest_neighbours(np.zeros((2, 3)), np.zeros((0, 3)))
