"""value_estimation's own verb, and what it says to bad input."""

import numpy as np
import pytest
from PIL import Image
from small import run, train

from apps.value_estimation import ValueEstimation
from kgan.app import main
from kgan.serving import exported


def test_an_experiment_leaves_its_picture_and_figures(tmp_path, capsys):
    run("value_estimation", "experiment", "--which", "episodes", "--runs", tmp_path)
    said = capsys.readouterr().out
    (directory,) = (tmp_path / "value_estimation").iterdir()
    figures = (directory / "figures.txt").read_text().splitlines()
    assert len(figures) == 4 and all(line in said for line in figures)
    assert "V(a) by TD(0) 0.75" in figures[2] and "reference 0.75" in figures[2]
    assert np.asarray(Image.open(directory / "episodes.png")).std() > 10


def test_a_critic_of_a_gymnasium_environment_is_exported_and_drawn(tmp_path, capsys):
    directory = train("value_estimation", tmp_path, "--data", "CartPole-v1", "--target", "monte-carlo")
    model = tmp_path / "models" / "pole"
    run("value_estimation", "export", "--run", directory, "--to", model, "--count", "8")
    values = exported.load(model).call("value", observations=np.zeros([2, 4], np.float32))["values"]
    assert values.shape == (2,) and np.isfinite(values).all()
    run("value_estimation", "sample", "--model", model, "--count", "2", "--out", tmp_path / "curve.png")
    assert Image.open(tmp_path / "curve.png").size[0] > 300


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["experiment", "--repeats", "0"], "--repeats is 0: give at least 1"),
        (["train", "--data", "CartPole-v9"], "unknown environment 'CartPole-v9'"),
        (["train", "--episodes", "0"], "--episodes is 0: give at least 1"),
        (["train", "--discount", "2"], "--discount is 2.0"),
        (["train", "--learning-rate", "0"], "--learning-rate is 0.0"),
        (["train", "--trace", "0.5", "--target", "monte-carlo"], "--trace is of --target td, not of monte-carlo"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main(ValueEstimation(), [*arguments, "--runs", str(tmp_path)])
    said = capsys.readouterr().err
    assert end.value.code == 2 and message in said and said.count("\n") == 1
    assert not list(tmp_path.iterdir())
