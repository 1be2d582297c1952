"""What the callbacks of a training do, each by itself, on a model that is no more than its names."""

import os
import signal
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from PIL import Image

from kgan.training import callbacks, checkpoints, run
from kgan.training.callbacks import Curves, Health, OrderlyStop, Pictures, diversity, read_curves


def with_model(callback, **attributes):
    model = SimpleNamespace(weights=[], meters={"discriminator_loss": None}, stop_training=False, **attributes)
    callback.set_model(model)
    return callback


def health(**options):
    return with_model(Health(0, 10, **options))


# Health.


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_loss_that_is_not_a_number_stops_with_its_name(value):
    checked = health()
    checked.after_update(10, {"discriminator_loss": 0.5, "generator_loss": 2.0})
    assert not checked.model.stop_training and not hasattr(checked.model, "unhealthy")
    checked.after_update(15, {"generator_loss": value})  # not a row, so not looked at
    assert not checked.model.stop_training
    checked.after_update(20, {"discriminator_loss": 0.5, "generator_loss": value})
    assert checked.model.stop_training
    assert checked.model.unhealthy.startswith(f"stopped at update 20: generator_loss is {value}.")


def test_a_weight_that_is_not_a_number_stops_with_its_name():
    checked = health()
    good, bad = keras.Variable([1.0, 2.0], name="good"), keras.Variable([1.0, np.nan], name="bad")
    counter = keras.Variable(3, dtype="int64", trainable=False)
    checked.model.weights = [good, counter]
    checked.after_update(10, {"generator_loss": 1.0})
    assert not checked.model.stop_training
    checked.model.weights = [good, counter, bad]
    checked.after_update(20, {"generator_loss": 1.0})
    assert checked.model.stop_training and "the weight bad is no longer finite" in checked.model.unhealthy


def test_a_discriminator_that_no_longer_errs_is_warned_of_once(capsys):
    checked = health(saturated_loss=0.01)
    losses = [0.001] * 4 + [0.5] + [0.001] * 20  # four rows are not enough, and then it begins anew
    for row, loss in enumerate(losses, start=1):
        checked.after_update(10 * row, {"discriminator_loss": loss})
        assert len(checked.warnings) == (row >= 10)
    assert not checked.model.stop_training
    assert "below 0.01 up to update 100" in checked.warnings["saturation"]
    assert capsys.readouterr().err.count("warning: ") == 1
    unwatched = health()
    for row in range(1, 9):
        unwatched.after_update(10 * row, {"discriminator_loss": -70.0})  # a critic's loss has no floor
    assert not unwatched.warnings


def test_samples_that_grow_alike_are_warned_of_once():
    ratios = iter([0.9, 0.31, 0.29, 0.01])
    asked = []
    checked = health(diversity=lambda: asked.append(1) or next(ratios))
    for update in range(10, 801, 10):
        checked.after_update(update, {})
        assert len(checked.warnings) == (update >= 700)
    assert len(asked) == 4  # at 500, 600, 700 and 800
    assert "at update 700 samples differ from one another only 29% as much" in checked.warnings["collapse"]


def test_diversity_is_the_mean_distance_of_two_different_samples():
    assert diversity(np.array([[0.0, 0.0], [3.0, 4.0]])) == pytest.approx(5.0)
    corners = np.array([[[0.0], [0.0]], [[0.0], [1.0]], [[1.0], [0.0]], [[1.0], [1.0]]])
    assert diversity(corners) == pytest.approx((4 + 2 * np.sqrt(2)) / 6)
    assert diversity(np.ones([5, 3, 3, 1], np.uint8)) == 0


# Curves.


def rows(path):
    return [line.rpartition(",")[0] for line in path.read_text().splitlines()]


def test_curves_write_a_row_when_it_is_due_and_begin_new_means(tmp_path):
    resets = []
    curves = with_model(Curves(tmp_path, 0, 2), reset_metrics=lambda: resets.append(1))
    curves.on_train_begin()
    for update in range(1, 6):
        curves.after_update(update, {"discriminator_loss": update / 4})
    assert rows(tmp_path / "metrics.csv") == ["update,discriminator_loss", "2,0.5", "4,1.0"]  # before the end already
    curves.on_train_end()
    assert len(resets) == 2
    assert os.listdir(tmp_path / "tensorboard")


