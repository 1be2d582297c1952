"""Command lines of the apps, each in a process of its own, which costs a fork instead of an import of TensorFlow.

A server process imports the apps, computes nothing (so that it has a single thread and forking it is safe), and forks
for every command line. Signals, exit statuses and SIGKILL are the real thing.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
APPS = ("toy_distributions", "image_generation")


class Forks:
    """Starts command lines."""

    def __init__(self, folder: Path):
        self.folder, self.count = folder, 0
        self.server = subprocess.Popen(
            [sys.executable, "-u", __file__], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    def start(self, app: str, *arguments, environment: dict[str, str] | None = None) -> "Process":
        """`python -m apps.<app> <arguments>`, on its way."""
        self.count += 1
        output = self.folder / f"output_{self.count}.txt"
        request = {
            "app": app, "arguments": [str(argument) for argument in arguments], "output": str(output),
            "environment": environment or {},
        }  # fmt: skip
        return Process(self, self.ask(request), output)

    def run(self, app: str, *arguments, **options) -> "Process":
        """`python -m apps.<app> <arguments>`, at its end, which must be a success."""
        process = self.start(app, *arguments, **options)
        assert process.wait() == 0, process.printed()
        return process

    def ask(self, request: dict) -> int:
        """One request to the server and its answer."""
        self.server.stdin.write(json.dumps(request) + "\n")
        self.server.stdin.flush()
        return int(self.server.stdout.readline())

    def close(self) -> None:
        """End the server, at the end of the tests."""
        self.server.stdin.close()
        self.server.wait()


class Process:
    """One command line under way."""

    def __init__(self, forks: Forks, pid: int, output: Path):
        self.forks, self.pid, self.output = forks, pid, output
        self.status: int | None = None

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens when it has ended already."""
        if self.poll() is None:
            os.kill(self.pid, number)  # not reaped yet, so the number is still its own

    def poll(self) -> int | None:
        """The exit status, as `subprocess` gives it: negative for a signal, None while it runs."""
        if self.status is None:
            answer = self.forks.ask({"poll": self.pid})
            self.status = None if answer == 999 else answer
        return self.status

    def wait(self, seconds: float = 120) -> int:
        """The exit status, once there is one."""
        end = time.monotonic() + seconds
        while self.poll() is None:
            if time.monotonic() > end:
                os.kill(self.pid, signal.SIGKILL)
                raise AssertionError(f"still running after {seconds} s: {self.printed()}")
            time.sleep(0.02)
        return self.status

    def printed(self) -> str:
        """All that it has written to standard output and standard error."""
        return self.output.read_text(encoding="utf8")


def serve() -> None:
    """Fork for every line of standard input."""
    import apps  # noqa: F401  quietly, and kgan before TensorFlow

    modules = {name: importlib.import_module(f"apps.{name}") for name in APPS}
    for line in sys.stdin:
        request = json.loads(line)
        if "poll" in request:
            pid, status = os.waitpid(request["poll"], os.WNOHANG)
            print(os.waitstatus_to_exitcode(status) if pid else 999)
            continue
        pid = os.fork()
        if pid == 0:
            _become(modules[request["app"]], request)
        print(pid)


def _become(module, request: dict) -> None:
    from kgan import app

    output = os.open(request["output"], os.O_WRONLY | os.O_CREAT)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for theirs, ours in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(theirs, ours)
    os.environ.update(request["environment"])
    status = 1
    try:
        classes = [thing for thing in vars(module).values() if isinstance(thing, type)]
        kind = next(one for one in classes if issubclass(one, app.App) and one is not app.App)
        status = _main(app, kind, request)
    except SystemExit as end:
        status = end.code
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status if isinstance(status, int) else 1)


def _main(app, kind, request: dict) -> int:
    """The command line; with $DUMP, this process's copy of all that was trained goes there afterwards."""
    if not (dump := os.environ.get("DUMP")):
        app.main(kind(), request["arguments"])
        return 0

    import numpy as np

    class Recording(kind):
        def build(self, options, data):
            Recording.model = super().build(options, data)
            return Recording.model

    app.main(Recording(), request["arguments"])
    state = {name: v for name, v in Recording.model.state().items() if not name.startswith("metric_")}
    np.savez(dump, **{name: np.asarray(variable.value) for name, variable in state.items()})
    return 0


if __name__ == "__main__":
    serve()
