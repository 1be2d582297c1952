"""Figures of autoencoders, by hand."""

import numpy as np
import pytest

from kgan.errors import UsageError
from kgan.metrics import codes


def test_likelihood_bound_by_hand():
    weights = np.log([[1.0, 3.0, 2.0, 6.0], [1.0, 1.0, 4.0, 4.0]])
    assert codes.likelihood_bound(weights)[0] == pytest.approx(weights.mean())
    pairs = np.log([[2.0, 4.0], [1.0, 4.0]])
    value, error = codes.likelihood_bound(weights, 2)
    assert value == pytest.approx(pairs.mean())
    assert error == pytest.approx(np.log(2) / 4)  # half the difference of log sqrt(8) and log 2
    assert codes.likelihood_bound(weights, 4)[0] == pytest.approx(np.log([3.0, 2.5]).mean())
    assert codes.likelihood_bound(weights - 1000, 4)[0] == pytest.approx(np.log([3.0, 2.5]).mean() - 1000)
    with pytest.raises(UsageError, match="4 draws cannot be divided by k = 3"):
        codes.likelihood_bound(weights, 3)


def test_reconstruction_error_by_hand():
    images = np.array([0, 255, 51], np.uint8).reshape(1, 1, 3, 1)
    assert codes.reconstruction_error(images, np.array([51, 204, 51], np.uint8).reshape(1, 1, 3, 1)) == pytest.approx(
        2 * 0.04 / 3
    )


def test_sharpness_by_hand_and_under_blur():
    image = np.zeros((1, 4, 3, 1), np.uint8)
    image[0, 1, 1] = 255  # interior Laplacians: -4 at the point, 1 below it
    assert codes.sharpness(image) == pytest.approx(2.5**2)
    sharp = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 1)).astype(np.uint8)
    blurred = ((sharp.astype(int) + np.roll(sharp, 1, axis=1) + np.roll(sharp, 1, axis=2)) // 3).astype(np.uint8)
    assert codes.sharpness(blurred) < 0.5 * codes.sharpness(sharp)
    assert codes.sharpness(np.full((2, 8, 8, 3), 99, np.uint8)) == 0


def test_what_codes_know():
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 50)
    points = random.normal(size=(200, 3)) * [0.1, 0.1, 0.001] + np.eye(4)[labels][:, :3] * [5, 5, 0]
    assert codes.active_latents(points) == 2
    assert codes.neighbour_accuracy(points[labels < 2], labels[labels < 2]) == 1.0
    shuffled = random.permutation(labels)
    assert codes.neighbour_accuracy(points, shuffled) == pytest.approx(0.25, abs=0.15)


def test_matched_classes_by_hand():
    values = np.array([0, 0, 0, 1, 1, 1, 2])
    classes = np.array([5, 5, 4, 5, 5, 5, 4])  # to value 0 the likeliest class is 5, which value 1 has more of
    match, error = codes.matched_classes(values, classes, (3, 6))
    assert list(match[:2]) == [4, 5] and match[2] not in (4, 5) and error == pytest.approx(3 / 7)
    match, error = codes.matched_classes(classes, values, (6, 2 + 1))
    assert match[5] == 1 and match[4] in (0, 2) and (match == -1).sum() == 3


def test_transfer_by_hand():
    training = np.array([[0.0, 0.0], [0.0, 2.0], [9.0, 1.0]]), np.array([3, 4, 3])
    held_out = np.array([[0.0, 0.4], [1.0, 1.5], [8.0, 1.0], [0.0, 0.9]]), np.array([3, 4, 4, 3])
    assert codes.neighbour_transfer(training, held_out) == pytest.approx(3 / 4)


def test_a_linear_probe_reads_what_lies_along_a_line_and_nothing_else():
    points = np.random.default_rng(0).normal(size=(600, 2)) * [1, 1_000]
    of_line, of_ring = (points[:, 0] > 0).astype(int), (np.abs(points[:, 0]) > 0.67).astype(int)
    for labels, low, high in ((of_line, 0.97, 1.0), (of_ring, 0.35, 0.65)):
        found = codes.linear_probe((points[:400], labels[:400]), (points[400:], labels[400:]))
        assert low <= found <= high
