"""What photo_editing and attribute_editing promise beyond every app: their own verbs, from an export alone."""

import numpy as np
import pytest
from PIL import Image
from small import app_of, run

from kgan import datasets
from kgan.app import main
from kgan.serving import exported

SMALL = ["--width", "4", "--batch-size", "8", "--steps", "2", "--checkpoint-every", "1"]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """An encoder of digits after two updates, an attribute editor that goes on with it, a photo and brushes."""
    folder = tmp_path_factory.mktemp("editing")
    generators = {"photo_editing": "saved_models/digits", "attribute_editing": folder / "photo_editing"}
    for name, updates in (("photo_editing", "2"), ("attribute_editing", "0")):
        run(
            name, "train", "--generator", generators[name], "--updates", updates, *SMALL, "--runs", folder / "runs"
        )  # fmt: skip
        (directory,) = (folder / "runs" / name).iterdir()
        run(name, "export", "--run", directory, "--to", folder / name, "--count", "0")
    digits = datasets.load("digits", "test").examples
    Image.fromarray(digits[0, ..., 0]).resize((56, 56)).save(folder / "photo.png")
    Image.fromarray(digits[1, ..., 0]).save(folder / "other.png")
    (folder / "plain").mkdir()
    for index in range(20):
        Image.fromarray(digits[index, ..., 0]).save(folder / "plain" / f"{index}.png")
    sheet = np.zeros([56, 56, 4], np.uint8)
    sheet[10:30, 10:30] = (255, 255, 255, 255)
    Image.fromarray(sheet).save(folder / "brush.png")
    Image.fromarray(sheet[:40]).save(folder / "wrong.png")
    Image.fromarray(sheet[..., :3]).save(folder / "opaque.png")
    return folder


def test_photos_are_projected_by_each_method(world, tmp_path, capsys):
    found = {}
    for method in ("encoder", "descent", "hybrid"):
        run(
            "photo_editing", "project", "--model", world / "photo_editing", "--image", world / "photo.png",
            world / "other.png", "--method", method, "--steps", "3", "--out", tmp_path / method,
        )  # fmt: skip
        assert {path.name for path in (tmp_path / method).iterdir()} == {"projected.png", "steps.gif", "latents.npy"}
        assert Image.open(tmp_path / method / "steps.gif").n_frames == (1 if method == "encoder" else 4)
        found[method] = np.load(tmp_path / method / "latents.npy")
        assert found[method].shape == (2, 100)
    assert not np.allclose(found["descent"], found["hybrid"]) and not np.allclose(found["encoder"], found["hybrid"])
    assert capsys.readouterr().out.count("mean squared error") == 6


@pytest.mark.parametrize("paint", [["--brush", "{}/brush.png"], ["--colour", "white", "--box", "10", "10", "30", "30"]])
def test_a_photo_is_edited_and_the_change_carried_back(paint, world, tmp_path, capsys):
    run(
        "photo_editing", "edit", "--model", world / "photo_editing", "--image", world / "photo.png", "--steps", "10",
        "--proximity", "0", "--realism", "0", "--carry", "--out", tmp_path, *(word.format(world) for word in paint),
    )  # fmt: skip
    assert {path.name for path in tmp_path.iterdir()} == {"result.png", "before_after.png", "steps.gif"}
    assert Image.open(tmp_path / "result.png").size == (56, 56)
    words = capsys.readouterr().out.split()
    before, after = float(words[words.index("before,") - 1]), float(words[words.index("after;") - 1])
    assert after < before


def test_the_attribute_editor_has_the_encoder_and_directions_of_every_class(world, tmp_path, capsys):
    photo, attribute = (exported.load(world / name) for name in ("photo_editing", "attribute_editing"))
    data = datasets.load("digits", "train")
    one, other = (model.call("encode", images=data.examples)["latents"] for model in (photo, attribute))
    np.testing.assert_array_equal(one, other)
    threes = data.labels == 3
    expected = one[threes].mean(axis=0, dtype=float) - one[~threes].mean(axis=0, dtype=float)
    found = attribute.call("directions", tags=["class=3"])["plain"][0]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)

    run(
        "attribute_editing", "edit", "--model", world / "attribute_editing", "--image", world / "photo.png",
        world / "other.png", "--tag", "class=3", "--strength", "2", "--carry", "--decorrelate", "--out", tmp_path,
    )  # fmt: skip
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {"0_photo.png", "1_other.png", "before_after.png", "steps.gif"}
    assert Image.open(tmp_path / "0_photo.png").size == (56, 56)
    run("attribute_editing", "correlations", "--model", world / "attribute_editing")
    assert "correlation" in capsys.readouterr().out.splitlines()[-1]  # classes exclude each other: no pairs


PHOTO, ATTRIBUTE = "photo_editing", "attribute_editing"
EDIT = ["edit", "--model", "{}/photo_editing", "--image", "{}/photo.png"]
REFUSED = {
    "a brush of the wrong size": (PHOTO, [*EDIT, "--brush", "{}/wrong.png"], "is 56 x 40 pixels: it must be"),
    "a brush without alpha": (PHOTO, [*EDIT, "--brush", "{}/opaque.png"], "has no alpha"),
    "nothing painted": (PHOTO, EDIT, "say what to paint"),
    "a colour without a box": (PHOTO, [*EDIT, "--colour", "red"], "say what to paint"),
    "an unknown colour": (PHOTO, [*EDIT, "--colour", "rd", "--box", "0", "0", "2", "2"], "unknown colour 'rd'"),
    "no photo": (PHOTO, [*EDIT[:4], "{}/none.png", "--brush", "{}/brush.png"], "cannot be read as an image"),
    "steps below zero": (PHOTO, [*EDIT, "--brush", "{}/brush.png", "--steps", "-1"], "--steps is -1"),
    "no generator": (PHOTO, ["train", "--generator", "{}/none"], "there is no exported model"),
    "no images": (PHOTO, ["train", "--generator", "saved_models/poems"], "is of the app 'sentence_generation'"),
    "another generator later": (
        PHOTO,
        ["train", "--from", "{}/photo_editing", "--generator", "x"],
        "is not the one that the encoder has learnt",
    ),
    "an unknown tag": (
        ATTRIBUTE,
        ["edit", "--model", "{}/attribute_editing", "--image", "{}/photo.png", "--tag", "class=33"],
        "unknown tag 'class=33': did you mean 'class=3'",
    ),
    "data without tags": (
        ATTRIBUTE, ["train", "--generator", "saved_models/digits", "--data", "folder:{}/plain"], "have no tags",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_is_one_sentence(kind, world, tmp_path, capsys):
    name, arguments, said = REFUSED[kind]
    where = ["--runs" if arguments[0] == "train" else "--out", str(tmp_path / "made")]
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main(app_of(name), [*(word.format(world) for word in arguments), *where])
    assert end.value.code == 2 and not (tmp_path / "made").exists()
    lines = [line for line in capsys.readouterr().err.splitlines() if line.strip() and "reading images" not in line]
    assert len(lines) == 1 and lines[0].startswith("error: ") and said in lines[0], lines
