"""What only a real device can show, by pytest; bench/gpu.py runs the same checks where there is none."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.gpu import checks
from tests.gpu.place import Place

pytestmark = pytest.mark.gpu

OTHERS = [one for one in checks.CHECKS.values() if one is not checks.lines_that_persist]


@pytest.mark.parametrize("name", sorted(path.stem for path in (checks.STARTER / "kernels").glob("*.py")))
def test_the_device_agrees_with_the_interpreter(place: Place, name: str) -> None:
    checks.agrees_with_the_interpreter(place, name)


def test_C44_lines_that_persist(place: Place) -> None:
    checks.lines_that_persist(place)


@pytest.mark.parametrize("check", OTHERS, ids=lambda one: one.__name__)
def test_on_a_device(place: Place, check: Callable[[Place], None]) -> None:
    check(place)
