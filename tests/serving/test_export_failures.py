"""An export is whole or not there at all, whoever else exports and whatever goes wrong."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tiny_gan import TinyGAN

from kgan.errors import UsageError
from kgan.serving import export as export_module
from kgan.serving.export import Signature, export

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def model():
    return TinyGAN()


def test_versions_go_up(model, tmp_path):
    (tmp_path / "tiny/9").mkdir(parents=True)
    (tmp_path / "tiny/notes").mkdir()
    assert [export(model, tmp_path / "tiny", card={}).name for _ in range(2)] == ["10", "11"]
    assert sorted(os.listdir(tmp_path / "tiny")) == ["10", "11", "9", "notes"]


def test_racing_exporters_overwrite_nothing(model, tmp_path, monkeypatch):
    racers, meet = 3, threading.Barrier(3, timeout=60)
    rename, found = os.rename, []

    def rename_after_all_have_chosen(source, target):
        if len(found) < racers:
            found.append(target)
            meet.wait()
        rename(source, target)

    monkeypatch.setattr(os, "rename", rename_after_all_have_chosen)
    threads = [
        threading.Thread(target=export, args=(model, tmp_path / "tiny"), kwargs={"card": {"racer": i}})
        for i in range(racers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.name for path in found] == ["1", "1", "1"]
    assert sorted(os.listdir(tmp_path / "tiny")) == ["1", "2", "3"]
    cards = [json.loads((tmp_path / "tiny" / name / "assets.extra/kgan.json").read_text()) for name in "123"]
    assert sorted(card["racer"] for card in cards) == [0, 1, 2]


KILLED = """
import sys, time
sys.path[:0] = {paths!r}
import kgan
from kgan.serving import export
from tiny_gan import TinyGAN
def slow(model, path):
    path.write_bytes(b"half")
    print("writing", flush=True)
    time.sleep(600)
export.save_networks = slow
export.export(TinyGAN(), sys.argv[1], card={{}})
"""


def test_a_killed_export_leaves_no_version_and_is_no_obstacle(model, tmp_path):
    script = KILLED.format(paths=[str(ROOT), str(Path(__file__).parent)])
    command = [sys.executable, "-c", script, str(tmp_path / "tiny")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "writing\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    [left] = os.listdir(tmp_path / "tiny")
    assert left.startswith(".") and (tmp_path / "tiny" / left / "saved_model.pb").exists()
    assert export(model, tmp_path / "tiny", card={}).name == "1"


def fails_with(error):
    def fail(*args, **kwargs):
        raise error

    return fail


@pytest.mark.parametrize(
    ("place", "name", "error", "sentence"),
    [
        (os, "rename", OSError(errno.EROFS, "read-only"), "it may not be written to"),
        (Path, "mkdir", OSError(errno.EACCES, "denied"), "it may not be written to"),
        (tf.saved_model, "save", tf.errors.PermissionDeniedError(None, None, "denied"), "it may not be written to"),
        (Path, "write_bytes", OSError(errno.ENOSPC, "full"), "the disk is full"),
        (os, "fsync", OSError(errno.EDQUOT, "full"), "the disk is full"),
        (tf.saved_model, "save", tf.errors.ResourceExhaustedError(None, None, "full"), "the disk is full"),
        (os, "rename", OSError(errno.EIO, "broken"), "Input/output error"),
    ],
)
def test_what_the_system_refuses_is_one_sentence_and_leaves_nothing(
    model, tmp_path, monkeypatch, place, name, error, sentence
):
    with monkeypatch.context() as patch:
        patch.setattr(place, name, fails_with(error))
        with pytest.raises(UsageError, match=f"cannot export to '{tmp_path}/tiny': {sentence}"):
            export(model, tmp_path / "tiny", card={})
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("error", [RuntimeError("bug"), KeyboardInterrupt()])
def test_any_other_error_leaves_nothing_new(model, tmp_path, monkeypatch, error):
    export(model, tmp_path / "tiny", card={})
    monkeypatch.setattr(export_module, "save_networks", fails_with(error))
    with pytest.raises(type(error)):
        export(model, tmp_path / "tiny", card={})
    assert os.listdir(tmp_path / "tiny") == ["1"]


def test_directories_that_cannot_be(model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="a file is where a directory should be"):
        export(model, tmp_path / "file", card={})
    with pytest.raises(UsageError, match="a file is where a directory should be"):
        export(model, tmp_path / "file/tiny", card={})
    with pytest.raises(UsageError, match="'.*/tiny/3' names a version .* export to the model's directory, '.*/tiny'"):
        export(model, tmp_path / "tiny/3", card={})
    assert os.listdir(tmp_path) == ["file"]


def test_training_mode_is_refused(tmp_path):
    with pytest.raises(ValueError, match="'generate' is not in inference mode: it changes variables"):
        export(TinyGAN(training=True), tmp_path / "tiny", card={})
    assert os.listdir(tmp_path) == []


def test_an_example_that_does_not_run_is_refused(model, tmp_path, monkeypatch):
    good = model.signatures()["score"]
    for example, problem in [({"images": np.zeros((1, 2, 2, 3))}, ".*shape.*"), ({}, "other names than the inputs")]:
        bad = Signature(good.function, good.inputs, example)
        monkeypatch.setattr(model, "signatures", lambda bad=bad: {"score": bad}, raising=True)
        with pytest.raises((ValueError, TypeError, tf.errors.InvalidArgumentError), match=problem):
            export(model, tmp_path / "tiny", card={})
    assert os.listdir(tmp_path) == []
