"""A kernel file on a device: its plan proved there, and what is timed there."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace

from geak_evaluator.comparing import compared
from geak_evaluator.explaining import explained
from geak_evaluator.kernel_child import request
from geak_evaluator.measure.lent import DeviceLost, Lent
from geak_evaluator.measure.rules import Unmeasured
from geak_evaluator.measure.sides import DeviceSide, Judged
from geak_evaluator.oracle import Answer
from geak_evaluator.outcome import Captured
from geak_evaluator.proof import numbers
from geak_evaluator.sandbox.memory import SharedMemory
from geak_evaluator.schema import domain
from geak_evaluator.schema.measuring import Prepare
from geak_evaluator.schema.spec import Case
from geak_evaluator.schema.verdict import CaseResult, Cause
from geak_evaluator.subject import Subject


class OnDevice:
    """Sides of a comparison; one of them is kept, to prove case after case."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._open = contextlib.ExitStack()
        self._native: DeviceSide | None = None

    def close(self) -> None:
        """Ends what it has on a device."""
        self._native = None
        self._open.close()

    def proved(
        self, lent: Lent, answer: Answer, captured: Captured, poison: int = numbers.POISON, *, explain: bool = True
    ) -> CaseResult:
        """One case on the device: what it computed there, and what it wrote beside."""
        asked = replace(self._asked(captured, answer, 1), poison=poison)
        case, name = captured.case, lent.identity.name
        try:
            with lent.leased():  # whoever times something there is not disturbed
                if self._native is None:
                    kernel, judged = self._subject.kernel, self._judged(captured)
                    side = DeviceSide(lent, kernel.source, asked, [answer], judged, project=kernel.project)
                    self._native = self._open.enter_context(side)
                else:
                    self._native.ready(asked, [answer], self._judged(captured))
                spilled, given, got = self._native.prove()
        except DeviceLost:
            self.close()
            raise
        except Unmeasured as error:
            self.close()  # whatever went wrong there is not there for the next case
            cause = Cause(error.cause) if error.cause in {cause.value for cause in Cause} else Cause.PROTOCOL
            return CaseResult(case, cause, str(error), how=name)
        if spilled:
            return CaseResult(case, Cause.OUT_OF_BOUNDS, f"it wrote beside {spilled}", how=name)
        result = compared(self._subject.spec, case, answer, given, got)
        if explain:
            result = explained(self._subject.oracle, answer, result, given, got)
        return replace(result, how=name)

    def side(self, lent: Lent, captured: Captured, answers: Sequence[Answer], rotations: int) -> DeviceSide:
        """Its plan, ready to be proved and timed."""
        kernel, asked = self._subject.kernel, self._asked(captured, answers[0], rotations)
        return DeviceSide(lent, kernel.source, asked, answers, self._judged(captured), project=kernel.project)

    def call_side(self, lent: Lent, captured: Captured, answers: Sequence[Answer], rotations: int) -> DeviceSide:
        """Its entry, called as its user would: the only place where its own Python has a device."""
        kernel, spec, known = self._subject.kernel, self._subject.spec, self._asked(captured, answers[0], rotations)
        asked = replace(self._call(captured.case, answers[0], rotations), outputs=known.outputs)
        if known.destination:
            names = (path or "out" for path, _ in domain.outputs(spec))
            placed = tuple(replace(slot, path=name) for name, slot in zip(names, known.destination, strict=True))
            asked = replace(asked, destination=placed)
        called = {"mode": "call", "entry": kernel.entry, "contract": spec.contract, "wrt": list(spec.wrt)}
        judged = self._judged(captured)
        return DeviceSide(lent, kernel.source, asked, answers, judged, project=kernel.project, called=called)

    def reference_side(
        self, lent: Lent, case: Case, answers: Sequence[Answer], rotations: int, mode: str
    ) -> DeviceSide:
        """The spec's reference, in one of its modes: a baseline."""
        oracle, spec, project = self._subject.oracle, self._subject.spec, self._subject.kernel.project
        asked = self._call(case, answers[0], rotations)
        asked = replace(asked, arguments=oracle.about.arguments or asked.arguments)
        called = {"mode": mode, "name": oracle.file.name, "contract": spec.contract, "wrt": list(spec.wrt)}
        return DeviceSide(lent, oracle.file.data, asked, answers, project=project, called=called)

    def _asked(self, captured: Captured, answer: Answer, rotations: int) -> Prepare:
        destination = answer.returned if self._subject.spec.contract == "destination" else ()
        asked = Prepare(answer.laid, rotations=rotations)
        return replace(asked, plan=captured.plan, outputs=answer.wanted, destination=destination)

    def _call(self, case: Case, answer: Answer, rotations: int) -> Prepare:
        call = request(self._subject.spec, case, answer.slots, None)
        return Prepare(
            answer.laid,
            rotations=rotations,
            arguments=call.arguments,
            scalars=call.scalars,
            init=call.init,
            gradients=tuple(slot.path for slot in answer.reply.gradients),
        )

    def _judged(self, captured: Captured) -> Judged:
        def wrong(answer: Answer, given: SharedMemory, got: SharedMemory) -> str:
            return compared(self._subject.spec, captured.case, answer, given, got).message

        return wrong
