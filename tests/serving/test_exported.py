"""Reading an export back: its answers, its card, and one sentence for whatever is wrong with it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tiny_gan import LATENT, SHAPE, TinyGAN

from kgan.errors import UsageError
from kgan.serving.export import export
from kgan.serving.exported import load

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A directory with one model of two versions, which differ."""
    directory = tmp_path_factory.mktemp("models")
    for seed in (0, 1):
        export(TinyGAN(seed=seed), directory / "tiny", card={"seed": seed})
    return directory


@pytest.fixture
def damaged(models, tmp_path):
    """A copy to damage."""
    return Path(shutil.copytree(models / "tiny/2", tmp_path / "tiny/2"))


def test_the_latest_version_or_the_one_named(models, tmp_path):
    for path, seed in [(models / "tiny", 1), (models / "tiny/1", 0), (str(models / "tiny/2"), 1)]:
        exported = load(path)
        assert exported.directory == models / "tiny" / str(seed + 1)
        assert exported.card["seed"] == seed
        assert exported.signatures == ("generate", "decode", "score")
        assert exported.weights == exported.directory / "assets.extra/model.weights.h5" and exported.weights.is_file()
        own = TinyGAN(seed=seed).generate(np.int64(3), 5)["images"]
        np.testing.assert_array_equal(exported.call("generate", seed=3, count=5)["images"], own)
    for name in ("9", "10", ".exporting-0"):  # 10 comes after 9, and what is half written is no version
        shutil.copytree(models / "tiny/1", tmp_path / "tiny" / name)
    assert load(tmp_path / "tiny").directory.name == "10"


def test_inputs_are_cast_only_where_no_value_changes(models):
    exported = load(models / "tiny")
    latents = np.random.default_rng(0).normal(size=(3, LATENT))
    doubles, singles = (exported.call("decode", latents=latents.astype(dtype)) for dtype in (np.float64, np.float32))
    np.testing.assert_array_equal(doubles["images"], singles["images"])
    pictures = np.full((2, *SHAPE), 200)  # int64
    assert exported.call("score", images=pictures)["scores"].shape == (2,)
    for wrong in (pictures + 100, pictures / 255, np.zeros((2, *SHAPE), np.float32), pictures.astype(str)):
        with pytest.raises(UsageError, match="'images' of 'score' is .* uint8 cannot hold"):
            exported.call("score", images=wrong)
    with pytest.raises(UsageError, match="'seed' of 'generate' is uint64 with values that int64 cannot hold"):
        exported.call("generate", seed=2**63, count=1)


def test_wrong_requests(models):
    exported = load(models / "tiny")
    with pytest.raises(UsageError, match="unknown signature 'generat': did you mean 'generate'"):
        exported.call("generat", seed=0, count=1)
    with pytest.raises(UsageError, match="'generate' lacks its input 'count'"):
        exported.call("generate", seed=0)
    with pytest.raises(UsageError, match="unknown input of 'generate' 'counts': did you mean 'count'"):
        exported.call("generate", seed=0, count=1, counts=2)
    with pytest.raises(UsageError, match=r"has shape \[4, 6, 3\]: it must be \[None, 4, 6, 3\]"):
        exported.call("score", images=np.zeros(SHAPE, np.uint8))


def test_paths_that_lead_to_no_model(models, tmp_path):
    with pytest.raises(UsageError, match="there is no exported model '.*/tinny': there are .*/tiny'?\\."):
        load(models / "tinny")
    with pytest.raises(UsageError, match="no exported model '.*/tiny/7': there are .*/tiny/1, .*/tiny/2"):
        load(models / "tiny/7")
    with pytest.raises(UsageError, match="no exported model '.*/x/y': nor is there any other in '.*/x'"):
        load(tmp_path / "x/y")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no version of a model"):
        load(tmp_path / "empty")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file but an exported model is a directory"):
        load(tmp_path / "file")


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.joinpath("saved_model.pb").unlink(),
        lambda path: path.joinpath("saved_model.pb").write_bytes(b""),
        lambda path: path.joinpath("saved_model.pb").write_bytes(path.joinpath("saved_model.pb").read_bytes()[:20000]),
        lambda path: path.joinpath("saved_model.pb").write_bytes(b"\xff" * 5000),
        lambda path: path.joinpath("variables/variables.index").unlink(),
        lambda path: shutil.rmtree(path / "variables"),
        lambda path: flip_a_bit(path / "variables/variables.data-00000-of-00001"),
    ],
)
def test_a_damaged_model(damaged, damage):
    damage(damaged)
    with pytest.raises(UsageError, match=f"the model in '{damaged}' is damaged or incomplete"):
        load(damaged)


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)


def test_a_damaged_card_or_weights(damaged):
    (damaged / "assets.extra/model.weights.h5").unlink()
    exported = load(damaged)
    assert exported.call("generate", seed=0, count=1)["images"].shape == (1, *SHAPE)
    with pytest.raises(UsageError, match="model.weights.h5' is missing, so this export cannot be trained on"):
        exported.weights  # noqa: B018
    card = damaged / "assets.extra/kgan.json"
    for content in (b"", b'{"app": ', b"[]", b"\xff\xfe"):
        card.write_bytes(content)
        with pytest.raises(UsageError, match="kgan.json' is damaged"):
            load(damaged)
    card.unlink()
    with pytest.raises(UsageError, match="kgan.json' is missing"):
        load(damaged)


def test_reading_needs_no_keras(models):
    code = (
        "import sys; sys.modules['keras'] = sys.modules['tf_keras'] = None\n"
        "from kgan.serving.exported import load\n"
        "print(load(sys.argv[1]).call('generate', seed=0, count=2)['images'].shape)"
    )
    command = [sys.executable, "-c", code, str(models / "tiny")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "(2, 4, 6, 3)\n", done.stderr


def draw(*arguments):
    command = [sys.executable, str(ROOT / "saved_models/draw.py"), *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd="/", env={**os.environ, "PYTHONPATH": ""}, **pipes)


def test_draw_draws_pictures_only(tmp_path):
    class Points(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([], tf.int64), tf.TensorSpec([], tf.int32)])
        def generate(self, seed, count):
            return {"points": tf.random.stateless_normal([count, 2], tf.stack([seed, 0]))}

    points = Points()
    tf.saved_model.save(points, tmp_path / "points/1", signatures={"generate": points.generate})
    drawn = draw(tmp_path / "points", "--out", tmp_path / "grid.png")
    _, errors = drawn.communicate()
    assert drawn.returncode == 2 and "draws no pictures: it gives points" in errors and "Traceback" not in errors
    assert not (tmp_path / "grid.png").exists()


def test_draw(models, tmp_path):
    good = draw(models / "tiny", "--count", 7, "--seed", 4, "--out", tmp_path / "new/grid.png")
    bad = draw(models / "none")
    output, errors = good.communicate()
    assert good.returncode == 0, errors
    assert output.startswith(f"{tmp_path}/new/grid.png: 7 pictures by {models}/tiny/2")
    height, width, _ = SHAPE
    picture = np.asarray(Image.open(tmp_path / "new/grid.png"))
    assert picture.shape == (3 * height, 3 * width, 3)
    images = TinyGAN(seed=1).generate(np.int64(4), 7)["images"]
    np.testing.assert_array_equal(picture[height : 2 * height, 2 * width :], images[5])
    assert not picture[2 * height :, width:].any()
    _, errors = bad.communicate()
    assert bad.returncode == 2 and "there is no exported model" in errors and "Traceback" not in errors