@pytest.mark.parametrize("last", ["", "6", "6,0.", "6,0.75,3.1\n8", "6,0.75,3.1\n8,1.0,4.0\n", "x"])
def test_curves_of_a_resumed_run_go_on_where_it_does(last, tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text(f"update,discriminator_loss,seconds\n2,0.25,1.0\n4,0.5,2.0\n{last}")
    curves = with_model(Curves(tmp_path, 5, 2), reset_metrics=lambda: None)
    curves.on_train_begin()
    for batch in range(3):
        curves.on_train_batch_end(batch, {"discriminator_loss": 9.5})
    curves.on_train_end()
    assert rows(path) == ["update,discriminator_loss", "2,0.25", "4,0.5", "6,9.5", "8,9.5"]


def test_no_curves_are_no_rows(tmp_path):
    assert read_curves(tmp_path / "metrics.csv") == []


# Pictures.


def test_pictures_come_at_the_updates_of_the_lecture_and_make_an_animation(tmp_path):
    drawn = []

    def draw():
        drawn.append(1)
        return np.full([6, 8, 3], 8 * len(drawn), np.uint8)

    pictures = Pictures(tmp_path, 0, 26_500, draw)
    for batch in range(26_500):
        pictures.on_train_batch_end(batch, {})
    names = sorted(path.name for path in (tmp_path / "samples").iterdir())
    due = [100, 500, *range(1_000, 20_001, 1_000), 25_000, 26_500]
    assert names == [f"{update:06d}.png" for update in due]
    with Image.open(tmp_path / "progress.gif") as animation:
        assert animation.n_frames == len(due) and animation.size == (8, 6)
        shown, durations = [], []
        for frame in range(animation.n_frames):
            animation.seek(frame)
            shown.append(animation.convert("RGB").getpixel((0, 0))[0])
            durations.append(animation.info["duration"])
    assert shown == [8 * (k + 1) for k in range(len(due))]
    assert durations[-1] > durations[0] and "loop" in animation.info


# Stopping.


def test_a_signal_lets_the_update_finish_and_a_second_one_does_not():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    stop = with_model(OrderlyStop())
    stop.on_train_begin()
    try:
        stop.after_update(1, {})
        assert not stop.model.stop_training
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.signal == signal.SIGTERM and not stop.model.stop_training
        stop.after_update(2, {})
        assert stop.model.stop_training
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        stop.on_train_end()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


# Checkpoints and the run directory.


def state(value: float) -> dict[str, keras.Variable]:
    return {"a/000": keras.Variable([value, value]), "updates": keras.Variable(int(value), dtype="int64")}


def test_the_two_newest_checkpoints_are_kept_and_the_newest_whole_one_is_read(tmp_path):
    for update in (5, 9, 10, 100):
        checkpoints.save(state(update), tmp_path, update)
    assert sorted(os.listdir(tmp_path)) == ["00000010.npz", "00000100.npz"]
    update, arrays, damaged = checkpoints.latest(tmp_path)
    assert update == 100 and not damaged and arrays["a/000"].tolist() == [100, 100]

    newest = tmp_path / "00000100.npz"
    whole = newest.read_bytes()
    for damage in (b"", whole[:50], whole[:-30], whole[:80] + bytes([whole[80] ^ 255]) + whole[81:], b"text"):
        newest.write_bytes(damage)
        update, arrays, damaged = checkpoints.latest(tmp_path)
        assert update == 10 and len(damaged) == 1 and str(newest) in damaged[0]
        assert arrays["a/000"].tolist() == [10, 10]


def test_a_checkpoint_is_restored_all_or_not_at_all(tmp_path):
    ours = state(1)
    checkpoints.restore(ours, {"a/000": np.array([3.0, 4.0], np.float32), "updates": np.array(7)}, tmp_path)
    assert ours["a/000"].numpy().tolist() == [3, 4] and int(ours["updates"]) == 7
    for arrays in (
        {"a/000": np.zeros(2, np.float32)},
        {"a/000": np.zeros(3, np.float32), "updates": np.array(9)},
        {"a/000": np.zeros(2, np.float32), "updates": np.array(9), "b/000": np.zeros(2)},
    ):
        with pytest.raises(checkpoints.UsageError, match="belongs to another model"):
            checkpoints.restore(ours, arrays, tmp_path)
        assert ours["a/000"].numpy().tolist() == [3, 4] and int(ours["updates"]) == 7


def test_a_training_that_went_bad_is_not_saved(tmp_path):
    saver = with_model(callbacks.Checkpoints(tmp_path, 0, 5), state=lambda: state(1), unhealthy="stopped")
    saver.after_update(3, {})
    saver.on_epoch_end(0)
    assert not (tmp_path / "checkpoints").exists()
    saver.model.unhealthy = None
    saver.on_epoch_end(0)
    assert os.listdir(tmp_path / "checkpoints") == ["00000003.npz"]


def test_two_runs_of_one_second_have_directories_of_their_own(tmp_path):
    made = [run.create(tmp_path, "app") for _ in range(4)]
    assert len(set(made)) == 4 and all(directory.is_dir() for directory in made)


def test_a_run_is_held_by_one_process_at_a_time(tmp_path):
    with run.lock(tmp_path):
        with pytest.raises(run.UsageError, match=f"is being trained by process {os.getpid()}"), run.lock(tmp_path):
            pass
    with run.lock(tmp_path):
        pass
