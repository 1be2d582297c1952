"""One server for the tests of serving: the shipped models and a plain one."""

import pytest
from browsing import browser, page, served  # noqa: F401
from plain_model import save_plain

from benchmarks.served import ROOT, SHIPPED, start


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """Serves `plain` and what ships; `--max-bytes` is a million."""
    models = tmp_path_factory.mktemp("served")
    save_plain(models / "plain/7")
    for name in SHIPPED:
        (models / name).symlink_to(ROOT / "saved_models" / name)
    (models / "notes.txt").write_text("no model")
    options = ["--poll", 0.1, "--settle", 0.2, "--max-bytes", 1_000_000, "--timeout", 2, "--max-enqueued", 40]
    running = start(models, tmp_path_factory.mktemp("log") / "log", *options)
    yield running
    status = running.stop()
    assert status == 0, running.log.read_text()
    assert "Traceback" not in running.log.read_text()
