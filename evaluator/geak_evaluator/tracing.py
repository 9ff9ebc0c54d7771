"""A case at full size, counted: what each launch asks for, where no values of account are made or compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from geak_evaluator.kernel_child import SPACE, request, run
from geak_evaluator.outcome import failed, troubled
from geak_evaluator.replies import read
from geak_evaluator.sandbox.memory import SharedMemory
from geak_evaluator.schema.exchange import Replay, Replayed, RunReply
from geak_evaluator.schema.layout import Slot
from geak_evaluator.schema.plan import Plan
from geak_evaluator.schema.spec import Case
from geak_evaluator.subject import Subject


class Untraced(Exception):
    """A case whose launches cannot be counted; the message says why."""


@dataclass(frozen=True)
class Traced:
    """One case at full size: its plan, and what its launches ask for."""

    plan: Plan
    replayed: Replayed
    configurations: tuple[str, ...]
    slots: tuple[Slot, ...] = ()
    """The plan's first storages, in their order."""
    destination: tuple[Slot, ...] = ()
    steering: tuple[tuple[Slot, bytes], ...] = ()
    """Those of them whose values may steer a kernel."""


def trace(subject: Subject, case: Case, known: Sequence[tuple[Plan, Replayed]], also: Sequence[str]) -> Traced:
    """The plan of a case, its launches counted, and lowered for the targets in `also` as well.

    A plan that is known, by way of another target, is not counted again.
    """
    oracle, spec, kernel = subject.oracle, subject.spec, subject.kernel
    answer = oracle.sketch(case, subject.target)
    asked = request(spec, case, answer.slots, answer.wanted if spec.contract == "destination" else None)
    asked = replace(asked, state=answer.reply.state, gradients=answer.reply.gradients, capture=True, sketch=True)
    steering = tuple(oracle.steering(answer))
    with SharedMemory(SPACE) as given, SharedMemory(SPACE) as got:
        _steer(given, steering)
        with kernel.spawn(subject.box, subject.limits, given, got, capture=True) as child:
            reply = run(child, kernel, asked)
        told = read(RunReply, reply) if reply.ok else None
        if told is None or told.plan is None:
            raise Untraced(failed(case, reply).message)
        for plan, before in known:
            if plan == told.plan:
                return Traced(plan, before, told.configurations, answer.laid, asked.destination, steering)
        _steer(given, steering)  # the wrapper may have changed them
        replay = Replay(
            plan=told.plan,
            slots=answer.laid,
            outputs=(),
            target=subject.target,
            destination=asked.destination,
            lower=True,
            trace=True,
            also=tuple(also),
        )
        with kernel.spawn_replay(subject.box, subject.limits, given, got) as child:
            reply = run(child, kernel, replay)
        counted = read(Replayed, reply) if reply.ok else None
        if counted is None or counted.trouble is not None:
            wrong = failed(case, reply) if counted is None else troubled(case, counted.trouble)
            raise Untraced(wrong.message)
        return Traced(told.plan, counted, told.configurations, answer.laid, asked.destination, steering)


def _steer(given: SharedMemory, steering: Sequence[tuple[Slot, bytes]]) -> None:
    for slot, data in steering:
        given.map[slot.offset : slot.end] = data
