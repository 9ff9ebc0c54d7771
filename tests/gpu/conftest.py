"""A judge on the real device of this machine; without one everything here is skipped, and says why."""

from __future__ import annotations

import pytest

from geak_evaluator.judge import Judge
from geak_evaluator.measure import present
from geak_evaluator.measure.clock import Rules
from geak_evaluator.measure.lent import DeviceLost, Lent
from geak_evaluator.measuring import Stopwatch
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.policy import Limits


@pytest.fixture(scope="session")
def device(box: Sandbox) -> Lent:
    """The first device that this user's variables leave; nothing of it is touched but from children."""
    metal = present.first()
    if metal is None:
        pytest.skip("no GPU whose files this user may open: /dev/kfd with /dev/dri/renderD*, or /dev/nvidia0")
    lent = Lent(box, metal, Limits(120))
    try:
        found = lent.identity
    except DeviceLost as error:
        pytest.fail(str(error))
    if not found.target:
        pytest.skip(f"{found.name} is none of the described targets")
    return lent


@pytest.fixture(scope="session")
def watch(device: Lent) -> Stopwatch:
    """A clock on it."""
    return Stopwatch(device, Rules(seconds=20))


@pytest.fixture(scope="session")
def on_device(box: Sandbox, watch: Stopwatch) -> Judge:
    """A judge that proves and times there."""
    return Judge(box, limits=Limits(120), estimates=True, stopwatch=watch)
