"""Pictures that are put together from images."""

import numpy as np

from kgan import pictures


def test_each_row_has_its_caption():
    images = np.repeat(np.arange(0, 240, 40, dtype=np.uint8), 60 * 60).reshape(6, 60, 60, 1)
    sheet = pictures.captioned(images, ["red hair", "赤い髪", "a" * 99], columns=2)
    rows = pictures.grid(images[:2], 2).shape
    label = pictures.text(["red hair"], 20).shape[1]
    assert sheet.dtype == np.uint8 and sheet.shape == (3 * rows[0], label + rows[1], 3)
    for row in range(3):
        here = sheet[row * rows[0] : (row + 1) * rows[0]]
        np.testing.assert_array_equal(here[:, label:], pictures.grid(images[2 * row : 2 * row + 2], 2))
        assert here[:, :label].min() < 128  # something is written
        assert here[:, label - 8 : label].min() == 255  # and ends before the images begin
