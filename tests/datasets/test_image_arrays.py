"""Pictures of every kind to uint8 arrays, and to [-1, 1] and back."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kgan.datasets import from_uint8, to_uint8
from kgan.datasets.images import check_memory, fit, fit_all, parse_size
from kgan.errors import UsageError


def test_round_trip_is_exact_for_all_values():
    values = np.arange(256, dtype=np.uint8)
    there = from_uint8(values)
    assert there.dtype == np.float32
    assert (there[0], there[255]) == (-1, 1)
    np.testing.assert_allclose(there, values / 127.5 - 1.0, atol=1e-7)
    np.testing.assert_array_equal(to_uint8(there), values)
    again = tf.function(lambda x: to_uint8(from_uint8(x)))(tf.constant(values))
    assert again.dtype == tf.uint8
    np.testing.assert_array_equal(again, values)


def test_to_uint8_rounds_and_clips():
    x = np.array([-3.0, -1.0, -0.999, 0.001, 0.999, 1.0, 7.0], np.float32)
    expected = [0, 0, 0, 128, 255, 255, 255]  # (x + 1) * 127.5 = .., .1275, 127.63, 254.87, ..
    np.testing.assert_array_equal(to_uint8(x), expected)
    np.testing.assert_array_equal(to_uint8(tf.constant(x)), expected)
    np.testing.assert_array_equal(to_uint8(tf.constant(x, tf.float64)), expected)


def test_fit_crops_the_middle_and_does_not_distort():
    wide = np.zeros((10, 40), np.uint8)
    wide[:, 15:25] = 200  # the middle square
    square = fit(Image.fromarray(wide), (10, 10), 1)
    np.testing.assert_array_equal(square, np.full((10, 10, 1), 200))
    rectangle = fit(Image.fromarray(wide.T.copy()), (20, 10), 3)
    assert rectangle.shape == (20, 10, 3)
    np.testing.assert_array_equal(rectangle[6:14], 200)
    np.testing.assert_array_equal(rectangle[:4], 0)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_channels_are_converted(channels):
    grey = np.array([[[[10]], [[250]]]], np.uint8).repeat(2, axis=2)
    out = fit_all(grey, None, channels)
    assert out.shape == (1, 2, 2, channels)
    np.testing.assert_array_equal(out[..., : min(channels, 3)], np.broadcast_to(grey, (1, 2, 2, min(channels, 3))))
    if channels == 4:
        np.testing.assert_array_equal(out[..., 3], 255)


def test_luminance():
    red = np.zeros((1, 1, 1, 3), np.uint8)
    red[..., 0] = 255
    assert fit_all(red, None, 1).item() == 76  # .299 * 255, ITU-R 601


def test_nothing_to_do_is_nothing_done():
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 3), np.uint8)
    assert fit_all(images, (5, 7), 3) is images


def test_parse_size():
    assert parse_size(None) is None
    assert parse_size(32) == (32, 32)
    assert parse_size(np.int64(8)) == (8, 8)
    assert parse_size([32, 64]) == (32, 64)
    for wrong in (0, -3, (4, -4), (1, 2, 3), (8,), "64", 2.5, (8.5, 8)):
        with pytest.raises(UsageError, match="height, width"):
            parse_size(wrong)


def test_too_much_for_the_memory(monkeypatch):
    monkeypatch.setattr("kgan.datasets.images.machine_memory", lambda: 2 * 2**30)
    check_memory(2**20, (32, 32, 1))
    with pytest.raises(UsageError, match="3.0 GiB but only 1.0 GiB.*lower the size or the count"):
        check_memory(2**20, (32, 32, 3))
