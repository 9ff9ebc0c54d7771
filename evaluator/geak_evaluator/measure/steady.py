"""The energy of one side: calls without a pause until the sensor can tell, watched from the judge's own process."""

from __future__ import annotations

import contextlib
import math

from geak_evaluator.measure.energy import NoSensor, TooShort, Watcher
from geak_evaluator.measure.rules import Side, Unmeasured
from geak_evaluator.schema.measuring import Block

SECONDS = 2.0
"""At the least, and as long as the sensor needs."""
_MORE = 1.1
"""Than the sensor's period asks for: its steps add to what it may be off."""
_BLOCK_US = 100_000.0
"""What the calls between two questions to the child should come to: its answers take a share of it."""
_MOST_CALLS = 4000
_TOLD_CALLS = 20


class Unknown(Exception):
    """There is no figure; the message says why."""


def joules(side: Side, us: float, watcher: Watcher | None, *, graph: bool = False) -> float | None:
    """Of one call, which takes `us`; without a watcher as the device tells, None where it does not.

    Only a simulated device tells by itself. Unknown says why a sensor gives no figure.
    """
    if watcher is None:
        return _told(side, graph=graph)
    calls, seconds = 0, 0.0
    count = min(max(math.ceil(_BLOCK_US / max(us, 1.0)), 1), _MOST_CALLS)
    try:
        watcher.start()
        while seconds < max(SECONDS, _MORE * watcher.enough_s):
            seconds += side.block(_block(count, graph=graph))[1]
            calls += count
        return watcher.energy(calls).joules
    except (NoSensor, TooShort) as error:
        raise Unknown(str(error)) from None
    except Unmeasured as error:
        with contextlib.suppress(NoSensor):
            watcher.stop(calls)
        raise Unknown(str(error)) from None


def _told(side: Side, *, graph: bool) -> float | None:
    try:
        timed, _ = side.block(_block(_TOLD_CALLS, graph=graph))
    except Unmeasured as error:
        raise Unknown(str(error)) from None
    seen = timed.observed.get("joules")
    return None if seen is None else seen / _TOLD_CALLS


def _block(count: int, *, graph: bool) -> Block:
    return Block(((0, 0),) * count, graph=graph, timed=False, steady=True)
