"""The run directory: where one training keeps its options, checkpoints, pictures and curves."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kgan.errors import UsageError

CONFIG = "config.json"


def create(root: Path, app: str) -> Path:
    """Make `root/app/<start time>/` and return it; two runs begun in one second get different names.

    Raises:
        UsageError: when the directory cannot be made.
    """
    stamp = time.strftime("%Y-%m-%d_%H%M%S")
    for attempt in range(100):
        directory = Path(root) / app / (stamp if not attempt else f"{stamp}_{attempt + 1}")
        try:
            directory.mkdir(parents=True)
            return directory
        except FileExistsError:
            if not directory.is_dir():
                raise UsageError(f"cannot start a run: {directory} is a file; give another --runs directory.") from None
        except OSError as error:
            raise UsageError(
                f"cannot make the run directory {directory} ({error.strerror}): give a writable --runs directory."
            ) from None
    raise UsageError(f"cannot start a run: {Path(root) / app} already holds 100 runs of this second.")


def write_atomically(path: Path, text: str) -> None:
    """Replace a text file in one step, so that nobody ever reads half of it."""
    beside = path.with_name(f".{path.name}.partial")
    with open(beside, "w", encoding="utf8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)


def write_config(directory: Path, config: dict) -> None:
    """Keep what the run was started with."""
    write_atomically(Path(directory) / CONFIG, json.dumps(config, indent=2) + "\n")


def read_config(directory: Path) -> dict:
    """What a run was started with.

    Raises:
        UsageError: when the directory is missing, is no run, or its config is damaged.
    """
    directory = Path(directory)
    if not directory.is_dir():
        others = sorted(str(p) for p in directory.parent.glob("*/")) if directory.parent.is_dir() else []
        hint = f"the latest beside it is {others[-1]}" if others else "runs are kept under runs/<app>/<start time>"
        raise UsageError(f"there is no run at {directory}: {hint}.")
    try:
        config = json.loads((directory / CONFIG).read_text(encoding="utf8"))
        if not isinstance(config, dict) or "app" not in config or "options" not in config:
            raise ValueError("it lacks 'app' or 'options'")
        return config
    except FileNotFoundError:
        raise UsageError(
            f"{directory} is not a run directory: it has no {CONFIG}; give a directory such as runs/<app>/<start time>."
        ) from None
    except (ValueError, OSError) as error:
        raise UsageError(f"{directory / CONFIG} is damaged ({error}): restore it or start a new run.") from None


@contextmanager
def lock(directory: Path) -> Iterator[None]:
    """Hold the run for this process; the hold ends with the process, however it ends.

    Raises:
        UsageError: when another process is training in it.
    """
    try:
        file = open(Path(directory) / ".lock", "a+", encoding="utf8")
    except OSError as error:
        raise UsageError(
            f"cannot write to the run {directory} ({error.strerror}): make it writable or copy it elsewhere."
        ) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise UsageError(
                f"the run {directory} is being trained by process {file.read().strip() or 'unknown'}: "
                "wait for it, stop it, or start another run."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
