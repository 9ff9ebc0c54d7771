"""One benchmark file, run whole on a described device. Not imported: the confined child of field.py executes this text.

`job` names the file, holds its source, and says which target the file runs on (`target`), whether each launch is
compiled before it is interpreted (`compile`), for which targets the launches are lowered, and the seconds it has.
"""

from __future__ import annotations

import signal
from typing import Any

from geak_evaluator import device
from geak_evaluator.children.candidate import trouble
from geak_evaluator.children.loading import load
from geak_evaluator.machine_code import frontend
from geak_evaluator.schema import codec

job: dict[str, Any]  # both are put here by the child that executes this
answer: bytes


class OutOfTime(BaseException):
    """Not an Exception: a file that catches everything must not catch this."""


def out_of_time(*_: Any) -> None:
    """Said by the alarm, in the middle of whatever runs."""
    raise OutOfTime


def run(launches: list[Any]) -> tuple[str, str]:
    """Load the file, which runs its tests; a word for what became of it, and the reason."""
    signal.signal(signal.SIGALRM, out_of_time)
    signal.setitimer(signal.ITIMER_REAL, job["seconds"])
    try:
        load(job["source"].encode(), job["name"])
    except OutOfTime:
        return "timeout", f"not done after {job['seconds']:g} s"
    except BaseException as error:  # SystemExit too
        told = trouble(error, job["name"])
        return told.cause, f"{told.message} (line {told.line})"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return ("ok", "") if launches else ("no_launch", "the file launched no kernel")


def look() -> dict[str, Any]:
    """The word, the reason, the launches, and the IR of each specialisation for every target."""
    launches: list[Any] = []
    conflicts: list[list[Any]] = []
    sources: set[int] = set()
    count = 0

    def take(launch: Any) -> None:
        nonlocal count
        count += 1
        conflicts.append(launch.conflicts)
        if id(launch.source) not in sources:  # one launch of each specialisation: they hold on to their tensors
            sources.add(id(launch.source))
            launches.append(launch)

    active = device.activate(job["target"], on_launch=take, compile=job["compile"])
    with active, device.pretend_cuda(job["target"]):
        outcome, why = run(launches)
        handed = frontend.lower(launches, job["targets"])
    return {
        "outcome": outcome,
        "why": why,
        "launches": count,
        "conflicts": sum(map(bool, conflicts)),
        "handed": codec.to_json(handed),
    }


answer = codec.dumps(look()).encode()
