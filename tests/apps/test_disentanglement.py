"""What disentanglement promises beyond every app: pictures in which one code changes, and figures of what it means."""

import numpy as np
import pytest
from PIL import Image
from small import app_of, run

from apps.disentanglement import Options, build, class_figures, varied
from kgan.app import main
from kgan.datasets.data import Data

SMALL = ["--network", "mlp", "--width", "4", "--updates", "2", "--batch-size", "8", "--categorical", "3"]


class Told:
    """A model whose images show their code, and a recogniser that reads it off: value v as v rows of white."""

    def call(self, name, **inputs):
        if name == "decode":
            self.asked = inputs
            values = inputs["codes"][:, :3].argmax(axis=1)
            images = np.zeros((len(values), 8, 8, 1), np.uint8)
            images[np.arange(8)[None] < values[:, None]] = 255
            return {"images": images}
        return {"codes": np.eye(3)[(inputs["images"][:, :, 0, 0] == 255).sum(axis=1)]}


class Reader:
    """A classifier of the same images, which names their classes 1, 2 and 0."""

    labels, description = ("0", "1", "2"), "blot reader, no activations"

    def predict(self, images):
        return np.eye(3)[((images[:, :, 0, 0] == 255).sum(axis=1) + 1) % 3]


def test_one_code_changes_along_a_row_and_nothing_else():
    options, model = Options(categorical=(3, 2), continuous=1, latent_dim=4), Told()
    drawn = varied(model, options, rows=2)
    assert list(drawn) == [
        "categorical code 1, 3 values", "categorical code 2, 2 values", "continuous code 1, -2 to 2",
    ]  # fmt: skip
    latents, codes = model.asked["latents"].reshape(2, 10, 4), model.asked["codes"].reshape(2, 10, 6)
    assert (latents == latents[:, :1]).all() and not (latents[0] == latents[1]).any()
    assert (codes[:, :, :5] == codes[:, :1, :5]).all()
    np.testing.assert_allclose(codes[:, :, 5], [np.linspace(-2, 2, 10)] * 2)
    first = drawn["categorical code 1, 3 values"][..., 0]
    half = first[: first.shape[0] // 2]
    whites = [(part == 255).mean() for part in np.array_split(half, 3, axis=1)]
    assert whites[0] < whites[1] < whites[2]


def test_class_figures_by_hand():
    values = np.array([0, 0, 1, 1, 2, 2])
    images = Told().call("decode", codes=np.eye(3)[values])["images"]
    codes = np.eye(3)[[0, 0, 1, 1, 2, 0]]  # the last was meant to be a 0 but looks like a 2
    labels = np.array([1, 1, 2, 2, 0, 1])  # the last is said to be a 1, but is read as a 0
    data = Data("blots", "test", images, labels)
    options = Options(categorical=(3,), continuous=0, data="blots")
    error, accuracy = class_figures(Told(), options, data, {"images": images, "codes": codes}, Reader(), seed=0)
    assert error.value == pytest.approx(1 / 6) and accuracy.value == pytest.approx(5 / 6)
    assert "classes by the blot reader; 6 samples" in error.protocol


def test_a_short_run_binds_its_code_too():
    given = {"network": "mlp", "width": 4, "categorical": (3,)}
    for options, after in (({}, 800), ({"updates": 30}, 10), ({"updates": 30, "warm_up": 40}, 40)):
        assert build(Options(**given, **options), (8, 8, 1)).warm_up == after
    assert build(Options(**given), (8, 8, 1)).strokes == 0.25 and build(Options(**given), (8, 8, 3)).strokes == 0


def test_a_plain_gan_is_drawn_beside(tmp_path, capsys):
    two_codes = ["--invariance", "0", "--recogniser", "own", "--categorical", "3", "2"]
    for name, options in {"plain": ["--information", "0"], "info": two_codes}.items():
        run("disentanglement", "train", *SMALL, *options, "--runs", tmp_path / name)
        (directory,) = (tmp_path / name / "disentanglement").iterdir()
        run("disentanglement", "export", "--run", directory, "--to", tmp_path / "models" / name, "--count", "0")
    sizes = []
    for further in ([], ["--beside", tmp_path / "models" / "plain"]):
        out = tmp_path / "varied.png"
        model = ["--model", tmp_path / "models" / "info"]
        run("disentanglement", "vary", *model, *further, "--rows", "2", "--out", out)
        sizes.append(np.asarray(Image.open(out)).shape)
        assert str(out) in capsys.readouterr().out
    assert sizes[1][0] > 1.5 * sizes[0][0] and sizes[1][1] == sizes[0][1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--categorical", "1"], "categorical codes of (1,) values"),
        (["--continuous", "-1"], "-1 continuous codes"),
        (["--information", "-1"], "information_weight is -1.0"),
        (["--jitter", "-1"], "jitter is -1.0"),
        (["--ensemble", "2"], "--ensemble 2 is for image_generation"),
        (["--information", "0", "--recogniser", "shared"], "--recogniser shared would change the plain GAN"),
        (["--emphasis", "0"], "--emphasis is 0"),
        (["--invariance", "-1"], "invariance is -1.0"),
        (["--recogniser", "shared"], "--recogniser shared has no network"),
        (["--categorical", "3", "2"], "--invariance finds one categorical code, but there are 2"),
        (["--strokes", "0.5"], "strokes is 0.5"),
        (["--warm-up", "-1"], "warm_up is -1"),
    ],
)
def test_what_cannot_be_trained(arguments, said, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main(app_of("disentanglement"), ["train", "--runs", str(tmp_path), *arguments])
    assert end.value.code == 2 and not list(tmp_path.iterdir())
    lines = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert len(lines) == 1 and lines[0].startswith("error: ") and said in lines[0]


def test_no_rows_to_vary(tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main(app_of("disentanglement"), ["vary", "--model", str(tmp_path), "--rows", "0"])
    assert end.value.code == 2 and "--rows is 0: give at least 1" in capsys.readouterr().err
