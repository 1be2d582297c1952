"""The models under a directory, watched: new versions are loaded and swapped in, old ones unloaded when idle.

    models/NAME/VERSION/saved_model.pb

As in TF Serving the highest version of each model is served, unless a `models.config` says otherwise. A version is left
alone until nothing in it has changed for a moment, so that one which is being copied is never loaded; if it cannot be
loaded all the same, what was served before stays, and it is tried again when its files change. Names and numbers of a
request are looked up among what has been loaded: they never become a path.
"""

import contextlib
import dataclasses
import enum
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from google.protobuf import text_format
from tensorflow_serving.config import file_system_storage_path_source_pb2, model_server_config_pb2

from kgan.errors import UsageError
from kgan.serving.metrics import Metrics
from kgan.serving.servable import Servable
from kgan.serving.status import Code, ServingError, invalid, of_exception

Policy = file_system_storage_path_source_pb2.FileSystemStoragePathSourceConfig.ServableVersionPolicy
_REMEMBERED = 20  # versions of a model that were unloaded


class State(enum.IntEnum):
    """Of a version, with TF Serving's numbers."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclasses.dataclass(frozen=True)
class Status:
    """What is told of a version; `code` and `message` are of the error that ended it."""

    state: State
    code: Code = Code.OK
    message: str = ""


@dataclasses.dataclass(frozen=True)
class Rules:
    """What a `models.config` says of one model."""

    directory: str
    policy: Policy
    labels: dict[str, int]


def read_config(path: Path) -> dict[str, Rules]:
    """The rules by model of a `models.config` of TF Serving; of a base_path only the last part counts.

    Raises:
        UsageError: the file cannot be read or does not say what TF Serving understands.
    """
    try:
        config = text_format.Parse(path.read_text(encoding="utf-8"), model_server_config_pb2.ModelServerConfig())
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r} ({error.strerror}): name a models.config.") from error
    except (text_format.ParseError, ValueError) as error:
        said = " ".join(str(error).split())
        raise UsageError(f"{str(path)!r} is no models.config of TF Serving ({said}): mend it.") from error
    rules = {}
    for model in config.model_config_list.config:
        directory = Path(model.base_path).name
        if not model.name or directory in ("", ".."):
            raise UsageError(
                f"{str(path)!r} has the model {model.name!r} in {model.base_path!r}: "
                "give a name, and a base_path such as /models/digits."
            )
        rules[model.name] = Rules(directory, model.model_version_policy, dict(model.version_labels))
    return rules


@dataclasses.dataclass
class _Version:
    """A version that is loaded, and the files that it was loaded from."""

    servable: Servable
    files: tuple


class Repository:
    """The models that can be asked now.

    Args:
        root: the directory of the models.
        rules: of `read_config`; None serves every model by the usual policy.
        keep: the usual policy: how many of a model's highest versions are served; 0 is all.
        settle: seconds for which the files of a version must not have changed.
        load: makes a servable of (name, version, directory).
        say: told of what is loaded and unloaded.
    """

    def __init__(
        self, root: Path, rules: dict[str, Rules] | None = None, *, keep: int = 1, settle: float = 1.0,
        metrics: Metrics | None = None, load=Servable, say=lambda line: print(line, file=sys.stderr, flush=True),
    ):  # fmt: skip
        self.root, self.rules, self.keep, self.settle = root, rules, keep, settle
        self.metrics = metrics or Metrics()
        self._load, self._say = load, say
        self._lock = threading.Lock()
        self._loaded: dict[str, dict[int, _Version]] = {}
        self._leaving: list[_Version] = []
        self._statuses: dict[str, dict[int, Status]] = {}
        self._failed: dict[tuple[str, int], tuple] = {}  # the files that could not be loaded
        self._wake, self._stopped = threading.Event(), False
        self._thread: threading.Thread | None = None

    # What requests ask.

    @contextlib.contextmanager
    def hold(self, name: str, version: int | None = None, label: str | None = None) -> Iterator[Servable]:
        """A loaded version, as `take` gives it, which stays loaded meanwhile."""
        servable = self.take(name, version, label)
        try:
            yield servable
        finally:
            self.release(servable)

    def take(self, name: str, version: int | None = None, label: str | None = None) -> Servable:
        """A loaded version, the highest when none is named, which stays loaded until it is released.

        Raises:
            ServingError: there is none.
        """
        with self._lock:
            if label is not None:
                version = (self.rules[name].labels if self.rules and name in self.rules else {}).get(label)
                if version is None:
                    raise invalid(f"Unrecognized servable version label: {label}")
            versions = self._loaded.get(name, {})
            found = versions.get(max(versions, default=0) if version is None else version)
            if found is None:
                asked = f"Latest({name})" if version is None else f"Specific({name}, {version})"
                raise ServingError(Code.NOT_FOUND, f"Servable not found for request: {asked}")
            found.servable.users += 1
            return found.servable

    def release(self, servable: Servable) -> None:
        """Let go of what was taken."""
        with self._lock:
            servable.users -= 1
            if servable.retired and not servable.users:
                self._wake.set()

    def statuses(self, name: str, version: int | None = None) -> dict[int, Status]:
        """The state of each version, or of one, highest first.

        Raises:
            ServingError: there is none.
        """
        with self._lock:
            known = dict(sorted(self._statuses.get(name, {}).items(), reverse=True))
        if version is not None:
            if version not in known:
                raise ServingError(Code.NOT_FOUND, f"Could not find version {version} of model {name}")
            return {version: known[version]}
        if not known:
            raise ServingError(Code.NOT_FOUND, f"Could not find any versions of model {name}")
        return known

    def has(self, name: str) -> bool:
        """Whether a model can be asked."""
        with self._lock:
            return bool(self._loaded.get(name))

    def models(self) -> dict[str, list[int]]:
        """The versions of each model that can be asked."""
        with self._lock:
            return {name: sorted(versions) for name, versions in sorted(self._loaded.items()) if versions}

    def unavailable(self) -> list[str]:
        """The models that have a version but none that can be asked."""
        with self._lock:
            live = {State.START, State.LOADING}
            return sorted(
                name
                for name, statuses in self._statuses.items()
                if not self._loaded.get(name)
                and any(status.state in live or status.code is not Code.OK for status in statuses.values())
            )

    def close(self) -> None:
        """Stop watching and unload everything; nothing may be running any more."""
        self._stopped = True
        self._wake.set()
        if self._thread:
            self._thread.join()
        with self._lock:
            for name, versions in self._loaded.items():
                for version in list(versions):
                    self._retire(name, version)
            leaving, self._leaving = self._leaving, []
        for version in leaving:
            version.servable.close()

    # Watching.

    def watch(self, every: float) -> None:
        """Look for changes every so many seconds, in a thread of its own."""

        def look():
            while not self._stopped:
                self._wake.wait(every)
                self._wake.clear()
                if not self._stopped:
                    try:
                        self.scan()
                    except Exception as error:  # the disk may be away for a while; the server goes on
                        self._say(f"looking at {self.root}: {of_exception(error).message}")

        self._thread = threading.Thread(target=look, name="watcher", daemon=True)
        self._thread.start()

    def scan(self) -> None:
        """Look once: load what is new, then let go of what is no longer wanted."""
        found = self._found()
        self._failed = {key: files for key, files in self._failed.items() if key[1] in found.get(key[0], {})}
        for name in sorted({*found, *self._loaded}):
            present = found.get(name, {})
            while True:  # until each version that is wanted is loaded, or known not to load
                loaded = self._loaded.get(name, {})
                bad = {version for version, files in present.items() if self._failed.get((name, version)) == files}
                wanted = self._wanted(name, [version for version in present if version not in bad - loaded.keys()])
                missing = [
                    version
                    for version in wanted
                    if version not in bad and (version not in loaded or loaded[version].files != present[version])
                ]
                if not missing or self._stopped:
                    break
                self._bring(name, max(missing), present[max(missing)])
            with self._lock:
                loaded = self._loaded.get(name, {})
                # While there is a version that may become whole, the one that is served stays, on the disk or not.
                if name not in found or any(version in loaded for version in wanted):
                    for version in [version for version in loaded if version not in wanted]:
                        self._retire(name, version)
        self._unload_idle()

    def _found(self) -> dict[str, dict[int, tuple]]:
        """Models with versions on the disk, and of these the whole ones: version -> what its files look like."""
        if self.rules is None:
            names = {entry.name: entry.name for entry in os.scandir(self.root) if not entry.name.startswith(".")}
        else:
            names = {name: rules.directory for name, rules in self.rules.items()}
        found = {}
        for name, directory in names.items():
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                for entry in os.scandir(self.root / directory):
                    if entry.name.isascii() and entry.name.isdecimal():
                        whole = found.setdefault(name, {})
                        if files := self._files(Path(entry.path)):
                            whole[int(entry.name)] = files
        return found

    def _files(self, directory: Path) -> tuple | None:
        """Name, size, time and number of each file, or None where a file is missing or was changed just now."""
        files, newest = [], 0.0
        try:
            for path in (directory, *sorted(directory.rglob("*"))):
                state = path.stat()
                newest = max(newest, state.st_ctime)
                if path.is_file():
                    files.append((str(path.relative_to(directory)), state.st_size, state.st_mtime_ns, state.st_ino))
        except OSError:  # removed while it was looked at
            return None
        names = {name for name, *_ in files}
        whole = names & {"saved_model.pb", "saved_model.pbtxt"} and (
            "variables/variables.index" in names or not (directory / "variables").exists()
        )
        # The clock of another machine's disk may be ahead: then there is nothing to wait for.
        return (str(directory), *files) if whole and not 0 <= time.time() - newest < self.settle else None

    def _wanted(self, name: str, versions: list[int]) -> list[int]:
        policy = self.rules[name].policy if self.rules is not None and name in self.rules else None
        kind = policy.WhichOneof("policy_choice") if policy is not None else None
        if kind == "specific":
            return [version for version in versions if version in policy.specific.versions]
        keep = (policy.latest.num_versions or 1) if kind == "latest" else 0 if kind == "all" else self.keep
        return sorted(versions)[-keep:]

    def _bring(self, name: str, version: int, files: tuple) -> None:
        """Load a version; requests go to it from the moment that it is warm."""
        self._tell(name, version, State.LOADING)
        begun = time.perf_counter()
        try:
            servable = self._load(name, version, Path(files[0]))
        except Exception as error:
            told = of_exception(error)
            self._failed[name, version] = files
            self.metrics.loads.add(name, told.code.name)
            with self._lock:
                is_served = version in self._loaded.get(name, {})  # from the files that were there before
            if not is_served:
                self._tell(name, version, State.END, told.code, told.message)
            self._say(f"cannot load version {version} of {name}: {told.message}")
            return
        with self._lock:
            if version in self._loaded.get(name, {}):
                self._retire(name, version)
            self._loaded.setdefault(name, {})[version] = _Version(servable, files)
            self._statuses.setdefault(name, {})[version] = Status(State.AVAILABLE)
        self.metrics.loads.add(name, Code.OK.name)
        self._say(f"loaded version {version} of {name} in {time.perf_counter() - begun:.1f} s")

    def _retire(self, name: str, version: int) -> None:
        """No new request gets it; under the lock."""
        leaving = self._loaded[name].pop(version)
        leaving.servable.retired = True
        self._leaving.append(leaving)
        self._statuses[name][version] = Status(State.UNLOADING)

    def _unload_idle(self) -> None:
        with self._lock:
            idle = [version for version in self._leaving if not version.servable.users]
            self._leaving = [version for version in self._leaving if version.servable.users]
        for version in idle:
            servable = version.servable
            servable.close()
            with self._lock:
                is_replaced = servable.version in self._loaded.get(servable.name, {})
            if not is_replaced:
                self._tell(servable.name, servable.version, State.END)
                self._say(f"unloaded version {servable.version} of {servable.name}")

    def _tell(self, name: str, version: int, state: State, code: Code = Code.OK, message: str = "") -> None:
        with self._lock:
            if state is State.LOADING and version in self._loaded.get(name, {}):
                return  # the same version of other files, which is served until these are loaded
            statuses = self._statuses.setdefault(name, {})
            statuses[version] = Status(state, code, message)
            ended = sorted(number for number, status in statuses.items() if status.state is State.END)
            for number in ended[:-_REMEMBERED]:
                del statuses[number]
