"""On what a training runs: threads, precision, and one device or many."""

import contextlib
import json
import os
from dataclasses import dataclass
from typing import Literal

import keras
import tensorflow as tf

from kgan.errors import UsageError

Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]
StrategyName = Literal["one", "mirrored", "workers"]


@dataclass
class Devices:
    """On what the training runs."""

    precision: Precision = "float32"
    """Arithmetic of both players: mixed_bfloat16 where the processor or GPU has it, mixed_float16 for older GPUs."""
    jit: bool = False
    """Compile with XLA: quicker on GPUs, slower on CPUs."""
    threads: int = 0
    """CPU threads to use; 0 means all cores."""
    updates_per_call: int = 10
    """Updates done at once at most, before Python draws, saves or hears Ctrl-C: 1 where a single one takes long."""
    strategy: StrategyName = "one"
    """One device; mirrored over this machine's GPUs; or several workers described by TF_CONFIG."""
    replicas: int = 0
    """With 'mirrored': how many devices to use, virtual CPU devices where there is no GPU; 0 means every GPU."""


def set_up(devices: Devices, seed: int) -> tf.distribute.Strategy | None:
    """Configure this process and return its distribution strategy, None for a single device.

    To be called before TensorFlow computes anything.

    Raises:
        UsageError: for options that cannot work together or on this machine.
    """
    if devices.threads < 0:
        raise UsageError(f"--threads is {devices.threads}: give a number of CPU threads, or 0 for all cores.")
    if devices.updates_per_call < 1:
        raise UsageError(f"--updates-per-call is {devices.updates_per_call}: give at least 1.")
    if devices.jit and devices.strategy != "one":
        raise UsageError(f"--jit does not work with --strategy {devices.strategy}: leave one of them out.")
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = devices.threads or usable
    with contextlib.suppress(RuntimeError):  # a second training in one process keeps the first one's threads
        # Two operations side by side, each on half of the threads: there are always two, a gradient for the weights
        # and one for what comes before, and a thread that is not woken for every part of one costs nothing.
        tf.config.threading.set_intra_op_parallelism_threads(max(1, threads // 2))
        tf.config.threading.set_inter_op_parallelism_threads(min(2, threads))
    # Two graph passes of TensorFlow 2.21 that do harm here: remapping gives up on the penalties' second derivatives, at
    # length, and gains nothing elsewhere; the other loses the order between reading a weight and moving it, so that
    # with several threads what is reported, and then what is learnt, would now and then not be the same again.
    tf.config.optimizer.set_experimental_options({"remapping": False, "dependency_optimization": False})
    keras.config.set_dtype_policy(devices.precision)
    keras.utils.set_random_seed(seed)
    if devices.strategy == "mirrored":
        return tf.distribute.MirroredStrategy(_local_devices(devices.replicas))
    if devices.strategy == "workers":
        _check_cluster(os.environ.get("TF_CONFIG"))
        return tf.distribute.MultiWorkerMirroredStrategy()
    return None


def is_chief(strategy: tf.distribute.Strategy | None) -> bool:
    """Whether this process is the one that writes: the only one, or the first of several workers."""
    resolver = getattr(strategy, "cluster_resolver", None)
    return resolver is None or (resolver.task_type, resolver.task_id) in {("chief", 0), ("worker", 0), (None, None)}


def workers(strategy: tf.distribute.Strategy | None) -> tuple[int, int]:
    """This worker's index and the number of workers."""
    resolver = getattr(strategy, "cluster_resolver", None)
    if resolver is None or not resolver.cluster_spec().as_dict():
        return 0, 1
    cluster = resolver.cluster_spec().as_dict()
    before = len(cluster.get("chief", [])) if resolver.task_type == "worker" else 0
    return before + resolver.task_id, sum(len(cluster.get(kind, [])) for kind in ("chief", "worker"))


def _local_devices(replicas: int) -> list[str] | None:
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        if replicas > len(gpus):
            raise UsageError(f"--replicas is {replicas} but this machine has {len(gpus)} GPU(s): give at most that.")
        return [f"GPU:{i}" for i in range(replicas)] or None
    count = replicas or 2
    if count < 1:
        raise UsageError(f"--replicas is {replicas}: give a positive number of devices.")
    cpu = tf.config.list_physical_devices("CPU")[0]
    with contextlib.suppress(RuntimeError):  # already split by an earlier training in this process
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
    have = len(tf.config.list_logical_devices("CPU"))
    if have < count:  # TensorFlow would wait for the missing ones for ever
        raise UsageError(
            f"--replicas is {count} but TensorFlow has already begun in this process, with {have} CPU device(s): "
            "start the training in a process of its own."
        )
    return [f"CPU:{i}" for i in range(count)]


def _check_cluster(text: str | None) -> None:
    example = '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'
    try:
        config = json.loads(text or "")
        count = len(config["cluster"]["worker"]) + len(config["cluster"].get("chief", []))
        if count < 1 or not isinstance(config["task"]["index"], int):
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(
            f"--strategy workers needs TF_CONFIG to describe the cluster but it is {text!r}: set it to e.g. {example}."
        ) from None
