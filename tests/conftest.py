"""What every room's tests share: one sandbox, one judge and one cache folder for a whole run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from geak_evaluator.judge import Judge
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.policy import Limits


@pytest.fixture(scope="session")
def box() -> Iterator[Sandbox]:
    """A sandbox at whatever level this machine has: it is tested elsewhere."""
    with Sandbox() as started:
        yield started


@pytest.fixture(scope="session")
def judge(box: Sandbox) -> Judge:
    """A judge with time enough for a busy machine."""
    return Judge(box, limits=Limits(wall_s=60))
