"""From a kernel file to its plan: what its wrapper asks for, recorded on values of no account."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle, islice

from geak_evaluator.kernel_child import SPACE, request
from geak_evaluator.oracle import Answer, TooBig
from geak_evaluator.outcome import Captured, Ran, failed
from geak_evaluator.proof import policy
from geak_evaluator.replies import read
from geak_evaluator.sandbox.memory import SharedMemory
from geak_evaluator.schema import codec
from geak_evaluator.schema.exchange import RunReply
from geak_evaluator.schema.plan import Plan
from geak_evaluator.schema.spec import Case
from geak_evaluator.schema.verdict import CaseResult, Cause
from geak_evaluator.subject import Subject


def capture(
    subject: Subject, case: Case, answer: Answer | None = None, configuration: int | None = None, calls: int = 2
) -> Captured | Ran:
    """Its plan of one case, which must be that of each of so many calls, on two sets of values in turn.

    Where launches may follow values, they are called on the integers of `answer`, and once before on others: what its
    plan says there too it cannot have from these.
    """
    try:
        first = subject.oracle.case(case, subject.target, like=answer)
        shown: tuple[Answer, ...] = (first, subject.oracle.case(case, subject.target, like=answer or first))
        others = shown[1:] if subject.by_value else ()
        if subject.by_value:  # a wrapper whose launches may follow the values must see the integers that count
            shown = tuple(one.with_integers_of(answer or shown[0]) for one in shown)
    except TooBig as error:
        return Ran(CaseResult(case, Cause.TOO_BIG_HERE, str(error)))
    plans: list[Plan] = []
    foretold: Plan | None = None
    names: tuple[str, ...] = ()
    kernel, box, limits = subject.kernel, subject.box, subject.limits
    with (
        SharedMemory(SPACE) as given,
        SharedMemory(SPACE) as got,
        kernel.spawn(box, limits, given, got, capture=True, configuration=configuration) as child,
    ):
        reply = child.ask(kernel.source)
        for one in (*others, *islice(cycle(shown), calls)) if reply.ok else ():
            given.map[: len(one.given)] = one.given
            call = request(subject.spec, case, one.slots, one.wanted)
            asked = replace(call, state=one.reply.state, gradients=one.reply.gradients, capture=True)
            reply = child.ask(codec.dumps(asked).encode())
            told = read(RunReply, reply) if reply.ok else None
            if any(one is other for other in others):  # which may have outputs of another shape
                foretold = told.plan if told is not None else None
                continue
            if told is None or told.plan is None:
                break
            plans.append(told.plan)
            names = told.configurations or names
        log = child.log
    if len(plans) < calls:
        return Ran(failed(case, reply), log)
    elements = sum(slot.elements for slot in first.wanted)
    idle = not elements or bool(first.slots and not any(slot.elements for slot in first.slots))
    fault = policy.objection(
        plans, policy=subject.policy, by_value=subject.by_value, elements=elements, idle=idle, foretold=foretold
    )
    if not fault and (words := policy.overlapping(plans[0])):
        fault = Cause.WRONG_STRIDES, words
    return Ran(CaseResult(case, *fault), log) if fault else Captured(case, plans[0], names, log)
