"""Requests that nobody means, and versions that come and go while others are called."""

import shutil

from benchmarks.served import ROOT, start, swap, throw, throw_messages


def test_nonsense(server):
    statuses = throw(server, 600, seed=0)
    assert min(statuses.get(status, 0) for status in (200, 400, 404)) > 2
    codes = throw_messages(server, 150, seed=0)
    assert codes.keys() <= {
        "OK",
        "INVALID_ARGUMENT",
        "NOT_FOUND",
        "FAILED_PRECONDITION",
        "UNKNOWN",
        "INTERNAL",
    }  # UNKNOWN: no message at all
    assert sum(count for code, count in codes.items() if code != "UNKNOWN") > 5
    assert server.json("POST", "/v1/models/plain:predict", '{"instances": [1]}') == (200, {"predictions": [3.5]})


def test_versions_come_and_go(tmp_path):
    (tmp_path / "models/swapped").mkdir(parents=True)
    shutil.copytree(ROOT / "saved_models/digits/1", tmp_path / "models/swapped/1")
    running = start(tmp_path / "models", tmp_path / "log", "--poll", 0.05, "--settle", 0.3)
    try:
        seen, calls, errors = swap(running, count=10, callers=4, pause=0.1)
        assert not errors, errors[:3]
        assert calls > 100 and seen >= set(range(2, 12))
        states = running.json("GET", "/v1/models/swapped")[1]["model_version_status"]
        assert states[0]["version"] == "11" and states[0]["state"] == "AVAILABLE"
        assert "cannot load" not in running.log.read_text()
    finally:
        status = running.stop()
    assert status == 0
