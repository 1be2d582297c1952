"""What `video_game` adds to the verbs of every app: pictures in, and games that ale-py may not be there to play."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from small import run, train
from test_bad_input import refused

from kgan.serving import exported

APP = "video_game"
SCREEN = "tiny:TinyScreen-v0"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run, and its export."""
    folder = tmp_path_factory.mktemp("screen")
    directory = train(APP, folder)
    run(APP, "export", "--run", directory, "--to", folder / "model", "--count", "4")
    return folder, directory


def test_an_exported_policy_takes_bytes_and_needs_neither_keras_nor_tf_agents_nor_kgan(made):
    folder, _ = made
    seen = np.random.default_rng(0).integers(0, 256, (5, 36, 36, 4), np.uint8)
    np.save(folder / "seen.npy", seen)
    script = f"""
import sys
for name in ("keras", "tf_keras", "tf_agents", "tensorflow_probability", "gymnasium", "ale_py", "kgan"):
    sys.modules[name] = None
import numpy as np, tensorflow as tf
model = tf.saved_model.load({str(folder / "model" / "1")!r})
seen = tf.constant(np.load({str(folder / "seen.npy")!r}))
np.savez({str(folder / "answers.npz")!r}, default=model.signatures["serving_default"](observations=seen)["actions"],
         sample=model.signatures["sample"](observations=seen, seed=tf.constant(4, tf.int64))["actions"],
         value=model.signatures["value"](observations=seen)["values"])
"""
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, cwd=folder)
    model = exported.load(folder / "model")
    with np.load(folder / "answers.npz") as answers:
        np.testing.assert_array_equal(answers["default"], model.call("act", observations=seen)["actions"])
        drawn = model.call("sample", observations=seen, seed=4)["actions"]
        np.testing.assert_array_equal(answers["sample"], drawn)
        # To the last bit but one: kgan turns off a pass of TensorFlow's that fuses a sum into a product.
        value = model.call("value", observations=seen)["values"]
        np.testing.assert_allclose(answers["value"], value, rtol=1e-5, atol=1e-6)
    assert drawn.shape == (5,) and set(drawn) <= {0, 1, 2}


def test_play_and_curve_draw_the_agent_and_how_it_learnt(made):
    folder, directory = made
    run(APP, "play", "--model", folder / "model", "--out", folder / "play.gif")
    with Image.open(folder / "play.gif") as animation:
        assert animation.n_frames > 1 and animation.size == (36, 36)
    run(APP, "curve", "--run", directory, "--out", folder / "curve.png")
    assert np.asarray(Image.open(folder / "curve.png")).std() > 0


WRONG = {
    "an environment without pictures": (["--environment", "CartPole-v1"], "are no pictures"),
    "an unknown environment": (["--environment", "CarRacin-v3"], "unknown environment 'CarRacin-v3'"),
    "a minibatch that does not fit": (["--environment", SCREEN, "--batch-size", "3"], "multiple of the minibatch"),
    "no filters": (["--environment", SCREEN, "--filters", "2", "0", "2"], "the filters (2, 0, 2) cannot be built"),
    "no copies": (["--environment", SCREEN, "--copies", "0"], "--copies is 0: give at least 1"),
    "half precision": (["--environment", SCREEN, "--precision", "mixed_bfloat16"], "one device in float32"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_is_one_sentence(what, tmp_path, capsys):
    arguments, said = WRONG[what]
    assert said in refused(APP, ["train", "--runs", tmp_path / "runs", *arguments], capsys)
    assert not (tmp_path / "runs").exists()


def test_without_ale_py_the_games_say_what_to_install(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ale_py", None)
    said = refused(APP, ["train", "--runs", tmp_path / "runs"], capsys)
    assert "'ALE/SpaceInvaders-v5' needs ale_py, which is not installed: pip install" in said


def test_an_unknown_game_has_near_names(tmp_path, capsys):
    pytest.importorskip("ale_py")
    said = refused(APP, ["train", "--environment", "ALE/SpaceInvader-v5", "--runs", tmp_path / "runs"], capsys)
    assert "unknown environment 'ALE/SpaceInvader-v5': choose another, such as 'ALE/SpaceInvaders-v5'" in said
