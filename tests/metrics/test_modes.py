import math

import numpy as np
import pytest

from kgan.errors import UsageError
from kgan.metrics.modes import class_histogram, entropy, k_means, kl_2d, mode_coverage

RING = np.stack([np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)], axis=1)


def test_a_faithful_ring_is_covered():
    random = np.random.default_rng(0)
    samples = RING[random.integers(8, size=2500)] + random.normal(size=(2500, 2)) * 0.01
    found = mode_coverage(samples, RING, 0.01)
    assert (found.covered, found.modes, found.missing) == (8, 8, ())
    assert found.high_quality == pytest.approx(1 - math.exp(-4.5), abs=0.005)  # the chi-square law of two dimensions
    assert found.reverse_kl == pytest.approx(7 / (2 * 2500), abs=0.003)  # its expectation is (K - 1) / 2N


def test_dropped_modes_are_named():
    samples = np.repeat(np.delete(RING, [2, 5], axis=0), 10, axis=0)
    found = mode_coverage(samples, RING, 0.01, names=list("abcdefgh"))
    assert (found.covered, found.missing, found.high_quality) == (6, ("c", "f"), 1.0)
    assert found.reverse_kl == pytest.approx(math.log(8 / 6))
    assert mode_coverage(samples, RING, 0.01).missing == ("(0, 1)", "(-0.707, -0.707)")


def test_the_three_sigma_rule_and_the_reverse_kl_by_hand():
    centres = np.array([[0.0, 0.0], [10.0, 0.0]])
    # Distances 2.9, 3.1 and 2.1 sqrt(2) = 2.97 from the first, and 4 from the second.
    samples = np.array([[2.9, 0], [0, -3.1], [2.1, 2.1], [10, 4]])
    found = mode_coverage(samples, centres, 1.0, weights=[1, 3])
    assert (found.covered, found.high_quality, found.missing) == (1, 0.5, ("(10, 0)",))
    # The poor samples count for their nearest mode: 3/4 and 1/4 against 1/4 and 3/4.
    assert found.reverse_kl == pytest.approx(0.75 * math.log(3) - 0.25 * math.log(3))


def test_mode_coverage_refuses():
    with pytest.raises(UsageError, match="shape"):
        mode_coverage(np.zeros((3, 3)), RING, 0.01)
    with pytest.raises(UsageError, match="sigma is 0"):
        mode_coverage(RING, RING, 0)
    with pytest.raises(UsageError, match="8 positive numbers"):
        mode_coverage(RING, RING, 1, weights=[1, 2])


def test_class_histogram_by_hand():
    predictions = np.array([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1]])
    found = class_histogram(predictions, np.array([0, 1, 1, 2]), ["cat", "dog", "owl"])
    assert found.counts == {"cat": 3, "dog": 1, "owl": 0}
    assert found.missing == ("owl",)
    assert found.kl == pytest.approx(0.75 * math.log(3) + 0.25 * math.log(0.5))  # 3/4, 1/4, 0 against 1/4, 1/2, 1/4
    assert class_histogram(predictions.argmax(1), np.array([0, 1, 1, 2]), ["cat", "dog", "owl"]) == found
    assert class_histogram(np.array([0, 1]), np.array([0, 0]), ["cat", "dog"]).kl == math.inf


@pytest.mark.parametrize("predictions, labels", [([0, 3], [0, 1]), ([0, 1], []), ([[0.1, 0.9]], [0, 1])])
def test_class_histogram_refuses(predictions, labels):
    with pytest.raises(UsageError, match="one class number|one name a class"):
        class_histogram(np.array(predictions), np.array(labels), ["a", "b", "c"])


def test_kl_2d_by_hand():
    # The box [0, 1]^2 widened to [-.1, 1.1]^2, in four cells of .6, and a fifth for what is outside.
    real = np.array([[0, 0], [1, 1], [0.1, 0.2], [0.9, 0.1]])  # 2, 1, 0, 1, 0 in the cells ll, lr, ul, ur, outside
    fake = np.array([[0.2, 0.2], [1.15, 1.15]])  # 1, 0, 0, 0, 1
    r, g = (np.array(counts) / np.sum(counts) for counts in ([2.5, 1.5, 0.5, 1.5, 0.5], [1.5, 0.5, 0.5, 0.5, 1.5]))
    found = kl_2d(real, fake, bins=2, smoothing=0.5)
    assert found.real_fake == pytest.approx(sum(p * math.log(p / q) for p, q in zip(r, g, strict=True)))
    assert found.fake_real == pytest.approx(sum(q * math.log(q / p) for p, q in zip(r, g, strict=True)))
    assert kl_2d(real, real) == (0, 0)


def test_kl_2d_tells_collapse_from_spread():
    random = np.random.default_rng(0)
    points = RING[random.integers(8, size=5000)] + random.normal(size=(5000, 2)) * 0.05
    collapsed = RING[0] + random.normal(size=(5000, 2)) * 0.05
    spread = random.uniform(-1.2, 1.2, (5000, 2))
    assert kl_2d(points, collapsed).fake_real == pytest.approx(math.log(8), abs=0.1)
    assert kl_2d(points, collapsed).real_fake > 4
    assert kl_2d(points, spread).fake_real > kl_2d(points, spread).real_fake


def test_kl_2d_refuses():
    with pytest.raises(UsageError, match=r"generated points have the shape \(4, 3\)"):
        kl_2d(np.zeros((4, 2)), np.zeros((4, 3)))
    with pytest.raises(UsageError, match="smoothing 0"):
        kl_2d(np.zeros((4, 2)), np.zeros((4, 2)), smoothing=0)


def test_entropy_by_hand():
    assert entropy(np.array([5, 5, 0])) == pytest.approx(math.log(2))
    assert entropy(np.array([1, 3])) == pytest.approx(0.25 * math.log(4) + 0.75 * math.log(4 / 3))
    assert entropy(np.array([7, 0])) == 0
    assert math.isnan(entropy(np.zeros(3)))


def test_k_means_finds_what_is_apart():
    random = np.random.default_rng(0)
    points = np.repeat(RING, 50, axis=0) + random.normal(size=(400, 2)) * 0.01
    centres = k_means(points, 8)
    distances = np.linalg.norm(centres[:, None] - RING, axis=-1)
    assert sorted(distances.argmin(axis=1).tolist()) == list(range(8)) and distances.min(axis=1).max() < 0.01
    assert k_means(np.ones((5, 2)), 3).shape == (3, 2)  # more clusters than there are different points
