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

JOB: dict[str, Any] = globals()["job"]  # put here by the child that executes this; it replies with `answer`


class OutOfTime(BaseException):
    """Not an Exception: a file that catches everything must not catch this."""


def out_of_time(*_: Any) -> None:
    """Said by the alarm, in the middle of whatever runs."""
    raise OutOfTime


def run(launches: list[Any], noted: list[list[Any]]) -> tuple[str, str]:
    """Load the file, which runs its tests; a word for what became of it, and the reason."""
    # Processor time: how many others use the machine must not decide.
    signal.signal(signal.SIGPROF, out_of_time)
    signal.setitimer(signal.ITIMER_PROF, JOB["seconds"])
    try:
        module = load(JOB["source"].encode(), JOB["name"])
        if not launches:  # two files define their test and do not call it
            for test in [thing for name, thing in vars(module).items() if name.startswith("test_")]:
                test()
    except OutOfTime:
        return "timeout", f"not done after {JOB['seconds']:g} s of processor time"
    except BaseException as error:  # SystemExit too
        told = trouble(error, JOB["name"])
        return told.cause, f"{told.message} (line {told.line})"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    if strays := [stray for found in noted for stray in found]:
        return "out_of_bounds", str(strays[0])
    return ("ok", "") if launches else ("no_launch", "the file launched no kernel")


def look() -> dict[str, Any]:
    """The word, the reason, the launches, and the IR of each specialisation for every target."""
    launches: list[Any] = []
    conflicts: list[list[Any]] = []
    strays: list[list[Any]] = []
    sources: set[int] = set()
    count = 0

    def take(launch: Any) -> None:
        nonlocal count
        count += 1
        conflicts.append(launch.conflicts)
        strays.append(launch.strays)
        if id(launch.source) not in sources:  # one launch of each specialisation: they hold on to their tensors
            sources.add(id(launch.source))
            launches.append(launch)

    active = device.activate(JOB["target"], on_launch=take, compile=JOB["compile"], strict=False)
    with active, device.pretend_cuda(JOB["target"]):
        outcome, why = run(launches, strays)
        handed = frontend.lower(launches, JOB["targets"])
    return {
        "outcome": outcome,
        "why": why,
        "launches": count,
        "conflicts": sum(map(bool, conflicts)),
        "handed": codec.to_json(handed),
    }


answer = codec.dumps(look()).encode()
