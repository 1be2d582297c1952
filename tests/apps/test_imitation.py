"""imitation's own verbs, DAgger and files of demonstrations through the app, and bad input."""

import dataclasses
import re

import numpy as np
import pytest
from PIL import Image
from small import run, train

from apps import imitation
from kgan.app import main
from kgan.control import imitators
from kgan.control.demonstrations import load
from kgan.errors import UsageError
from kgan.serving import exported


def test_demonstrations_are_recorded_and_learnt_from(tmp_path, capsys):
    file = tmp_path / "cart.npz"
    run("imitation", "record", "--out", file, "--episodes", "3", "--horizon", "30")
    assert "3 episodes of CartPole-v1, 90 steps, return 30" in capsys.readouterr().out
    directory = train("imitation", tmp_path, "--data", file, "--episodes", "2")
    model = tmp_path / "models" / "cart"
    run("imitation", "export", "--run", directory, "--to", model, "--count", "8")
    said = capsys.readouterr().out
    assert re.search(r"^return \d+.* ± ", said, re.M) and "share of other actions where it goes itself" in said
    # And the policy can show what it has learnt in its turn.
    run("imitation", "record", "--out", tmp_path / "again.npz", "--model", model, "--episodes", "2", "--horizon", "30")
    assert load(tmp_path / "again.npz").lengths.max() <= 30
    run("imitation", "play", "--models", model, "--horizon", "6", "--out", tmp_path / "play.gif")
    assert "by expert, 1: behaviour-cloning" in capsys.readouterr().out
    with Image.open(tmp_path / "play.gif") as animation:
        assert animation.n_frames == 7 and animation.size == (608, 240)
    with pytest.raises(UsageError, match="an animation is a GIF"):
        imitation.play(imitation.Imitation(), imitation.PlayOptions((model,), out=tmp_path / "play.png"))
    with pytest.raises(UsageError, match="both given: one of them can play"):
        imitation.record(imitation.RecordOptions(file, model=model, keyboard=True))


def test_gail_is_trained_and_its_game_drawn(tmp_path):
    options = ["--method", "gail", "--warm-start", "2", "--log-every", "1", "--updates", "2"]
    directory = train("imitation", tmp_path, *options)
    run("imitation", "export", "--run", directory, "--to", tmp_path / "model", "--count", "3")
    loaded = exported.load(tmp_path / "model")
    observations, rows = np.zeros((2, 4), np.float32), np.zeros((2, 7), np.float32)
    assert loaded.call("act", observations=observations)["actions"].shape == (2,)
    assert np.isfinite(loaded.call("reward", transitions=rows)["rewards"]).all()
    run("imitation", "game", "--run", directory, "--out", tmp_path / "game.png")
    assert Image.open(tmp_path / "game.png").size == (600, 400)


@pytest.mark.parametrize("state_only", [False, True])
def test_the_reward_of_airl_is_exported_without_its_shaping(state_only):
    chosen = imitators.completed(
        imitation.Options(method="airl", state_only=state_only, episodes=1, horizon=30, width=4, updates=1)
    )
    actor = imitation.Imitation().build(chosen, None)
    rows = np.zeros((2, 7), np.float32)
    rows[1, 4] = 1.0  # another action
    first, second = actor.signatures()["reward"].function(transitions=rows)["rewards"].numpy()
    assert (first == second) == state_only


def test_the_weight_of_the_entropy_is_the_methods_own_or_what_is_given():
    for method, given, weight in (("gail", None, 0.1), ("gail", 0.3, 0.3), ("airl", None, 0.01)):
        chosen = imitation.Options(method=method, entropy=given, episodes=1, horizon=30, width=4, updates=1)
        rules = imitation.Imitation().build(imitators.completed(chosen), None).options
        assert rules.entropy == weight and rules.entropy_decay == (method == "gail")


def test_only_gail_has_a_game(tmp_path):
    directory = train("imitation", tmp_path)
    with pytest.raises(UsageError, match="has no game to draw"):
        imitation.game(imitation.Imitation(), imitation.GameOptions(directory))


def test_dagger_asks_the_same_questions_when_it_is_resumed():
    shown = imitators.completed(
        imitation.Options(method="dagger", rounds=2, round_updates=5, episodes=1, horizon=30, width=4)
    )
    longer = dataclasses.replace(shown, updates=2 * shown.updates)
    first, again = (imitation.Imitation().data(options, "train").examples for options in (shown, longer))
    assert first.shape == again.shape and (first == again).all() and len(first) > 30


def test_the_drift_is_drawn(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(imitation, "EPISODES", 3)
    out = tmp_path / "drift.png"
    run("imitation", "drift", "--horizon", "20", "--repeats", "1", "--rounds", "1", "--updates", "4", "--out", out)
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("mistakes in 20 steps") for line in lines) == 2
    assert Image.open(out).size == (600, 400)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data", "nowhere.npz"], "there are no demonstrations at nowhere.npz"),
        (["--data", "nowhere.npz", "--method", "dagger"], "--method dagger asks the expert"),
        (["--environment", "CartPol-v1"], "unknown environment 'CartPol-v1'"),
        (["--environment", "Pendulum-v1"], "unknown environment with an expert 'Pendulum-v1'"),
        (["--episodes", "0"], "--episodes is 0: give at least 1"),
        (["--method", "gail", "--objective", "wgn"], "unknown objective 'wgn'"),
        (["--method", "gail", "--precision", "mixed_bfloat16"], "on one device in float32"),
        (["--horizon", "-1"], "--horizon is -1: give 0 or more"),
        (["--method", "gail", "--entropy", "-0.1"], "--entropy is -0.1: give 0 or more"),
        (["--method", "airl", "--objective", "wasserstein"], "--method airl plays minimax, not wasserstein"),
    ],
)
def test_bad_input_is_one_sentence(options, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main(imitation.Imitation(), ["train", *options, "--runs", str(tmp_path)])
    said = capsys.readouterr().err
    assert end.value.code == 2 and message in said and said.count("\n") == 1
    assert not list(tmp_path.iterdir())
