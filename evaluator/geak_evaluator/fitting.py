"""Of an autotuned kernel's configurations those that a target can launch: an autotuner passes over the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from geak_evaluator.candidate import Candidate
from geak_evaluator.outcome import Captured, Ran
from geak_evaluator.schema.machine_code import Handed
from geak_evaluator.schema.verdict import Cause, Code

Compiled = Callable[[Handed], Code]


def refit(
    candidate: Candidate, captured: Sequence[Captured | None], handed: list[Handed], compiled: Compiled
) -> dict[int, Ran]:
    """Runs those cases again that ask for more than the target has; says which, and exchanges what they hand over."""
    again: dict[int, Ran] = {}
    for number, one in enumerate(captured):
        if one is not None and compiled(handed[number]).cause is Cause.OUT_OF_RESOURCES:
            ran = passed_over(candidate, one, compiled)
            if ran is not None:
                again[number], handed[number] = ran, ran.handed
    return again


def passed_over(candidate: Candidate, captured: Captured, compiled: Compiled) -> Ran | None:
    """A case with the first configuration that fits, which the candidate begins with from then on."""
    for number, name in enumerate(captured.configurations):
        found = candidate.capture(captured.case, configuration=number)
        lowered = found if isinstance(found, Ran) else candidate.lower(found)
        if lowered.result.cause is None and compiled(lowered.handed).cause is None:
            candidate.begin_with(number)
            ran = candidate.run(captured.case, lower=True)
            return replace(ran, result=replace(ran.result, configuration=name))
    return None
