"""What representation_learning promises beyond every app: its models, and what codes know beside pixels."""

import numpy as np
import pytest
from small import app_of, run

from apps.representation_learning import Options, build, class_figures
from kgan.app import main
from kgan.datasets.data import Data
from kgan.serving import exported

SMALL = ["--network", "mlp", "--width", "1", "--updates", "2", "--batch-size", "8", "--latent-dim", "4"]


class Halves:
    """An encoder that keeps the half of an image which says its class, and nothing of the noise in the other."""

    def call(self, name, images):
        return {"codes": images[:, :4].reshape(len(images), -1)[:, :2].astype(np.float32)}


def test_class_figures_ask_codes_and_pixels_alike():
    random = np.random.default_rng(0)

    def data(count: int, split: str) -> Data:
        images, labels = random.integers(0, 256, (count, 8, 8, 1)).astype(np.uint8), random.integers(0, 2, count)
        images[:, :4] = 9 * labels[:, None, None, None] + random.integers(0, 4, (count, 4, 8, 1))
        return Data("halves", split, images, labels)

    figures = {figure.name: figure for figure in class_figures(Halves(), data(60, "train"), data(40, "test"))}
    assert figures["nearest neighbour on codes"].value == figures["linear probe on codes"].value == 1
    assert figures["nearest neighbour on pixels"].value < 0.8
    assert "60 training images" in figures["linear probe on codes"].protocol


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, (2000.0, 0.1, True)),
        ({"cycle": 9.0, "jitter": 0.2}, (9.0, 0.2, True)),
        ({"model": "bigan"}, (0.0, 0.0, False)),
        ({"model": "ali", "cycle": 3.0}, (3.0, 0.0, False)),
        ({"model": "bigan", "jitter": 0.1, "views": True}, (0.0, 0.1, True)),
    ],
)
def test_what_stands_beside_the_game(given, wanted):
    model = build(Options(network="mlp", width=1, latent_dim=4, **given), (8, 8, 1))
    assert (model.cycle, model.jitter, model.views) == wanted


@pytest.mark.parametrize("model", ["bigan", "ali", "vaegan"])
def test_the_other_models_train_and_answer(model, tmp_path):
    run("representation_learning", "train", "--model", model, *SMALL, "--runs", tmp_path)
    (directory,) = (tmp_path / "representation_learning").iterdir()
    run("representation_learning", "export", "--run", directory, "--to", tmp_path / "model", "--count", "0")
    found = exported.load(tmp_path / "model")
    assert set(found.signatures) == {"reconstruct", "encode", "decode", "generate", "score"}
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28, 1)).astype(np.uint8)
    codes = found.call("encode", images=images)["codes"]
    assert codes.shape == (3, 4)
    again = found.call("decode", codes=codes)["images"].astype(int)
    assert np.abs(again - found.call("reconstruct", images=images)["images"]).max() <= 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--latent-dim", "0"], "--latent-dim is 0: give at least 1"),
        (["--learning-rate", "2"], "--learning-rate is 2.0"),
        (["--depth", "3"], "--depth 3 is for --network residual or mlp"),
        (["--objective", "wasserstein"], "--objective wasserstein is not for these games"),
        (["--model", "vaegan", "--jitter", "0.1"], "--jitter 0.1 is for --model alice, bigan or ali"),
        (["--model", "vaegan", "--jitter", "0", "--views"], "--views is for --model alice, bigan or ali"),
        (["--model", "bigan", "--views"], "--views is of images that are moved: give a --jitter above 0"),
        (["--jitter", "0"], "alice's encoder sees images that are moved: give a --jitter above 0"),
        (["--cycle", "0"], "--cycle 0 leaves no alice: give --model bigan"),
        (["--model", "vaegan", "--cycle", "9"], "--cycle 9 is for --model alice, bigan or ali"),
        (["--model", "vaegan", "--gamma", "-1"], "gamma is -1.0"),
        (["--data", "ring"], "not made of images"),
    ],
)
def test_what_cannot_be_trained(arguments, said, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main(app_of("representation_learning"), ["train", "--runs", str(tmp_path), *arguments])
    assert end.value.code == 2 and not list(tmp_path.iterdir())
    lines = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert len(lines) == 1 and lines[0].startswith("error: ") and said in lines[0]
