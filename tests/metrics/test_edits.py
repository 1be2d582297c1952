"""Figures of edits, on models whose answers are known."""

import numpy as np

from kgan.metrics import edits

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8)


class Known:
    """Attributes are levels of single pixels: an edit sets red of the first to 255, and disturbs the last image."""

    def call(self, name, images, tags, strengths, steps):
        assert name == "edit" and set(tags) <= {"glasses", "hair=red"} and np.all(strengths == 2) and steps == 1
        edited = images.copy()
        edited[:, 0, 0 if tags[0] == "glasses" else 1] = 255
        edited[-1, 1, 1] = 255 - edited[-1, 1, 1]
        return {"images": edited, "reconstructions": images}


def read(images):
    return {
        "glasses": images[:, 0, 0, 0] == 255,
        "hair": np.where(images[:, 0, 1, 0] > 250, "red", "blue"),
        "mouth": np.where(images[:, 1, 1, 0] > 127, "smile", "flat"),
    }


def test_attributes_that_are_confirmed_and_kept():
    images = IMAGES.copy()
    images[:, 0, :2] = 0
    images[:2, 0, 0] = 255  # two with glasses
    tags = [{tag: values[index] for tag, values in read(images).items()} for index in range(6)]
    tags[5]["mouth"] = "other"  # read wrongly
    tags = [tag | {"glasses": bool(tag["glasses"])} for tag in tags]
    found = edits.attribute_figures(
        Known(), images, tags, ("glasses", "hair=red"), read,
        strength=2, steps=1, reader="pixels", reference_name="images",
    )  # fmt: skip
    values = {figure.name: figure.value for figure in found}
    assert values["glasses: edits confirmed"] == values["hair=red: edits confirmed"] == values["edits confirmed"] == 1
    np.testing.assert_allclose(values["glasses: other tags kept"], 7 / 8)  # of 4 images' hair and mouth
    np.testing.assert_allclose(values["hair=red: other tags kept"], 11 / 12)
    np.testing.assert_allclose(values["glasses: other tags as in truth"], 7 / 8)  # of them one mouth is another
    np.testing.assert_allclose(values["hair=red: other tags as in truth"], 11 / 12)
    np.testing.assert_allclose(values["other tags kept"], (7 / 8 + 11 / 12) / 2)
    np.testing.assert_allclose(values["tags of reconstructions as in truth"], (11 / 12 + 17 / 18) / 2)
    assert "4 images without it; strength 2, 1 steps" in found[3].protocol


def test_strokes_are_boxes_of_another_images_colour():
    painted = edits.strokes(np.stack([np.zeros([8, 12, 1], np.uint8), np.full([8, 12, 1], 200, np.uint8)]))
    for constraint, own in zip(painted, (0, 200), strict=True):
        rows, columns = np.nonzero(constraint[..., 3])
        assert len(rows) == 2 * 3 and np.ptp(rows) == 1 and np.ptp(columns) == 2
        assert set(constraint[rows, columns, :3].ravel()) == {200 - own}


def test_the_error_of_a_colour_is_counted_where_it_is_painted():
    constraints = np.zeros([1, 1, 3, 4], np.uint8)
    constraints[0, 0, 0], constraints[0, 0, 1] = (255, 0, 0, 255), (0, 0, 0, 51)
    images = np.array([[[[153, 0, 0], [0, 255, 255], [9, 9, 9]]]], np.uint8)
    np.testing.assert_allclose(edits.colour_error(images, constraints), [(0.4 + 0.2 * 2) / (3 * 1.2)])
