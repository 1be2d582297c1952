import pytest
from forks import Forks


@pytest.fixture(scope="session")
def forks(tmp_path_factory):
    started = Forks(tmp_path_factory.mktemp("output"))
    yield started
    started.close()
