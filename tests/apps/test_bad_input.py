"""Whatever a person gives that cannot work: one sentence, a status that is not zero, no traceback, nothing lost."""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from small import APPS, app_of, train, write_pictures

from kgan.app import main
from kgan.training import checkpoints

POINTS = ["--width", "4", "--depth", "1", "--updates", "3", "--batch-size", "8", "--objective", "lsgan"]
IMAGES = ["--data", "folder:{folder}/pictures", "--size", "8", "--width", "4", "--updates", "3", "--batch-size", "8"]

TRAIN_POINTS = {
    "an unknown objective": (["--objective", "wgn"], "unknown objective 'wgn': did you mean 'wgan'"),
    "an unknown penalty": (["--penalty", "r3"], "unknown penalty 'r3'"),
    "an unknown activation": (["--activation", "rule"], "unknown activation 'rule': did you mean 'relu'"),
    "an unknown data set": (["--data", "rings"], "unknown toy 'rings'"),
    "images where points are": (["--network", "dcgan"], "--network dcgan is not for points"),
    "no updates": (["--updates", "-1"], "--updates is -1: give at least 0"),
    "an empty batch": (["--batch-size", "0"], "--batch-size is 0: give at least 1"),
    "no checkpoints": (["--checkpoint-every", "0"], "--checkpoint-every is 0"),
    "no width": (["--width", "0"], "--width is 0"),
    "a negative depth": (["--depth", "-2"], "depth is -2"),
    "no latent code": (["--latent-dim", "0"], "--latent-dim is 0"),
    "no critic step": (["--critic-steps", "0"], "--critic-steps is 0"),
    "a learning rate above 1": (["--generator-learning-rate", "3"], "--generator-learning-rate is 3"),
    "a negative seed": (["--seed", "-1"], "--seed is -1: give at least 0"),
    "a decay of 1": (["--average-decay", "1"], "--average-decay is 1"),
    "a negative penalty": (["--objective", "wgan-gp", "--penalty-weight", "-1"], "weight"),
    "labels smoothed for a critic": (["--objective", "wgan-gp", "--label-smooth", "0.1"], "no option 'smooth'"),
    "Wasserstein unconstrained": (["--objective", "wasserstein"], "without a constraint has no minimum"),
    "batch normalisation under a penalty": (
        ["--objective", "wgan-gp", "--discriminator-normalisation", "batch"], "sample by sample",
    ),
    "XLA on several devices": (["--jit", "--strategy", "mirrored"], "--jit does not work with --strategy mirrored"),
    "negative threads": (["--threads", "-1"], "--threads is -1"),
    "no updates a call": (["--updates-per-call", "0"], "--updates-per-call is 0"),
    "no export to begin from": (["--from", "{folder}/nowhere"], "there is no exported model"),
    "a run and an export to begin from": (["--resume", "{run}", "--from", "{export}"], "not both"),
    "runs below a file": (["--runs", "{folder}/a_file/runs"], "cannot make the run directory"),
    "runs in a read-only directory": (["--runs", "/proc/runs"], "cannot make the run directory"),
}  # fmt: skip

TRAIN_IMAGES = {
    "an unknown network": (["--network", "transformer"], "unknown network 'transformer'"),
    "an unknown data set of images": (["--data", "digts"], "unknown data set 'digts': did you mean 'digits'"),
    "points where images are": (["--data", "ring"], "ring"),
    "a missing folder": (["--data", "folder:{folder}/nowhere"], "does not exist"),
    "a file for a folder": (["--data", "folder:{folder}/a_file"], "is a file, not a folder"),
    "an empty folder": (["--data", "folder:{folder}/empty"], "no images in .* found 0 other files"),
    "a folder of texts": (["--data", "folder:{folder}/texts"], "no images in .* found 2 other files"),
    "a folder of damaged images": (["--data", "folder:{folder}/damaged"], "none of the .* can be read"),
    "a damaged image, strictly": (["--data", "folder:{folder}/damaged", "--strict"], "cannot be read as an image"),
    "a size too small": (["--size", "4"], "4"),
    "a size of three numbers": (["--size", "8", "8", "3"], "3 numbers"),
    "a negative size": (["--size", "-8"], "-8"),
    "five channels": (["--channels", "5"], "channels 5"),
    "a depth of a network that has none": (["--depth", "14"], "--depth 14 is for"),
    "a residual network too shallow": (["--network", "residual", "--depth", "1"], "depth 1"),
}

