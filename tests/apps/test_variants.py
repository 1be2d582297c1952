"""The other players of image_generation and toy_distributions: auto-encoding discriminators, and ensembles."""

import shutil

import numpy as np
import pytest
from PIL import Image
from small import run, train, write_pictures

from kgan.app import main
from kgan.serving import exported


def test_began_trains_shows_reconstructions_and_exports(tmp_path, capsys):
    write_pictures(tmp_path / "pictures")
    options = ["--model", "began", "--objective", "r1gan", "--code-dim", "4"]
    directory = train("image_generation", tmp_path, *options)
    header, *rows = (directory / "metrics.csv").read_text().splitlines()
    assert {"k", "balance", "convergence"} <= set(header.split(",")) and len(rows) == 3
    with np.load(max((directory / "checkpoints").glob("*.npz"))) as archive:
        assert "k" in archive.files
    run("image_generation", "export", "--run", directory, "--to", tmp_path / "models" / "began", "--count", "0")

    model = exported.load(tmp_path / "models" / "began")
    assert set(model.signatures) == {"generate", "decode", "score", "reconstruct"}
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    assert model.call("reconstruct", images=images)["images"].shape == images.shape

    sizes = []
    for _ in range(2):  # with the data, and without it
        out = tmp_path / "grid.png"
        run("image_generation", "sample", "--model", tmp_path / "models" / "began", "--count", "4", "--out", out)
        sizes.append(Image.open(out).size)
        shutil.rmtree(tmp_path / "pictures", ignore_errors=True)
    assert sizes[0] == sizes[1] and sizes[0][0] > 2 * sizes[0][1]


def test_an_ensemble_trains_draws_and_says_what_it_covers(tmp_path, capsys):
    options = ["--ensemble", "2", "--ensemble-sharing", "discriminator", "--data", "four"]
    directory = train("toy_distributions", tmp_path, *options)
    run("toy_distributions", "export", "--run", directory, "--to", tmp_path / "models" / "two", "--count", "8")
    model = exported.load(tmp_path / "models" / "two")
    drawn = model.call("generate", seed=1, count=50)
    assert set(drawn["members"]) == {0, 1}
    capsys.readouterr()
    out = tmp_path / "modes.png"
    run("toy_distributions", "modes", "--model", tmp_path / "models" / "two", "--count", "20", "--out", out)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("modes ") and any(line.startswith("modes of the best member") for line in lines)
    assert Image.open(out).size[0] > 1_000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "ebgan", "--objective", "wgan"], "--objective wgan does not fit --model ebgan"),
        (["--margin", "0.3"], "--margin 0.3 does not fit --model gan"),
        (["--ensemble", "0"], "--ensemble is 0: give at least 1"),
        (["--model", "began", "--gamma", "2"], "gamma is 2.0"),
    ],
)
def test_what_does_not_fit_is_one_sentence(options, message, tmp_path, capsys):
    from apps.image_generation import ImageGeneration

    with pytest.raises(SystemExit) as end:
        main(ImageGeneration(), ["train", *options, "--runs", str(tmp_path)])
    said = capsys.readouterr().err
    assert end.value.code == 2 and message in said and said.count("\n") == 1
    assert not list(tmp_path.iterdir())
