"""How a version is loaded, and how long the connections of those who ask it live."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from plain_model import save_plain

from kgan.serving.servable import Servable, _is_straight
from kgan.serving.server import _Protocol


def save_straight(directory):
    module = tf.Module()
    module.weights = tf.Variable(np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32))
    spec = tf.TensorSpec([None, 3], tf.float32, name="x")
    call = tf.function(lambda x: {"y": tf.nn.relu(x @ module.weights)}, input_signature=[spec])
    tf.saved_model.save(module, str(directory), signatures={"serving_default": call})
    return module.weights.numpy()


def test_only_straight_graphs_are_computed_as_a_list(tmp_path):
    weights = save_straight(tmp_path / "straight")
    save_plain(tmp_path / "bent")  # `work` loops
    assert _is_straight(tmp_path / "straight") and not _is_straight(tmp_path / "bent")
    x = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)
    straight, bent = (Servable(name, 1, tmp_path / name) for name in ("straight", "bent"))
    np.testing.assert_allclose(straight.signature("").run({"x": x})["y"], np.maximum(x @ weights, 0), rtol=1e-6)
    assert np.isfinite(bent.signature("work").run({"steps": np.int32(3)})["sum"])
    for servable in (straight, bent):
        servable.close()


@pytest.mark.parametrize("threads", [0, 1])
def test_how_tensorflow_is_asked_to_compute(tmp_path, monkeypatch, threads):
    save_straight(tmp_path)
    asked, session = [], tf.compat.v1.Session
    monkeypatch.setattr(tf.compat.v1, "Session", lambda **how: asked.append(how["config"]) or session(**how))
    Servable("straight", 1, tmp_path, threads=threads).close()
    (config,) = asked
    assert (config.intra_op_parallelism_threads, config.inter_op_parallelism_threads) == (threads, -1)
    assert (
        config.experimental.disable_thread_spinning and config.experimental.executor_type == "SINGLE_THREADED_EXECUTOR"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="of glibc")
def test_the_server_has_large_pages_and_one_process(server):
    process = Path(f"/proc/{server.process.pid}")
    assert b"GLIBC_TUNABLES=glibc.malloc.hugetlb=1\0" in (process / "environ").read_bytes()
    assert b"kgan.serving\0--models\0" in (process / "cmdline").read_bytes()


def test_a_graph_that_cannot_be_read_is_for_the_loader_to_refuse(tmp_path):
    assert not _is_straight(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"\x0a\xff\xff no graph")
    assert not _is_straight(tmp_path)
    with pytest.raises(Exception, match=r"(?i)pars|decod|saved_model|wire"):
        Servable("broken", 1, tmp_path)


@pytest.mark.parametrize(
    ("idle", "complete", "heading", "closed", "again"),
    [
        (76, True, False, True, None),
        (30, True, False, False, 45),  # answered since the timer was set
        (76, False, False, False, 1),  # being answered
        (76, True, True, False, 1),  # a head is arriving
    ],
)
def test_connections_that_rest_are_closed(idle, complete, heading, closed, again):
    calls = []
    protocol = SimpleNamespace(
        _answered_at=1000.0, timeout_keep_alive=75, _is_heading=heading, _resting=None, _close_if_idle=print,
        cycle=SimpleNamespace(response_complete=complete),
        transport=SimpleNamespace(close=lambda: calls.append("close")),
        loop=SimpleNamespace(time=lambda: 1000.0 + idle, call_later=lambda delay, _: calls.append(delay)),
    )  # fmt: skip
    _Protocol._close_if_idle(protocol)
    assert calls == (["close"] if closed else [again])
