"""What `policy_control` adds to the verbs of every app, and what it says of what cannot be."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small import run, train
from test_bad_input import refused

APP = "policy_control"
PENDULUM = ["--environment", "Pendulum-v1", "--normalise", "True"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run of an actor whose actions are vectors, with normalisation, and its export."""
    folder = tmp_path_factory.mktemp("pendulum")
    directory = train(APP, folder, *PENDULUM)
    run(APP, "export", "--run", directory, "--to", folder / "model", "--count", "4")
    return folder, directory


def newest(directory: Path) -> dict[str, np.ndarray]:
    with np.load(max((directory / "checkpoints").glob("*.npz"))) as archive:
        return dict(archive)


ACTORS = {
    "ppo": ["--epochs", "2", "--normalise", "True"],
    "dqn": ["--gradient-steps", "2", "--exploration", "0"],  # whose rate of random actions the run's length decides
}


@pytest.mark.parametrize("actor", ACTORS)
def test_a_resumed_run_ends_where_an_uninterrupted_one_does(actor, tmp_path):
    ended = []
    for lengths in ([5], [3, 5]):
        runs, small = tmp_path / str(len(lengths)), ["--copies", "2", "--rollout", "8", "--width", "4"]
        run(
            APP, "train", "--actor", actor, *small, *ACTORS[actor], "--batch-size", "8", "--decay", "False",
            "--updates", lengths[0], "--runs", runs,
        )  # fmt: skip
        (directory,) = (runs / APP).iterdir()
        for length in lengths[1:]:
            run(APP, "train", "--resume", directory, "--updates", length)
        ended.append(newest(directory))
    straight, resumed = ended
    assert resumed["updates"] == 5 and resumed.keys() == straight.keys()
    assert not [name for name in resumed if not np.array_equal(resumed[name], straight[name], equal_nan=True)]


def test_an_exported_policy_needs_neither_keras_nor_tf_agents_nor_kgan(made):
    folder, _ = made
    seen = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    np.save(folder / "seen.npy", seen)
    script = f"""
import sys
for name in ("keras", "tf_keras", "tf_agents", "tensorflow_probability", "gymnasium", "kgan"):
    sys.modules[name] = None
import numpy as np, tensorflow as tf
model = tf.saved_model.load({str(folder / "model" / "1")!r})
seen = tf.constant(np.load({str(folder / "seen.npy")!r}))
np.savez({str(folder / "answers.npz")!r}, default=model.signatures["serving_default"](observations=seen)["actions"],
         sample=model.signatures["sample"](observations=seen, seed=tf.constant(4, tf.int64))["actions"],
         value=model.signatures["value"](observations=seen)["values"])
"""
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, cwd=folder)
    from kgan.serving import exported

    model = exported.load(folder / "model")
    with np.load(folder / "answers.npz") as answers:
        # To the last bit but one: kgan turns off a pass of TensorFlow's that fuses a sum into a product.
        answer = {name: model.call(name, observations=seen) for name in ("act", "value")}
        np.testing.assert_allclose(answers["default"], answer["act"]["actions"], rtol=1e-5, atol=1e-6)
        drawn = model.call("sample", observations=seen, seed=4)["actions"]
        np.testing.assert_allclose(answers["sample"], drawn, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(answers["value"], answer["value"]["values"], rtol=1e-5, atol=1e-6)
    assert np.abs(drawn).max() <= 2 and drawn.shape == (5, 1)


def test_play_writes_an_animation(made):
    pytest.importorskip("pygame")
    folder, _ = made
    run(APP, "play", "--model", folder / "model", "--out", folder / "play.gif")
    with Image.open(folder / "play.gif") as animation:
        assert animation.n_frames > 50 and max(animation.size) <= 300


WRONG = {
    "an unknown environment": (
        ["--environment", "CartPol-v1"],
        "unknown environment 'CartPol-v1': choose another, such as 'CartPole-v1'",
    ),
    "no copies": (["--copies", "0"], "--copies is 0: give at least 1"),
    "a discount above 1": (["--discount", "1.5"], "--discount is 1.5"),
    "a negative learning rate": (["--learning-rate", "-1"], "--learning-rate is -1"),
    "a minibatch that does not fit": (["--rollout", "5", "--batch-size", "3"], "multiple of the minibatch"),
    "an option of another actor": (["--steps-ahead", "3"], "--steps-ahead is not for ppo"),
    "several devices": (["--strategy", "mirrored"], "one device in float32"),
    "vectors for dqn": (["--environment", "Pendulum-v1", "--actor", "dqn"], "are vectors"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_is_one_sentence(what, tmp_path, capsys):
    arguments, said = WRONG[what]
    assert said in refused(APP, ["train", "--runs", tmp_path / "runs", *arguments], capsys)
    assert not (tmp_path / "runs").exists()


def test_a_picture_needs_no_screen_and_no_drawing(made, monkeypatch):
    from apps.policy_control import Options, PolicyControl
    from kgan.control import evaluation
    from kgan.errors import UsageError
    from kgan.serving import exported

    def none(*arguments):
        raise UsageError("it cannot be drawn.")

    monkeypatch.setattr(evaluation, "frames", none)
    picture = PolicyControl().picture(exported.load(made[0] / "model"), Options(data="Pendulum-v1"))
    assert picture.shape[2] == 3 and picture.std() > 0
