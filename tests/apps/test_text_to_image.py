"""The app: free text in, pictures and figures out, and captions that cannot be drawn."""

import re

import numpy as np
import pytest
from PIL import Image
from small import run

from apps import text_to_image
from apps.text_to_image import Options, TextToImage
from kgan import datasets
from kgan.app import main
from kgan.serving import exported

TINY = [
    "--size", "8", "--width", "2", "--code-dim", "3", "--text-width", "3", "--latent-dim", "4", "--updates", "2",
    "--batch-size", "8", "--objective", "dcgan",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A hundred pictures in the course's format, and a model of them."""
    folder, lines = tmp_path_factory.mktemp("tags"), []
    colours = [("red", "blue"), ("red", "green"), ("aqua", "blue"), ("aqua", "green")]
    for index in range(100):
        hair, eyes = colours[index % 4]
        Image.fromarray(np.random.default_rng(index).integers(0, 256, (9, 9, 3), np.uint8)).save(
            folder / f"{index}.png"
        )
        lines.append(f"{index},long hair:7\t{hair} hair:10\t{eyes} eyes:20\t")
    (folder / "tags.csv").write_text("\n".join([*lines, "a broken line"]))
    run("text_to_image", "train", "--data", f"tags:{folder}", *TINY, "--runs", folder / "runs")
    (directory,) = (folder / "runs" / "text_to_image").iterdir()
    run("text_to_image", "export", "--run", directory, "--to", folder / "model", "--count", "0")
    return folder


def test_training_keeps_words_and_captions_with_the_model(folder):
    options = exported.load(folder / "model").card["options"]
    assert sorted(options["words"]) == ["aqua", "blue", "eyes", "green", "hair", "red"] and options["length"] == 4
    assert set(options["shown"]) == {f"{h} hair {e} eyes" for h in ("aqua", "red") for e in ("blue", "green")}


def test_some_combinations_are_left_out_of_training_alone(folder):
    app, options = TextToImage(), Options(data=f"tags:{folder}", size=8)
    train, test = (set(app.data(options, split).captions) for split in ("train", "test"))
    assert train == {"aqua hair green eyes", "red hair blue eyes"}
    assert test - train


def sample(folder, *options):
    try:
        main(TextToImage(), ["sample", "--model", str(folder / "model"), *options])
    except SystemExit as end:
        return end.code
    return 0


def test_text_is_drawn(folder, tmp_path, capsys):
    pictures = []
    for text in (["red hair, blue eyes"], ["RED HAIR blue eyes!"], ["aqua hair"], ["red hair", "blue eyes"]):
        out = tmp_path / f"{len(pictures)}.png"
        assert sample(folder, "--text", *text, "--count", "4", "--out", str(out)) == 0
        pictures.append(np.asarray(Image.open(out))[:, 250:])  # without the captions
    assert np.array_equal(pictures[0], pictures[1]) and pictures[0].std() > 0
    assert not np.array_equal(pictures[0], pictures[2])
    assert pictures[3].shape[0] > pictures[0].shape[0] and pictures[3].shape[1] < pictures[0].shape[1]


def test_words_without_meaning_are_named(folder, tmp_path, capsys):
    assert sample(folder, "--text", "a red house", "--count", "1", "--out", str(tmp_path / "a.png")) == 0
    assert "not known to this model, and so without meaning: a, house" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("purple house", "the caption 'purple house' has no word that this model knows: use some of "),
        ("赤い髪", "the caption '赤い髪' has no word that this model knows"),
        ("", "the caption '' is empty: use some of "),
        (" ?! ", "is empty"),
    ],
)
def test_a_caption_of_no_use_is_one_sentence(folder, text, said, tmp_path, capsys):
    assert sample(folder, "--text", text, "--out", str(tmp_path / "none.png")) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert said in line and ("hair" in line) and not (tmp_path / "none.png").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--data", "digits"], "'digits' has no captions"),
        (["--data", "ring"], "ring"),
        (["--data", "tags:{folder}", "--strict"], "line 101 of .*tags.csv does not begin with the number of an image"),
        (["--data", "tags:{folder}/runs"], "there is no tags.csv"),
        (["--data", "captions:{folder}"], "no captioned image"),
        (["--data", "tags:{folder}", "--held-out", "2"], "2 eye colours cannot be held out"),
        (["--data", "tags:{folder}", "--words", "violet"], "has one of the known words violet"),
        (["--data", "tags:{folder}", "--matching", "1"], "matching is 1"),
        (["--data", "tags:{folder}", "--ensemble", "2"], "--ensemble 2"),
        (["--data", "tags:{folder}", "--code-dim", "0"], "--code-dim is 0"),
        (["--data", "tags:{folder}", "--objective", "loss-sensitive"], "no loss for wrong captions"),
    ],
)
def test_what_cannot_be_trained_is_one_sentence(folder, options, said, tmp_path, capsys):
    options = [option.format(folder=folder) for option in options]
    with pytest.raises(SystemExit) as end:
        main(TextToImage(), ["train", *TINY, *options, "--runs", str(tmp_path)])
    assert end.value.code == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("error: ") and re.search(said, last), last


def test_figures_tell_what_is_obeyed_from_what_is_not():
    faces = datasets.load("faces", "test", count=300)
    every = {text for text in faces.captions}
    asked = [(h, e) for h in text_to_image.tags.TAGS["hair"] for e in text_to_image.tags.TAGS["eyes"]]
    asked = [(h, e) for h, e in asked if f"{h} hair {e} eyes" in every]
    drawn = [faces.examples[faces.captions.index(f"{h} hair {e} eyes")] for h, e in asked]
    hair, eyes = text_to_image._shares("here", np.stack(drawn), asked, "by hand")
    assert hair.value >= 0.97 and eyes.value >= 0.9 and hair.name == "hair as the caption says, here"
    hair, eyes = text_to_image._shares("here", np.stack(drawn[:1] * len(asked)), asked, "by hand")
    assert hair.value < 0.2 and eyes.value < 0.3
