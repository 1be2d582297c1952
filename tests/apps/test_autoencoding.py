"""What autoencoding promises beyond every app: the lecture's pictures, and options that do not go together."""

import numpy as np
import pytest
from PIL import Image
from small import app_of, run

from kgan import code_pictures
from kgan.app import main

SMALL = ["--network", "mlp", "--width", "1", "--updates", "2", "--batch-size", "8"]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A plain autoencoder of digits with codes in the plane, hardly trained."""
    folder = tmp_path_factory.mktemp("codes")
    run(
        "autoencoding", "train", "--model", "autoencoder", "--latent-dim", "2", *SMALL, "--runs", folder / "runs",
    )  # fmt: skip
    (directory,) = (folder / "runs" / "autoencoding").iterdir()
    run("autoencoding", "export", "--run", directory, "--to", folder / "model", "--count", "0")
    return folder / "model"


def test_explore_draws_every_picture_of_the_lecture(exported, tmp_path, capsys):
    run(
        "autoencoding", "explore", "--model", exported, "--out", tmp_path / "seen", "--count", "40",
        "--gan", "saved_models/digits",
    )  # fmt: skip
    written = {path.stem: np.asarray(Image.open(path)) for path in (tmp_path / "seen").iterdir()}
    assert set(written) == {"reconstructions", "interpolations", "plane", "tsne", "classes", "samples"}
    assert all(picture.ndim == 3 and picture.std() > 5 for picture in written.values())
    said = capsys.readouterr().out
    assert all(f"{name}.png" in said for name in written)


class Known:
    """A decoder whose images show their code, and an encoder that reads it off: values 0 to 1 as grey levels."""

    def call(self, name, **inputs):
        if name == "encode":
            return {"codes": inputs["images"][:, 0, :2, 0].astype(np.float32) / 255}
        codes = np.clip(inputs["codes"], 0, 1)
        images = np.zeros((len(codes), 8, 8, 1), np.uint8)
        images[:, :, 0, 0], images[:, :, 1:, 0] = np.round(255 * codes[:, :1]), np.round(255 * codes[:, 1:])[..., None]
        return {"images": images}


def test_the_plane_is_walked_from_left_to_right_and_upwards():
    picture = code_pictures.plane(Known(), side=3, reach=1.0)
    assert picture.shape[0] == picture.shape[1]
    tile = picture.shape[0] // 3
    first, second = picture[::tile, ::tile, 0], picture[::tile, tile - 1 :: tile, 0]
    np.testing.assert_array_equal(first, [[0, 0, 255]] * 3)
    np.testing.assert_array_equal(second, [[255] * 3, [0] * 3, [0] * 3])


def test_interpolations_are_evenly_spaced_between_the_two_images():
    ends = Known().call("decode", codes=np.array([[0.0, 1.0], [1.0, 0.2]]))["images"]
    picture = code_pictures.interpolations(Known(), ends[:1], ends[1:], steps=5)
    centres = [7 * (2 + 10 * index + 4) for index in range(7)]  # a margin of 2 and 8 pixels each, enlarged sevenfold
    np.testing.assert_array_equal(picture[len(picture) // 2, centres, 0], [255, 255, 204, 153, 102, 51, 51])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "autoencoder", "--free-bits", "1"], "--free-bits 1.0 is for --model vae"),
        (["--depth", "3"], "--depth 3 is for --network residual or mlp"),
        (["--latent-dim", "0"], "--latent-dim is 0: give at least 1"),
        (["--learning-rate", "2"], "--learning-rate is 2.0"),
        (["--weight-decay", "-1"], "--weight-decay is -1.0"),
        (["--beta", "-1"], "beta is -1.0"),
        (["--network", "unet"], "unknown network 'unet'"),
        (["--data", "ring"], "not made of images"),
    ],
)
def test_what_cannot_be_trained(arguments, said, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main(app_of("autoencoding"), ["train", "--runs", str(tmp_path), *arguments])
    assert end.value.code == 2 and not list(tmp_path.iterdir())
    lines = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert len(lines) == 1 and lines[0].startswith("error: ") and said in lines[0]


def test_too_few_images_to_lay_out(exported, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main(app_of("autoencoding"), ["explore", "--model", str(exported), "--count", "5", "--out", str(tmp_path)])
    assert end.value.code == 2 and "--count is 5: give at least 20" in capsys.readouterr().err
