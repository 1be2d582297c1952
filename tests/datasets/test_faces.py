"""Faces: what the tags say is what the pixels show."""

import io

import numpy as np
import pytest
import resvg_py
from PIL import Image

from kgan.datasets import faces, load


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Faces at the usual size; 150 have nearly all layers, and every colour many times."""
    return load("faces", count=150, cache=tmp_path_factory.mktemp("cache"))


def rgb(code: str) -> np.ndarray:
    return np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)], float)


def near(image: np.ndarray, colour: np.ndarray, within: float = 12) -> np.ndarray:
    return np.linalg.norm(image.astype(float) - colour, axis=-1) < within


def eyes(image: np.ndarray) -> np.ndarray:
    """The part of a 64-pixel face where the eyes are."""
    return image[27:42, 10:42]


def test_what_comes(drawn):
    assert drawn.examples.shape == (150, 64, 64, 3)
    assert drawn.examples.dtype == np.uint8
    assert len(drawn.tags) == len(drawn.captions) == 150
    assert "Lisa Wischofsky" in drawn.licence
    assert "CC BY 4.0" in drawn.licence
    assert len(faces.HAIR) >= 8
    assert len(faces.EYES) >= 5
    assert len(faces.SKIN) >= 4
    assert drawn.captions[0] == f"{drawn.tags[0]['hair']} hair {drawn.tags[0]['eyes']} eyes"


def test_every_look_occurs(drawn):
    for key, values in {
        "hair": faces.HAIR, "eyes": faces.EYES, "skin": faces.SKIN, "mouth": faces.MOUTHS,
        "hair_length": ("long", "short"), "glasses": (True, False),
    }.items():  # fmt: skip
        assert {tag[key] for tag in drawn.tags} == set(values)


def test_hair_and_skin_are_the_commonest_such_colours_in_the_picture(drawn):
    """Among the named colours of hair (of skin) that could be meant, the tag's fills the most pixels."""
    for image, tag in zip(drawn.examples, drawn.tags, strict=True):
        hair = {name: near(image, rgb(code)).sum() for name, code in faces.HAIR.items()}
        del hair["black" if tag["hair"] != "black" else "brown"]  # all outlines are black
        assert max(hair, key=hair.get) == tag["hair"], (tag, hair)
        assert hair[tag["hair"]] > 60
        skin = {name: near(image, rgb(code)).sum() for name, code in faces.SKIN.items()}
        assert max(skin, key=skin.get) == tag["skin"], (tag, skin)


def test_the_eyes_have_their_colour_at_64_pixels(drawn):
    for image, tag in zip(drawn.examples, drawn.tags, strict=True):
        seen = {name: near(eyes(image), rgb(code), 60).sum() for name, code in faces.EYES.items()}
        assert seen[tag["eyes"]] >= 6, (tag, seen)
    # On the light skin, with glasses off and fair hair, no other thing near the eyes has such a colour.
    clear = [(image, tag) for image, tag in zip(drawn.examples, drawn.tags, strict=True) if tag["skin"] == "light"]
    clear = [(image, tag) for image, tag in clear if not tag["glasses"] and tag["hair"] in ("white", "gray", "aqua")]
    for image, tag in clear:
        seen = {name: near(eyes(image), rgb(code), 40).sum() for name, code in faces.EYES.items()}
        del seen["black" if tag["eyes"] != "black" else "brown"]  # all outlines are black
        assert max(seen, key=seen.get) == tag["eyes"], (tag, seen)
    assert len(clear) >= 3


def test_named_colours_are_far_apart():
    for table in (faces.HAIR, faces.EYES, faces.SKIN):
        colours = np.array([rgb(code) for code in table.values()])
        distance = np.linalg.norm(colours[:, None] - colours, axis=2) + 1e9 * np.eye(len(colours))
        assert distance.min() > 60


def test_glasses_and_long_hair_are_drawn():
    """Change one choice and the picture changes there, and only there."""
    choice = faces.choose("train", 1, 0)[0]
    column = list(faces.CHOICES).index

    def drawn_with(**changes):
        row = choice.copy()
        for name, value in changes.items():
            row[column(name)] = value
        return faces.draw(row[None], 64)[0].astype(int)

    short = {"length": 1, "style": 3}  # the shaven one: nothing over the eyes
    bare, glasses = drawn_with(glasses=9, **short), drawn_with(glasses=1, **short)
    changed = np.abs(bare - glasses).max(-1) > 30
    assert 15 < changed.sum() < 300
    rows, columns = np.nonzero(changed)
    assert rows.min() >= 22 and rows.max() <= 45
    assert columns.min() >= 6 and columns.max() <= 50
    hair = rgb(list(faces.HAIR.values())[choice[column("hair")]])
    below_the_chin = [near(drawn_with(**{**short, "length": k})[48:], hair).sum() for k in (0, 1)]
    assert below_the_chin[0] > below_the_chin[1] + 50


