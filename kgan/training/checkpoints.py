"""Checkpoints from which a run goes on exactly: written whole or not at all, checked when read."""

import os
import zipfile
from pathlib import Path

import numpy as np

from kgan.errors import UsageError

KEPT = 2  # the newest may turn out damaged on disk; the one before it then serves


def save(state: dict, directory: Path, update: int) -> Path:
    """Write the variables of `AdversarialModel.state()` as `directory/<update>.npz`, in one step.

    Raises:
        UsageError: when the disk is full or not writable; earlier checkpoints are left as they are.
    """
    directory = Path(directory)
    final = directory / f"{update:08d}.npz"
    beside = directory / f".{final.name}.partial"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with open(beside, "wb") as file:
            np.savez(file, **{name: np.asarray(variable.value) for name, variable in state.items()})
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, final)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise UsageError(
            f"cannot write the checkpoint {final} ({error.strerror}): free some space or make it writable, "
            "then go on from the checkpoint before it with --resume."
        ) from None
    for old in _all(directory)[:-KEPT]:
        old.unlink(missing_ok=True)
    return final


def latest(directory: Path) -> tuple[int, dict[str, np.ndarray], list[str]]:
    """The newest whole checkpoint: its update, its arrays, and a sentence about each damaged one passed over.

    Raises:
        UsageError: when there is none.
    """
    damaged = []
    for path in reversed(_all(directory)):
        try:
            with np.load(path, allow_pickle=False) as archive:
                return int(path.stem), {name: archive[name] for name in archive.files}, damaged
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
            damaged.append(f"{path} is damaged ({error}); going back to the checkpoint before it.")
    reason = f"all of its checkpoints are damaged ({len(damaged)})" if damaged else "it has no checkpoint yet"
    raise UsageError(f"cannot go on from {Path(directory).parent}: {reason}; start a new run.")


def restore(state: dict, arrays: dict[str, np.ndarray], source: Path) -> None:
    """Put a checkpoint's arrays back into the variables they came from; all of them or none.

    Raises:
        UsageError: when the checkpoint belongs to another model.
    """
    for name in state.keys() | arrays.keys():
        ours = tuple(state[name].shape) if name in state else "no such variable"
        theirs = arrays[name].shape if name in arrays else "no such variable"
        if ours != theirs:
            raise UsageError(
                f"the checkpoint in {source} belongs to another model: for {name!r} it has {theirs}, "
                f"this model has {ours}; resume it with the options it was started with."
            )
    for name, variable in state.items():
        variable.assign(arrays[name])


def _all(directory: Path) -> list[Path]:
    return sorted(path for path in Path(directory).glob("*.npz") if path.stem.isdigit())
