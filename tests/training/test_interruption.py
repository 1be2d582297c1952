"""Whatever interrupts a run, it goes on exactly: SIGKILL at any moment, signals, damage on the disk."""

import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

UPDATES = 160
KILLS = 10
# Batch normalisation, dropout, a moving average, several critic steps with a penalty, a learning rate on its way down.
TOY = [
    "train", "--updates", str(UPDATES), "--width", "8", "--depth", "2", "--batch-size", "8", "--threads", "2",
    "--objective", "dcgan", "--critic-steps", "2", "--normalisation", "batch", "--dropout", "0.1",
    "--instance-noise", "0.1",
    "--checkpoint-every", "8", "--log-every", "2",  # so that two updates are done at once
]  # fmt: skip


def run_of(runs: Path) -> Path:
    """The only run directory in `runs`."""
    (directory,) = (runs / "toy_distributions").iterdir()
    return directory


def checkpoint(directory: Path) -> dict[str, np.ndarray]:
    newest = max((directory / "checkpoints").glob("*.npz"))
    with np.load(newest) as archive:
        return {"file": np.array(newest.name), **archive}


def curves(directory: Path) -> list[str]:
    """metrics.csv without its last column, the seconds."""
    return [line.rpartition(",")[0] for line in (directory / "metrics.csv").read_text().splitlines()]


def assert_same_run(one: Path, other: Path):
    ours, theirs = checkpoint(one), checkpoint(other)
    assert ours.keys() == theirs.keys()
    assert not [name for name in ours if not np.array_equal(ours[name], theirs[name])]
    assert curves(one) == curves(other)
    pictures = [{p.name: p.read_bytes() for p in (run / "samples").iterdir()} for run in (one, other)]
    assert pictures[0] == pictures[1]
    assert (one / "progress.gif").read_bytes() == (other / "progress.gif").read_bytes()


@pytest.fixture(scope="module")
def uninterrupted(forks, tmp_path_factory):
    runs = tmp_path_factory.mktemp("uninterrupted")
    forks.run("toy_distributions", *TOY, "--runs", runs)
    return run_of(runs)


def test_an_uninterrupted_run_is_complete(uninterrupted):
    state = checkpoint(uninterrupted)
    assert state["file"] == f"{UPDATES:08d}.npz" and state["updates"] == UPDATES
    rows = [line.split(",")[0] for line in curves(uninterrupted)]
    assert rows == ["update", *map(str, range(2, UPDATES + 1, 2))]
    assert sorted(p.name for p in (uninterrupted / "samples").iterdir()) == ["000100.png", f"{UPDATES:06d}.png"]
    with Image.open(uninterrupted / "progress.gif") as animation:
        assert animation.n_frames == 2
        animation.seek(1)
        assert animation.convert("RGB").size == Image.open(uninterrupted / "samples" / "000100.png").size
    assert any((uninterrupted / "tensorboard").iterdir())
    assert not [path for path in uninterrupted.rglob("*") if "partial" in path.name]


def test_updates_one_by_one_are_the_same(forks, uninterrupted, tmp_path):
    forks.run("toy_distributions", *TOY, "--updates-per-call", "1", "--runs", tmp_path)
    assert_same_run(uninterrupted, run_of(tmp_path))


def test_killed_ten_times_at_random_moments_it_ends_the_same(forks, uninterrupted, tmp_path):
    moments = random.Random()
    arguments, killed = ["--runs", tmp_path], []
    for attempt in range(KILLS):
        process = forks.start("toy_distributions", *(TOY if attempt == 0 else ["train"]), *arguments)
        if attempt == 0:
            wait_for(process, lambda: list(tmp_path.glob("*/*/config.json")))
            directory = run_of(tmp_path)
            arguments = ["--resume", directory]
        # In the middle of the updates, and every third time anywhere from the process's beginning on.
        enough = rows_in(tmp_path) + moments.randrange(1, 4)
        late = time.monotonic() + (moments.uniform(0, 3) if attempt % 3 == 2 else 60)
        wait_for(process, lambda: rows_in(tmp_path) >= enough or time.monotonic() > late)  # noqa: B023
        time.sleep(moments.uniform(0, 0.005))
        process.send(signal.SIGKILL)
        assert process.wait() in (0, -signal.SIGKILL), process.printed()
        killed.append(process.wait() != 0)
    assert sum(killed) >= KILLS - 2, "the runs were over before they could be killed: make them longer"
    forks.run("toy_distributions", "train", *arguments)
    assert_same_run(directory, uninterrupted)


def wait_for(process, happened):
    while not happened() and process.poll() is None:
        time.sleep(0.002)


def test_signals_and_damage_leave_a_run_that_ends_the_same(forks, uninterrupted, tmp_path):
    """SIGTERM, then SIGINT, then a damaged checkpoint and half a row of the curves: one run through all of it."""
    process = forks.start("toy_distributions", *TOY, "--runs", tmp_path)
    for number, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        seen = len(curves(run_of(tmp_path))) if status == 130 else 0
        wait_for(process, lambda: rows_in(tmp_path) >= seen + 3)  # noqa: B023
        directory = run_of(tmp_path)
        if status == 143:
            second = forks.start("toy_distributions", "train", "--resume", directory)
            refused_early(second, process)
        process.send(number)
        assert process.wait() == status, process.printed()
        update = int(checkpoint(directory)["updates"])
        assert 0 < update < UPDATES and checkpoint(directory)["file"] == f"{update:08d}.npz"
        said = process.printed()
        assert f"stopped and saved at update {update}" in said and "Traceback" not in said
        command = said.strip().splitlines()[-1].split()
        assert command == ["python", "-m", "apps.toy_distributions", "train", "--resume", str(directory)]
        process = forks.start("toy_distributions", *command[3:]) if status == 143 else None

    kept = sorted((directory / "checkpoints").glob("*.npz"))
    assert len(kept) == 2
    kept[-1].write_bytes(kept[-1].read_bytes()[:-500])
    (directory / "checkpoints" / ".00000999.npz.partial").write_bytes(b"half of it")
    with open(directory / "metrics.csv", "a") as file:
        file.write("999,0.1")
    process = forks.run("toy_distributions", *command[3:])
    assert f"warning: {kept[-1]} is damaged" in process.printed()
    assert_same_run(directory, uninterrupted)


def rows_in(runs: Path) -> int:
    return sum(len(path.read_text().splitlines()) for path in runs.glob("*/*/metrics.csv"))


def refused_early(second, first):
    """The run in use is refused to a second process, unless the first has ended meanwhile."""
    second.wait()
    assert second.status == 2 and f"is being trained by process {first.pid}" in second.printed()
