"""Which versions are loaded, swapped and let go: files here, but no TensorFlow."""

import os
import shutil
import threading
import time

import pytest

from kgan.errors import UsageError
from kgan.serving.repository import Repository, State, read_config
from kgan.serving.status import Code, ServingError


class Loaded:
    """Stands for a model; `broken` says which file contents do not load."""

    alive: list = []

    def __init__(self, name, version, directory):
        if (directory / "saved_model.pb").read_text() == "broken":
            raise ValueError("no graph\nin it")
        self.name, self.version, self.users, self.retired = name, version, 0, False
        self.content = (directory / "saved_model.pb").read_text()
        Loaded.alive.append(self)

    def close(self):
        assert self.users == 0
        Loaded.alive.remove(self)


def write(root, name, version, content="good"):
    """As an export does: whole at once."""
    temporary = root / name / f".new-{version}"
    (temporary / "variables").mkdir(parents=True)
    (temporary / "saved_model.pb").write_text(content)
    (temporary / "variables/variables.index").write_text("x")
    temporary.rename(root / name / str(version))


@pytest.fixture
def make(tmp_path):
    made = []
    Loaded.alive = []

    def repository(rules=None, **options):
        made.append(Repository(tmp_path, rules, **{"settle": 0, **options}, load=Loaded, say=lambda line: None))
        return made[-1]

    yield repository
    for repository_ in made:
        repository_.close()
    assert Loaded.alive == []


def served(repository, name="a", **which):
    with repository.hold(name, **which) as found:
        return found.version


def test_the_highest_version_as_a_number(make, tmp_path):
    for version in (2, 9, 10):
        write(tmp_path, "a", version)
    for name in ("011a", "x", "٣", ".exporting-1"):  # digits of Arabic are decimal to Python
        write(tmp_path, "a", name)
    write(tmp_path, ".hidden", 1)
    repository = make()
    repository.scan()
    assert repository.models() == {"a": [10]} and len(Loaded.alive) == 1
    assert served(repository) == served(repository, version=10) == 10
    for missing in ({"version": 9}, {"name": "b"}, {"name": "../a"}, {"name": ""}, {"version": -1}):
        with pytest.raises(ServingError, match="Servable not found for request") as caught:
            served(repository, **missing)
        assert caught.value.code is Code.NOT_FOUND
    all_ = make(keep=0)
    all_.scan()
    assert all_.models() == {"a": [2, 9, 10]} and served(all_) == 10 and served(all_, version=2) == 2


def test_a_swap_waits_for_those_who_use_the_old_one(make, tmp_path):
    write(tmp_path, "a", 1)
    repository = make()
    repository.scan()
    with repository.hold("a") as old:
        write(tmp_path, "a", 2)
        repository.scan()
        assert served(repository) == 2 and old in Loaded.alive
        assert repository.statuses("a")[1].state is State.UNLOADING
    assert old in Loaded.alive
    repository.scan()
    assert [found.version for found in Loaded.alive] == [2]
    assert {version: status.state for version, status in repository.statuses("a").items()} == {
        2: State.AVAILABLE, 1: State.END,
    }  # fmt: skip
    shutil.rmtree(tmp_path / "a")
    repository.scan()
    assert repository.models() == {} and Loaded.alive == []


def test_what_cannot_be_loaded_changes_nothing_until_its_files_change(make, tmp_path):
    write(tmp_path, "a", 1)
    write(tmp_path, "a", 2, "broken")
    repository = make()
    repository.scan()
    assert served(repository) == 1
    assert repository.statuses("a", 2)[2].message == "ValueError: no graph in it"
    assert repository.statuses("a", 2)[2].code is Code.INTERNAL
    tried = repository.metrics.loads.lines()
    repository.scan()
    assert repository.metrics.loads.lines() == tried
    (tmp_path / "a/2/saved_model.pb").write_text("mended")
    repository.scan()
    assert served(repository) == 2 and repository.statuses("a", 2)[2].state is State.AVAILABLE
    (tmp_path / "a/2/saved_model.pb").write_text("broken")  # what is loaded is served on
    repository.scan()
    assert served(repository) == 2 and repository.statuses("a", 2)[2].state is State.AVAILABLE
    (tmp_path / "a/2/saved_model.pb").write_text("anew")
    repository.scan()
    with repository.hold("a") as found:
        assert found.content == "anew"
    repository.scan()
    assert len(Loaded.alive) == 1
    write(tmp_path, "b", 1, "broken")
    repository.scan()
    assert repository.unavailable() == ["b"]


