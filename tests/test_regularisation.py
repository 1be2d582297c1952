"""Noise and flipped labels: how much, how often, and always the same for the same seed."""

import numpy as np
import pytest
import tensorflow as tf

from kgan import objectives, regularisation
from kgan.errors import UsageError

SEED = tf.constant([1, 2])


def test_instance_noise():
    x = tf.fill([50, 8, 8, 3], 0.25)
    noisy = regularisation.instance_noise(x, 0.3, SEED).numpy()
    assert noisy.mean() == pytest.approx(0.25, abs=0.015) and noisy.std() == pytest.approx(0.3, rel=0.03)
    np.testing.assert_array_equal(noisy, regularisation.instance_noise(x, 0.3, SEED))
    assert np.any(noisy != regularisation.instance_noise(x, 0.3, tf.constant([1, 3])).numpy())
    np.testing.assert_array_equal(regularisation.instance_noise(x, 0.0, SEED), x)
    assert regularisation.instance_noise(tf.cast(x, tf.bfloat16), tf.constant(0.3), SEED).dtype == tf.bfloat16


def test_noise_decays_in_a_straight_line():
    inside = tf.function(lambda step: regularisation.noise_stddev(step, start=0.2, decay_steps=100))
    for step, stddev in [(0, 0.2), (25, 0.15), (100, 0.0), (10_000, 0.0)]:
        np.testing.assert_allclose(inside(tf.constant(step, tf.int64)), stddev, atol=1e-7)
        np.testing.assert_allclose(regularisation.noise_stddev(step, 0.2, 100), stddev, atol=1e-7)
    with pytest.raises(UsageError, match="over 0 steps"):
        regularisation.noise_stddev(0, 0.2, 0)


def test_flip_swaps_whole_pairs_with_the_probability():
    n = 5000
    real = tf.reshape(tf.range(n * 4, dtype=tf.float32), [n, 2, 2, 1])
    fake = -1.0 - real
    a, b = (scores.numpy() for scores in regularisation.flip(real, fake, 0.2, SEED))
    swapped = a[:, 0, 0, 0] < 0
    expected = np.where(swapped[:, None, None, None], fake, real)
    np.testing.assert_array_equal(a, expected)  # the patches of a sample go together
    np.testing.assert_array_equal(b, -1.0 - expected)  # and nothing is lost: what is not in one is in the other
    assert swapped.mean() == pytest.approx(0.2, abs=4 * np.sqrt(0.16 / n))
    np.testing.assert_array_equal(a, regularisation.flip(real, fake, 0.2, SEED)[0])
    for probability, (first, second) in [(0.0, (real, fake)), (1.0, (fake, real))]:
        a, b = regularisation.flip(real, fake, probability, SEED)
        np.testing.assert_array_equal(a, first)
        np.testing.assert_array_equal(b, second)


def test_flipped_scores_are_flipped_labels():
    """With every label flipped, the discriminator is taught the opposite: real towards 0, generated towards 1."""
    real, fake = tf.constant([[1.0], [2.0]]), tf.constant([[-0.5], [0.3]])
    with tf.GradientTape() as tape:
        tape.watch([real, fake])
        loss = objectives.get("gan").discriminator_loss(*regularisation.flip(real, fake, 1.0, SEED))
    d_real, d_fake = tape.gradient(loss, [real, fake])
    np.testing.assert_allclose(d_real, tf.sigmoid(real) / 2, rtol=1e-5)
    np.testing.assert_allclose(d_fake, (tf.sigmoid(fake) - 1) / 2, rtol=1e-5)


def test_mistakes():
    with pytest.raises(UsageError, match="swaps pairs"):
        regularisation.flip(tf.zeros([3, 1]), tf.zeros([2, 1]), 0.1, SEED)
    with pytest.raises(UsageError, match="1.5"):
        regularisation.flip(tf.zeros([3, 1]), tf.zeros([3, 1]), 1.5, SEED)


def test_jitter_moves_images_about_their_centre():
    """A spot in the middle: how far its centre of mass wanders, and how a bar turns, in the units given."""
    n, side = 3_000, 21
    images = np.full([n, side, side, 1], -1.0, np.float32)
    images[:, 9:12, 9:12] = 1.0
    np.testing.assert_allclose(regularisation.jitter(images, 0.0, SEED), images, atol=1e-6)
    moved = regularisation.jitter(images, 0.1, SEED)
    np.testing.assert_array_equal(moved, regularisation.jitter(images, 0.1, SEED))
    weight = (moved.numpy()[..., 0] + 1) / 2
    weight /= weight.sum(axis=(1, 2), keepdims=True)
    places = np.arange(side) - (side - 1) / 2
    for shift in ((weight.sum(axis=1) * places).sum(axis=1), (weight.sum(axis=2) * places).sum(axis=1)):
        assert shift.mean() == pytest.approx(0, abs=0.1)
        assert shift.std() == pytest.approx(0.05 * side, rel=0.1)
    bars = np.full([n, side, side, 1], -1.0, np.float32)
    bars[:, 10] = 1.0
    turned = (regularisation.jitter(bars, 0.1, SEED).numpy()[..., 0] + 1) / 2
    heights = (turned * places[:, None]).sum(axis=1) / turned.sum(axis=1)  # of the bar, in each column
    slope = (heights * places).sum(axis=1) / (places**2).sum()
    assert slope.std() == pytest.approx(0.1, rel=0.25)
    assert moved.shape == images.shape and moved.dtype == tf.float32


def test_strokes_are_drawn_thicker_and_thinner():
    n = 2_000
    images = np.full([n, 16, 16, 1], -1.0, np.float32)
    images[:, 2:14, 7:9] = 0.2  # a grey line of two pixels
    images[-1] = -1.0
    drawn = regularisation.restroke(images, 0.25, SEED).numpy()
    np.testing.assert_array_equal(drawn, regularisation.restroke(images, 0.25, SEED))
    np.testing.assert_array_equal(drawn[-1], images[-1])  # of nothing, nothing
    assert drawn.shape == images.shape and drawn.dtype == np.float32
    np.testing.assert_allclose(drawn[:-1].max(axis=(1, 2, 3)), 1, atol=1e-5)
    assert drawn.min() >= -1 - 1e-5 and (drawn[:, :, :3] < -0.95).all()
    widths = ((drawn[:-1, 8, :, 0] + 1) / 2).sum(axis=1)
    assert widths.min() < 2.2 and widths.max() > 3.5
    same = ((regularisation.restroke(images, 0.0, SEED).numpy()[:-1, 8, :, 0] + 1) / 2).sum(axis=1)
    assert np.ptp(same) < 0.5 * np.ptp(widths)
