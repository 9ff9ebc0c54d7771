"""One cache folder for the whole run: nothing may be left in the home folder."""

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _private_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setenv("TRITON_CACHE_DIR", str(tmp_path_factory.mktemp("triton")))
    patch.setenv("TRITON_HOME", str(tmp_path_factory.mktemp("home")))
    yield
    patch.undo()


@pytest.fixture
def gfx942() -> Iterator[list]:
    """A described MI300X; the launches it has seen."""
    from geak_evaluator import device

    launches: list = []
    with device.activate("gfx942", on_launch=launches.append):
        yield launches


@pytest.fixture
def quick() -> Iterator[None]:
    """The same without the compiler, for tests of values alone."""
    from geak_evaluator import device

    with device.activate("gfx942", compile=False):
        yield


def pytest_configure(config: pytest.Config) -> None:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
