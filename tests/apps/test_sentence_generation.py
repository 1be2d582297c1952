"""What the sentences' app has beside every app's verbs: text, the vae, interpolation, and a vocabulary that stays."""

import json

import pytest
from small import app_of, run, train, write_pictures

from kgan.app import main
from kgan.serving import exported

NAME = "sentence_generation"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A tiny GAN and a tiny vae, exported."""
    folder = tmp_path_factory.mktemp(NAME)
    write_pictures(folder / "pictures")
    for kind in ("gan", "vae"):
        directory = train(NAME, folder, "--model", kind, "--units", "4")
        run(NAME, "export", "--run", directory, "--to", folder / kind, "--count", "8")
    return folder


def test_sentences_are_printed_and_written(made, capsys):
    out = made / "samples.txt"
    run(NAME, "sample", "--model", made / "vae", "--count", "5", "--seed", "3", "--out", out)
    lines = out.read_text("utf-8").split("\n")[:-1]
    assert len(lines) == 5 and len(set(lines)) > 1 and set("".join(lines)) <= set("abcdefgh ")
    assert capsys.readouterr().out.split("\n")[:5] == lines


def test_interpolation(made, capsys):
    ends = ["--first", "abc", "--last", "hhhh"]
    run(NAME, "interpolate", "--model", made / "vae", *ends, "--steps", "4")
    lines = capsys.readouterr().out.split("\n")
    assert lines[0] == "abc" and lines[5:] == ["hhhh", ""] and all(line.startswith("  ") for line in lines[1:5])


def test_figures_are_kept_with_the_model(made):
    names = {figure["name"] for figure in exported.find(made / "vae").card["figures"]}
    assert {"1-gram distance", "6-gram distance", "perplexity", "self-BLEU", "copies", "real words"} <= names


def test_fine_tuning_on_other_lines_keeps_the_vocabulary(made):
    (made / "other.txt").write_text("aabbéé\n" * 3 + "\n".join(f"{letter} zebra" for letter in "abcdefghij") + "\n")
    options = ["--from", made / "gan", "--data", f"lines:{made / 'other.txt'}", "--updates", "1", "--runs", made / "r"]
    run(NAME, "train", *options)
    (directory,) = (made / "r" / NAME).iterdir()
    kept = json.loads((directory / "config.json").read_text())["options"]
    first = exported.find(made / "gan").card["options"]
    assert kept["characters"] == first["characters"] and set(kept["characters"]) == set("abcdefgh ")
    assert kept["length"] == first["length"] == 12
    run(NAME, "export", "--run", directory, "--to", made / "tuned", "--count", "0")


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["interpolate", "--model", "{made}/gan", "--first", "a", "--last", "b"], "is a GAN, which has no code"),
        (["interpolate", "--model", "{made}/vae", "--first", "a", "--last", ""], "'' has 0 characters: give 1 to 12"),
        (["interpolate", "--model", "{made}/vae", "--first", "a", "--last", "b", "--steps", "1"], "--steps is 1"),
        (["interpolate", "--model", "{made}/vae", "--first", "a", "--last", "XYZ"], "'XYZ' has no character that"),
        (["train", "--data", "{lines}", "--model", "vae", "--objective", "lsgan"], "--objective lsgan is for --model"),
        (["train", "--data", "{lines}", "--model", "vae", "--ensemble", "2"], "--ensemble 2 is for --model gan"),
        (["sample", "--model", "{made}/vae", "--out", "/proc/s.txt"], "cannot write the text /proc/s.txt"),
        (["train", "--data", "digits"], "'digits' is not made of sentences"),
        (["train", "--data", "lines:{made}/none"], "does not exist: give a UTF-8 file"),
        (["train", "--data", "{lines}", "--length", "3", "--strict"], "more than 3: mend"),
        (["train", "--data", "{lines}", "--network", "dcgan"], "dcgan is not for sentences"),
        (["train", "--data", "{lines}", "--model", "vae", "--vae-learning-rate", "2"], "--vae-learning-rate is 2"),
        (["train", "--data", "{lines}", "--model", "vae", "--units", "0"], "width 0"),
        (["train", "--from", "{made}/gan", "--model", "vae"], "are of another model"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence(arguments, said, made, capsys):
    runs = ["--runs", str(made / "none")] if arguments[0] == "train" else []
    lines = f"lines:{made / 'pictures' / 'lines.txt'}"
    with pytest.raises(SystemExit) as end:
        main(app_of(NAME), [argument.format(made=made, lines=lines) for argument in arguments] + runs)
    assert end.value.code == 2
    error = capsys.readouterr().err.strip().split("\n")[-1]
    assert error.startswith("error: ") and said in error and error.endswith(".")