def test_putting_layers_together_is_what_the_whole_drawing_gives():
    """The renderer's own picture of the whole SVG is the reference."""
    from dicebear import Avatar

    choices = faces.choose("train", 3, 5)
    for row in choices:
        tag = faces.describe(row)
        at = dict(zip(faces.CHOICES, row, strict=True))
        options = {
            "seed": "whole", "scale": 1.1, "detailsProbability": 0, "earringsProbability": 0,
            "glassesProbability": 100 * tag["glasses"], "backgroundColor": faces.BACKGROUND,
            "hairColor": faces.HAIR[tag["hair"]], "eyesColor": faces.EYES[tag["eyes"]],
            "skinColor": faces.SKIN[tag["skin"]],
            "hairVariant": tag["hair_length"] + faces.HAIR_STYLES[tag["hair_length"]][at["style"]],
            "eyesVariant": "variant" + faces.EYE_SHAPES[at["shape"]],
            "eyebrowsVariant": "variant" + faces.EYEBROWS[at["eyebrows"]],
            "mouthVariant": "variant" + faces.MOUTHS[tag["mouth"]],
        }  # fmt: skip
        if tag["glasses"]:
            options["glassesVariant"] = "variant" + faces.GLASSES[at["glasses"]]
        svg = Avatar(faces._style(), options).to_string()
        whole = Image.open(io.BytesIO(resvg_py.svg_to_bytes(svg_string=svg, width=64, height=64))).convert("RGB")
        difference = np.abs(np.asarray(whole, int) - faces.draw(row[None], 64)[0])
        assert difference.max() <= 6
        assert difference.mean() < 0.3


def test_faces_depend_on_seed_and_place_only():
    few, many = faces.choose("train", 5, 7), faces.choose("train", 2000, 7)
    np.testing.assert_array_equal(few, many[:5])
    assert not np.array_equal(few, faces.choose("train", 5, 8))
    np.testing.assert_array_equal(faces.draw(few[:2], 32), faces.draw(many[:2], 32))


def test_splits_share_no_face_whatever_the_seeds():
    train = {tuple(row) for seed in range(3) for row in faces.choose("train", 20_000, seed)}
    test = {tuple(row) for seed in range(3) for row in faces.choose("test", 2_000, seed)}
    assert len(test) > 5_000
    assert not train & test


def test_any_shape(tmp_path):
    assert load("faces", count=2, size=(20, 28), channels=1, cache=tmp_path).examples.shape == (2, 20, 28, 1)
    assert load("faces", count=2, size=20, channels=4, cache=tmp_path).examples.shape == (2, 20, 20, 4)


def test_second_time_comes_from_the_cache(tmp_path, monkeypatch):
    first = load("faces", count=3, size=16, cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    monkeypatch.setattr(faces, "draw", lambda *_: pytest.fail("drawn again"))
    second = load("faces", count=3, size=16, cache=tmp_path)
    np.testing.assert_array_equal(first.examples, second.examples)
    assert first.tags == second.tags


@pytest.mark.parametrize("damage", ["truncated", "emptied", "bit", "other shape", "no archive"])
def test_damaged_cache_is_drawn_anew(tmp_path, capsys, damage):
    first = load("faces", count=3, size=16, cache=tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    middle = len(whole) // 2
    if damage == "other shape":
        np.savez(path, images=np.zeros((2, 16, 16, 3), np.uint8))
    else:
        path.write_bytes(
            {
                "truncated": whole[:middle],
                "emptied": b"",
                "bit": whole[:middle] + bytes([whole[middle] ^ 4]) + whole[middle + 1 :],
                "no archive": b"not a zip file",
            }[damage]
        )
    again = load("faces", count=3, size=16, cache=tmp_path)
    np.testing.assert_array_equal(first.examples, again.examples)
    assert "is damaged" in capsys.readouterr().err
    load("faces", count=3, size=16, cache=tmp_path)
    assert capsys.readouterr().err == ""


def test_cache_that_cannot_be_written_is_not_fatal(tmp_path, capsys, monkeypatch):
    file = tmp_path / "file"
    file.write_text("a file where the folder should be")
    assert load("faces", count=2, size=16, cache=file).examples.shape == (2, 16, 16, 3)
    assert "going on without a cache" in capsys.readouterr().err

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    load("faces", count=2, size=16, cache=tmp_path / "new")
    assert "No space left on device" in capsys.readouterr().err
    assert list((tmp_path / "new").iterdir()) == []


def test_cache_folder_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("KGAN_CACHE", str(tmp_path))
    load("faces", count=1, size=16)
    assert len(list(tmp_path.iterdir())) == 1
