"""What a person paints, well and badly, and what comes back to the photo."""

import numpy as np
import pytest
from PIL import Image

from kgan import brush
from kgan.errors import UsageError

SHAPE = (8, 8, 3)


def test_a_colour_in_a_box_at_the_models_own_size():
    found = brush.fill_box("#ff8000", (1, 2, 3, 5), SHAPE, SHAPE)
    expected = np.zeros([8, 8, 4], np.uint8)
    expected[2:5, 1:3] = (255, 128, 0, 255)
    np.testing.assert_array_equal(found, expected)


def test_a_brush_of_the_photos_size_is_brought_to_the_models(tmp_path):
    sheet = np.zeros([16, 16, 4], np.uint8)
    sheet[:8] = (0, 0, 255, 255)
    Image.fromarray(sheet).save(tmp_path / "brush.png")
    found = brush.read_brush(tmp_path / "brush.png", (16, 16), SHAPE)
    assert found.shape == (8, 8, 4)
    np.testing.assert_array_equal(found[0], np.broadcast_to([0, 0, 255, 255], [8, 4]))
    assert found[:4, :, 3].min() > 200 and found[4:, :, 3].max() < 50 and not found[7, :, 3].any()


@pytest.mark.parametrize(
    ("size", "mode", "fill", "said"),
    [
        ((8, 8), "RGB", "red", "has no alpha"),
        ((9, 7), "RGBA", "red", "is 9 x 7 pixels: it must be 16 x 16 or 8 x 8"),
        ((16, 16), "RGBA", (0, 0, 0, 0), "paints nothing"),
    ],
)
def test_a_brush_that_cannot_be_used(size, mode, fill, said, tmp_path):
    Image.new(mode, size, fill).save(tmp_path / "brush.png")
    with pytest.raises(UsageError, match=said):
        brush.read_brush(tmp_path / "brush.png", (16, 16), SHAPE)


@pytest.mark.parametrize(
    ("colour", "box", "said"),
    [
        ("redd", (0, 0, 2, 2), "unknown colour 'redd'"),
        ("red", (2, 2, 2, 4), "box 2 2 2 4 is not in the image of 8 x 8"),
        ("red", (0, 0, 9, 4), "box 0 0 9 4 is not in the image"),
    ],
)
def test_a_box_that_cannot_be_painted(colour, box, said):
    with pytest.raises(UsageError, match=said):
        brush.fill_box(colour, box, SHAPE, SHAPE)


def test_what_is_no_photo(tmp_path):
    (tmp_path / "text.png").write_text("text")
    for name in ("text.png", "nowhere.png"):
        with pytest.raises(UsageError, match="cannot be read as an image"):
            brush.read_photo(tmp_path / name, 3)


def test_a_change_comes_back_to_the_photo_in_its_own_size():
    photo = np.full([20, 12, 3], 100, np.uint8)
    before, after = np.full(SHAPE, 50, np.uint8), np.full(SHAPE, 80, np.uint8)
    after[..., 1] = 255
    carried = brush.carry(photo, before, after)
    np.testing.assert_array_equal(carried[4:16], np.broadcast_to([130, 255, 130], [12, 12, 3]))
    np.testing.assert_array_equal(carried[[0, 3, 16, 19]], 100)
    small = np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8)
    exact = np.clip(small.astype(int) + after - before.astype(int), 0, 255)
    np.testing.assert_array_equal(brush.carry(small, before, after), exact)


def test_paint_is_laid_over_with_its_alpha():
    constraint = np.zeros([1, 1, 2, 4], np.uint8)
    constraint[0, 0, 1] = (200, 0, 0, 51)
    found = brush.overlay(np.full([1, 1, 2, 1], 100, np.uint8), constraint)
    np.testing.assert_array_equal(found[0, 0], [[100, 100, 100], [120, 80, 80]])
