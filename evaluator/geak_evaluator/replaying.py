"""From a plan to its result: carried out by the interpreter on the values that count, and compared."""

from __future__ import annotations

from geak_evaluator.comparing import compared
from geak_evaluator.explaining import explained
from geak_evaluator.kernel_child import SPACE, run
from geak_evaluator.oracle import Answer
from geak_evaluator.outcome import Captured, Ran, failed, troubled
from geak_evaluator.proof import numbers
from geak_evaluator.replies import FAULTS, read
from geak_evaluator.sandbox.child import Fault
from geak_evaluator.sandbox.memory import SharedMemory
from geak_evaluator.schema import layout
from geak_evaluator.schema.exchange import Replay, Replayed
from geak_evaluator.schema.verdict import CaseResult, Cause
from geak_evaluator.subject import Subject

_TOGETHER = 8
"""Among so many that follow each other programs change places, where they may wait for one another."""


def replay(
    subject: Subject,
    answer: Answer,
    captured: Captured,
    *,
    lower: bool = False,
    execute: bool = True,
    judged: bool = True,
    explain: bool = False,
    poison: int = numbers.POISON,
    order: int = 0,
) -> Ran:
    """One plan in a child of its own; with `lower` Triton's IR of its launches is handed over too.

    Without `execute` its launches do nothing, and unless it is `judged` nobody looks at what came out. With `explain` a
    reason is looked for where it is wrong. New memory holds `poison`, and programs come in that `order` (see `Replay`).
    """
    case, log = captured.case, captured.log
    asked = Replay(
        plan=captured.plan,
        slots=answer.laid,
        outputs=answer.returned,
        target=subject.target,
        destination=answer.returned if subject.spec.contract == "destination" else (),
        lower=lower,
        execute=execute,
        poison=poison,
        order=order,
        together=_TOGETHER if subject.ordered else 0,
    )
    with SharedMemory(SPACE) as given, SharedMemory(SPACE) as got:
        given.map[: len(answer.given)] = answer.given
        space = layout.extent(answer.wanted)
        got.map[:space] = numbers.poison(space, poison)
        with subject.kernel.spawn_replay(subject.box, subject.limits, given, got) as child:
            reply = run(child, subject.kernel, asked)
            if not reply.ok:
                return Ran(failed(case, reply), log)
            told = read(Replayed, reply)
            if told is None:
                return Ran(CaseResult(case, Cause.PROTOCOL, FAULTS[Fault.PROTOCOL]), log)
            if told.trouble is not None:
                result = troubled(case, told.trouble)
            else:
                result = compared(subject.spec, case, answer, given, got) if judged else CaseResult(case)
            if explain:
                result = explained(subject.oracle, answer, result, given, got)
            if result.cause is None and told.lost:
                result = CaseResult(case, Cause.RACE, told.lost[0])
            notes = (*told.lost, *told.conflicts, *told.waits, *(told.reordered if result.cause else ()))
            return Ran(result, log, captured, told.handed, notes, disputed=told.conflicts)
