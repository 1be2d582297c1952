"""Several devices and several workers train the very model that one would: real processes, tiny sizes."""

import json
import socket

import numpy as np
import pytest
import tensorflow as tf

from kgan.errors import UsageError
from kgan.training import devices

# Both have batch normalisation in the generator, whose statistics must be those of the global batch.
RUNS = {
    "points": (
        "toy_distributions", "--width", "8", "--depth", "1", "--normalisation", "batch", "--objective", "dcgan",
        "--dropout", "0.1", "--critic-steps", "2", "--learning-rate-decay", "none",
    ),
    "images": (
        "image_generation", "--data", "digits", "--size", "8", "--width", "4", "--latent-dim", "8",
        "--objective", "lsgan",
        "--discriminator-normalisation", "batch",
    ),
}  # fmt: skip
COMMON = ("--updates", "4", "--batch-size", "8", "--log-every", "2", "--threads", "1", "--average-decay", "0.5")


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.mark.parametrize("name", RUNS)
def test_two_workers_end_with_the_weights_of_one_mirrored_process(name, forks, tmp_path):
    app, *options = RUNS[name]
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    started = []
    for index in range(2):
        environment = {
            "TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}}),
            "DUMP": str(tmp_path / f"worker_{index}.npz"),
        }
        arguments = ["train", *options, *COMMON, "--strategy", "workers", "--runs", tmp_path / f"runs_{index}"]
        started.append(forks.start(app, *arguments, environment=environment))
    for process in started:
        assert process.wait() == 0, process.printed()
    forks.run(
        app, "train", *options, *COMMON, "--strategy", "mirrored", "--replicas", "2", "--runs", tmp_path / "mirrored",
        environment={"DUMP": str(tmp_path / "mirrored.npz")},
    )  # fmt: skip
    forks.run(
        app, "train", *options, *COMMON, "--updates", "0", "--runs", tmp_path / "none",
        environment={"DUMP": str(tmp_path / "untrained.npz")},
    )  # fmt: skip

    first, second, mirrored, untrained = (
        dict(np.load(tmp_path / f"{which}.npz")) for which in ("worker_0", "worker_1", "mirrored", "untrained")
    )
    assert first["updates"] == 4 and first.keys() == second.keys() == mirrored.keys() == untrained.keys()
    for key in first:
        np.testing.assert_array_equal(first[key], second[key], err_msg=key)
        np.testing.assert_array_equal(first[key], mirrored[key], err_msg=key)
    moved = [key for key in first if not np.array_equal(first[key], untrained[key])]
    assert len(moved) > 0.8 * len(first)

    (run,) = (tmp_path / "runs_0" / app).iterdir()
    assert {path.name for path in run.iterdir()} >= {"config.json", "metrics.csv", "checkpoints", "samples"}
    assert not (tmp_path / "runs_1").exists(), "only the first worker writes"
    with np.load(max((run / "checkpoints").glob("*.npz"))) as saved:
        assert all(np.array_equal(saved[key], first[key]) for key in first)


def test_several_devices_resume_exactly(forks, tmp_path):
    app, *options = RUNS["points"]
    several = ("--strategy", "mirrored", "--replicas", "2")

    def newest(runs) -> dict:
        (run,) = (runs / app).iterdir()
        with np.load(max((run / "checkpoints").glob("*.npz"))) as saved:
            return dict(saved)

    forks.run(app, "train", *options, *COMMON, *several, "--runs", tmp_path / "straight")
    forks.run(app, "train", *options, *COMMON, *several, "--updates", "2", "--runs", tmp_path / "resumed")
    (run,) = (tmp_path / "resumed" / app).iterdir()
    forks.run(app, "train", "--resume", run, "--updates", "4")
    straight, resumed = newest(tmp_path / "straight"), newest(tmp_path / "resumed")
    assert resumed["updates"] == 4 and straight.keys() == resumed.keys()
    assert not [key for key in straight if not np.array_equal(straight[key], resumed[key])]


def test_devices_that_are_not_there_are_refused_and_not_waited_for():
    tf.constant(1) + 1  # TensorFlow has begun, so the processor can no longer be split
    with pytest.raises(UsageError, match="^--replicas is 3 but TensorFlow has already begun"):
        devices.set_up(devices.Devices(strategy="mirrored", replicas=3), 0)


def test_a_batch_that_several_devices_cannot_share_is_refused(forks, tmp_path):
    app, *options = RUNS["points"]
    arguments = ["--strategy", "mirrored", "--replicas", "3", "--runs", tmp_path / "runs"]
    process = forks.start(app, "train", *options, *COMMON, *arguments)
    assert process.wait() == 2
    (said,) = process.printed().strip().splitlines()
    assert said == "error: --batch-size 8 cannot be shared equally by 3 devices: give a multiple."
    assert not (tmp_path / "runs").exists()