RESUME = {
    "a missing run": (["--resume", "{folder}/nowhere"], "there is no run at"),
    "a directory that is no run": (["--resume", "{folder}/texts"], "is not a run directory"),
    "a run of another app": (["--resume", "{other_run}"], "is of the app 'image_generation', not toy_distributions"),
    "an option changed in the middle": (["--resume", "{run}", "--width", "8"], "--width cannot change in the middle"),
    "fewer updates than there were": (["--resume", "{run}", "--updates", "1"], "the run is at 3 already"),
    "an export of another app": (["--from", "{other_export}"], "is of the app 'image_generation'"),
    "an export of another shape": (["--from", "{export}", "--width", "8"], "are of another model"),
    "a run for an export": (["--from", "{run}"], "no version of a model"),
}

OTHER_VERBS = {
    "a missing model": (["sample", "--model", "{folder}/nowhere"], "there is no exported model"),
    "a model of another app": (["sample", "--model", "{other_export}"], "is of the app 'image_generation'"),
    "no samples": (["sample", "--model", "{export}", "--count", "0"], "--count is 0"),
    "a picture that cannot be written": (["sample", "--model", "{export}", "--out", "/proc/grid.png"], "cannot write"),
    "a picture of no kind": (["sample", "--model", "{export}", "--out", "{folder}/grid.dog"], "cannot write"),
    "nothing to measure": (["evaluate", "--model", "{export}", "--count", "1"], "--count is 1"),
    "other data to measure by": (["evaluate", "--model", "{export}", "--data", "digits"], "unknown toy 'digits'"),
    "a run that is missing": (["export", "--run", "{folder}/nowhere", "--to", "{folder}/made"], "there is no run at"),
    "an export below a file": (["export", "--run", "{run}", "--to", "{folder}/a_file/model"], "a file is where a dir"),
    "an export into a read-only directory": (["export", "--run", "{run}", "--to", "/proc/model"], "cannot export to"),
    "an export that names a version": (["export", "--run", "{run}", "--to", "{folder}/made/1"], "names a version"),
    "a negative count": (["export", "--run", "{run}", "--to", "{folder}/made", "--count", "-1"], "--count is -1"),
}

