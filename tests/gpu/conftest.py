"""The real device of this machine; without one everything here is skipped, and says why."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from geak_evaluator.measure.lent import DeviceLost
from geak_evaluator.sandbox.box import Sandbox
from tests.gpu.place import Place


@pytest.fixture(scope="session")
def place(box: Sandbox) -> Iterator[Place]:
    """The first device that this user's variables leave; nothing of it is touched but from children."""
    found = Place.of(box, seconds=20)
    if found is None:
        pytest.skip("no GPU whose files this user may open: /dev/kfd with /dev/dri/renderD*, or /dev/nvidia0")
    try:
        name, target = found.name, found.target
    except DeviceLost as error:
        pytest.fail(str(error))
    if not target:
        pytest.skip(f"{name} is none of the described targets")
    with found:
        yield found