def test_half_a_copy_is_left_alone(make, tmp_path):
    whole = tmp_path.parent / "whole"
    write(whole, "a", 1)
    repository = make(settle=0)
    (tmp_path / "a/1/variables").mkdir(parents=True)
    shutil.copy(whole / "a/1/saved_model.pb", tmp_path / "a/1")
    repository.scan()  # its variables are not there yet
    assert repository.models() == {}
    shutil.copy(whole / "a/1/variables/variables.index", tmp_path / "a/1/variables")
    patient = make(settle=1000)
    patient.scan()  # everything is there, but perhaps more comes
    assert patient.models() == {} and Loaded.alive == []
    os.utime(tmp_path / "a/1/saved_model.pb", (0, 0))  # copied with the times of the original
    patient.scan()
    assert patient.models() == {}
    repository.scan()
    assert repository.models() == {"a": [1]}


def test_config(make, tmp_path):
    path = tmp_path / "models.config"
    path.write_text("""
        model_config_list {
          config { name: "first" base_path: "/models/a" model_platform: "tensorflow"
                   model_version_policy { specific { versions: 1 versions: 3 } }
                   version_labels { key: "stable" value: 1 } version_labels { key: "canary" value: 3 }
                   version_labels { key: "gone" value: 2 } }
          config { name: "second" base_path: "/models/b/" model_version_policy { latest { num_versions: 2 } } }
          config { name: "third" base_path: "b" model_version_policy { all {} } }
        }""")
    for version in (1, 2, 3, 4):
        write(tmp_path, "a", version)
        write(tmp_path, "b", version)
    repository = make(read_config(path))
    repository.scan()
    assert repository.models() == {"first": [1, 3], "second": [3, 4], "third": [1, 2, 3, 4]}
    assert served(repository, "first", label="stable") == 1 and served(repository, "first", label="canary") == 3
    with pytest.raises(ServingError, match="Unrecognized servable version label: x"):
        served(repository, "first", label="x")
    with pytest.raises(ServingError, match=r"Specific\(first, 2\)"):
        served(repository, "first", label="gone")
    outside = 'model_config_list { config { name: "a" base_path: ".." } }'
    wrong = {"model_config_list {": "no models.config", "x: 1": "no models.config", outside: "a base_path such as"}
    for text, message in wrong.items():
        path.write_text(text)
        with pytest.raises(UsageError, match=message):
            read_config(path)
    with pytest.raises(UsageError, match="No such file"):
        read_config(tmp_path / "none")


def test_the_old_version_stays_until_the_new_one_is_whole(make, tmp_path):
    write(tmp_path, "a", 1)
    repository = make()
    repository.scan()
    write(tmp_path, "a", 2)
    shutil.rmtree(tmp_path / "a/1")
    (tmp_path / "a/2/saved_model.pb").rename(tmp_path / "a/2/half")  # as one sees it that is being copied
    repository.scan()
    assert served(repository) == 1
    (tmp_path / "a/2/half").rename(tmp_path / "a/2/saved_model.pb")
    repository.scan()
    assert served(repository) == 2
    shutil.rmtree(tmp_path / "a")
    repository.scan()
    with pytest.raises(ServingError, match="Servable not found"):
        served(repository)


def test_nobody_fails_while_versions_come_and_go(make, tmp_path):
    write(tmp_path, "a", 1)
    repository = make(keep=1)
    repository.scan()
    repository.watch(0.002)
    stop, seen, errors = threading.Event(), set(), []

    def call():
        while not stop.is_set():
            try:
                with repository.hold("a") as found:
                    assert found in Loaded.alive
                    seen.add(found.version)
                    assert found in Loaded.alive
            except Exception as error:
                errors.append(error)

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()

    def wait_for(version: int, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while version not in seen and time.monotonic() < deadline:
            stop.wait(0.002)

    for version in range(2, 60):
        write(tmp_path, "a", version, "broken" if version % 7 == 0 else "good")
        wait_for(version, 0.01 if version % 3 or version % 7 == 0 else 10)  # most are gone before they are loaded
        shutil.rmtree(tmp_path / f"a/{version - 1}")
    wait_for(59, 30)
    stop.set()
    for caller in callers:
        caller.join()
    assert not errors and max(seen) == 59 and len(seen) > 10
    repository.scan()
    assert [found.version for found in Loaded.alive] == [59]
    assert len(repository.statuses("a")) <= 22