# The parser of the command line says these, in a box of its own.
PARSED = {
    "an unknown verb": ["trian"],
    "no verb": [],
    "an unknown option": ["train", "--epochs", "3"],
    "a word for a number": ["train", "--updates", "many"],
    "a precision that does not exist": ["train", "--precision", "float8"],
    "a model that is not named": ["sample"],
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A tiny run and export of two apps, and folders of all kinds."""
    from small import run

    folder = tmp_path_factory.mktemp("world")
    write_pictures(folder / "pictures", 20)
    for name in ("empty", "texts", "damaged"):
        (folder / name).mkdir()
    (folder / "a_file").write_text("text")
    for name in ("one.txt", "two.md"):
        (folder / "texts" / name).write_text("text")
    for index in range(20):
        (folder / "damaged" / f"{index}.png").write_bytes((folder / "pictures" / f"{index}.png").read_bytes()[:40])
    places = {"folder": folder}
    for name, which in (("toy_distributions", ""), ("image_generation", "other_")):
        places[f"{which}run"] = train(name, folder)
        places[f"{which}export"] = folder / "models" / name
        run(name, "export", "--run", places[f"{which}run"], "--to", places[f"{which}export"], "--count", "0")
    return places


def contents(folder: Path) -> dict[str, bytes]:
    """All that is in a folder, but for the lock, which keeps the number of the last process."""
    return {str(p): p.read_bytes() if p.is_file() else b"" for p in folder.rglob("*") if p.name != ".lock"}


def refused(app: str, arguments: list, capsys) -> str:
    """The one sentence of a command line that is refused."""
    capsys.readouterr()
    with warnings.catch_warnings(record=True) as warned, pytest.raises(SystemExit) as end:
        main(app_of(app), [str(argument) for argument in arguments])
    assert end.value.code == 2
    assert not [str(warning.message) for warning in warned if issubclass(warning.category, UserWarning)]
    lines = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(("skipped ", "training:", "reading images:"))]
    assert len(lines) == 1, lines
    assert re.fullmatch(r"error: .*\.", lines[0]) and "Traceback" not in lines[0]
    return lines[0]


def check(app, arguments, said, world, capsys):
    before = contents(world["folder"])
    assert re.search(said, refused(app, [argument.format(**world) for argument in arguments], capsys))
    assert contents(world["folder"]) == before


@pytest.mark.parametrize("kind", TRAIN_POINTS)
def test_what_cannot_be_trained(kind, world, capsys):
    arguments, said = TRAIN_POINTS[kind]
    check("toy_distributions", ["train", "--runs", "{folder}/runs", *POINTS, *arguments], said, world, capsys)


@pytest.mark.parametrize("kind", TRAIN_IMAGES)
def test_images_that_cannot_be_trained_on(kind, world, capsys):
    arguments, said = TRAIN_IMAGES[kind]
    check("image_generation", ["train", "--runs", "{folder}/runs", *IMAGES, *arguments], said, world, capsys)


@pytest.mark.parametrize("app", sorted(set(APPS) - {"sentence_generation"}))
def test_sentences_where_no_sentences_are_learnt_from(app, world, capsys):
    check(app, ["train", "--runs", "{folder}/runs", "--data", "quatrains"], r"\bquatrains\b", world, capsys)


@pytest.mark.parametrize("kind", RESUME)
def test_what_cannot_be_gone_on_with(kind, world, capsys):
    arguments, said = RESUME[kind]
    check("toy_distributions", ["train", "--runs", "{folder}/runs", *arguments], said, world, capsys)


@pytest.mark.parametrize("kind", OTHER_VERBS)
def test_what_cannot_be_sampled_measured_or_exported(kind, world, capsys):
    arguments, said = OTHER_VERBS[kind]
    check("toy_distributions", arguments, said, world, capsys)


@pytest.mark.parametrize("kind", PARSED)
def test_what_is_no_command(kind, capsys):
    with pytest.raises(SystemExit) as end:
        main(app_of("toy_distributions"), PARSED[kind])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert said.strip() and "Traceback" not in said


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"cluster": {"worker": []}, "task": {"index": 0}}'])
def test_workers_without_a_cluster(text, world, monkeypatch, capsys):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if text is not None:
        monkeypatch.setenv("TF_CONFIG", text)
    check(
        "toy_distributions", ["train", "--runs", "{folder}/runs", *POINTS, "--strategy", "workers"],
        "--strategy workers needs TF_CONFIG", world, capsys,
    )  # fmt: skip


# Damage, and a disk that fills up: on copies.


@pytest.fixture
def copies(world, tmp_path):
    shutil.copytree(world["run"], tmp_path / "run")
    shutil.copytree(world["export"], tmp_path / "export")
    return world | {"folder": tmp_path, "run": tmp_path / "run", "export": tmp_path / "export"}


NO_CONFIGS = ["{", "[]", '{"app": "toy_distributions"}', '{"app": "toy_distributions", "options": 3}']


@pytest.mark.parametrize("text", NO_CONFIGS)
def test_a_damaged_config(text, copies, capsys):
    (copies["run"] / "config.json").write_text(text)
    check("toy_distributions", ["train", "--resume", "{run}"], "damaged|not those of this version", copies, capsys)
    check("toy_distributions", ["export", "--run", "{run}", "--to", "{folder}/made"], "config", copies, capsys)


def test_options_of_another_version(copies, capsys):
    config = json.loads((copies["run"] / "config.json").read_text())
    config["options"]["flux_capacitor"] = 3
    (copies["run"] / "config.json").write_text(json.dumps(config))
    check("toy_distributions", ["train", "--resume", "{run}"], "flux_capacitor", copies, capsys)


def test_checkpoints_that_are_all_damaged(copies, capsys):
    for path in (copies["run"] / "checkpoints").glob("*.npz"):
        path.write_bytes(path.read_bytes()[:100])
    check("toy_distributions", ["train", "--resume", "{run}"], "all of its checkpoints are damaged", copies, capsys)


def test_a_checkpoint_of_another_model(copies, capsys):
    newest = max((copies["run"] / "checkpoints").glob("*.npz"))
    np.savez(newest, **{"generator/000": np.zeros([3, 3])})
    wanted = ["train", "--resume", "{run}", "--updates", "4"]
    before = contents(copies["run"] / "checkpoints")
    said = refused("toy_distributions", [argument.format(**copies) for argument in wanted], capsys)
    assert "belongs to another model" in said
    assert contents(copies["run"] / "checkpoints") == before


@pytest.mark.parametrize("part", ["saved_model.pb", "variables/variables.index", "assets.extra/kgan.json"])
def test_a_damaged_export(part, copies, capsys):
    path = copies["export"] / "1" / part
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    check("toy_distributions", ["sample", "--model", "{export}"], "damaged", copies, capsys)


@pytest.mark.parametrize("verb", ["train", "export"])
def test_an_export_without_or_with_damaged_weights(verb, copies, capsys):
    path = copies["export"] / "1" / "assets.extra" / "model.weights.h5"
    if verb == "train":
        path.write_bytes(path.read_bytes()[:1000])
    else:
        path.unlink()
    check("toy_distributions", ["train", "--from", "{export}", "--runs", "{folder}"], "weights", copies, capsys)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_a_disk_that_fills_up_keeps_the_checkpoints_there_are(code, copies, monkeypatch, capsys):
    def full(file, **arrays):
        file.write(b"half of it")
        raise OSError(code, os.strerror(code))

    before = contents(copies["run"] / "checkpoints")
    monkeypatch.setattr(checkpoints.np, "savez", full)
    said = refused("toy_distributions", ["train", "--resume", copies["run"], "--updates", "4"], capsys)
    assert os.strerror(code) in said and "--resume" in said
    assert contents(copies["run"] / "checkpoints") == before


def test_a_run_in_use_is_left_alone(copies, capsys):
    with open(copies["run"] / ".lock", "a+") as file:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write("4321")
        file.flush()
        wanted = ["train", "--resume", "{run}", "--updates", "9"]
        check("toy_distributions", wanted, "is being trained by process 4321", copies, capsys)


def limited(arguments: list[str], size: int) -> subprocess.CompletedProcess:
    """The command line in a process that can write no file larger than `size`, as on a disk that is full."""
    root = Path(__file__).parents[2]
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size})); "
        "from apps import toy_distributions as t; from kgan.app import main; main(t.ToyDistributions(), sys.argv[1:])"
    )
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300)


def test_a_full_disk_and_a_process_of_its_own(copies):
    """The real thing, once: status, streams and a write that fails inside the system."""
    before = contents(copies["run"] / "checkpoints")
    ended = limited(["train", "--resume", copies["run"], "--updates", "4"], 2_000)
    assert ended.returncode == 2 and "Traceback" not in ended.stderr
    errors = [line for line in ended.stderr.splitlines() if "error" in line]
    assert len(errors) == 1 and errors[0].startswith("error: ")
    assert contents(copies["run"] / "checkpoints") == before
