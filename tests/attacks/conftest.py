"""The attack and fault suite; every test here is skipped outside its cage, see `cage.py`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cage import HOW, outside

if TYPE_CHECKING:
    from harness import Arena

    from geak_evaluator.sandbox.box import Sandbox

_WHY_NOT = outside()


class _Refused(pytest.Module):
    """A test module outside the cage: not even imported."""

    def collect(self) -> list[pytest.Item]:
        pytest.skip(f"{HOW} ({_WHY_NOT})", allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    return _Refused.from_parent(parent, path=module_path) if _WHY_NOT else None


@pytest.fixture(scope="session", params=["confined", "isolated"])
def box(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """One sandbox per level, for the whole suite."""
    from harness import SANDBOXES, WITHOUT, sandbox

    without = ("namespaces",) if request.param == "confined" else ()
    with sandbox(*without) as started:
        if not WITHOUT and started.level.value != request.param:
            pytest.skip(f"the level here is {started.level.value}")
        SANDBOXES.append(started)
        yield started
        SANDBOXES.remove(started)


@pytest.fixture(scope="session")
def loaded() -> Iterator[dict[bool, Sandbox]]:
    """Sandboxes with all that a judge loads, by whether they are isolated; started once one is needed."""
    started: dict[bool, Sandbox] = {}
    yield started
    for box in started.values():
        box.close()


@pytest.fixture
def arena(box: Sandbox, loaded: dict[bool, Sandbox], request: pytest.FixtureRequest) -> Iterator[Arena]:
    """A sandbox, with a look at the machine before and after."""
    from harness import SANDBOXES, Arena, State, sandbox

    from geak_evaluator.sandbox.box import PRELOAD

    role, isolated = getattr(request, "param", "script"), "namespaces" in box._layers
    if role != "script":
        if isolated not in loaded:
            loaded[isolated] = sandbox(*(() if isolated else ("namespaces",)), preload=PRELOAD).start()
            SANDBOXES.append(loaded[isolated])
        box = loaded[isolated]
    made = Arena(box, os.environ["GEAK_CAGE"], isolated, role=role)
    before = State.now(made)
    yield made
    made.check(before)


@pytest.fixture
def home() -> Iterator[Path]:
    """The home folder (the cage's own), emptied of what a test puts there."""
    import shutil

    folder = Path.home()
    before = set(os.listdir(folder))
    yield folder
    for name in set(os.listdir(folder)) - before:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
