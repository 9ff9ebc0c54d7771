"""One kernel file on one target, case by case: recorded, replayed on other values, and compared."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from geak_evaluator.capturing import capture
from geak_evaluator.comparing import decides
from geak_evaluator.kernel_child import Kernel
from geak_evaluator.manners import PLAIN, Manner, carried_out, manners
from geak_evaluator.measure.lent import DeviceLost, Lent
from geak_evaluator.on_device import OnDevice
from geak_evaluator.oracle import Answer, Oracle, TooBig
from geak_evaluator.outcome import Captured, Ran
from geak_evaluator.proof.values import Values
from geak_evaluator.replaying import replay
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.policy import Limits
from geak_evaluator.schema.exchange import Replayed
from geak_evaluator.schema.plan import Plan
from geak_evaluator.schema.spec import Case
from geak_evaluator.schema.verdict import CaseResult, Cause, Mismatch, Policy
from geak_evaluator.subject import Subject
from geak_evaluator.tracing import Traced, trace

_OTHER_POISON = 0x5A
_CALLS, _FIRST_CALLS = 2, range(6, 24)
"""How often a wrapper is called in a case: its plan must be one. The first case is small."""
_SEEN_ONLY_HERE = frozenset({Cause.OUT_OF_BOUNDS, Cause.RACE, Cause.NOT_PLAIN})
"""What the interpreter sees of each lane: such a kernel is not let onto a device."""


class Candidate(OnDevice):
    """One kernel file, run on a spec's cases, each time in children of its own."""

    def __init__(
        self,
        box: Sandbox,
        limits: Limits,
        oracle: Oracle,
        kernel: bytes,
        target: str,
        policy: Policy = Policy.PURE,
        lent: Lent | None = None,
        entry: str = "",
    ) -> None:
        """With a device `lent`, which is the target, it is proved there; the interpreter then adds its checks."""
        about = oracle.about
        relative = about.spec.files[0] if about.spec.files else ""
        project = oracle.file.project(about)
        file = Kernel(kernel, entry or about.entry, about.spec.contract, target, project, relative)
        super().__init__(Subject(box, limits, oracle, file, policy))
        self._oracle, self._lent, self.target = oracle, lent, target
        self._manners = manners(random.SystemRandom())
        # A wrapper that counts its calls does not know how often it will be called.
        self._calls = random.SystemRandom().choice(_FIRST_CALLS)
        self.explain = True
        """Whether a reason is looked for where a case is wrong."""
        self.needed: bool | None = None
        """Whether a case has been seen that is not right without its kernels' work; None before any could show it."""
        self.idle: Mismatch | None = None
        """What that case lacks without it."""

    def run(
        self,
        case: Case,
        *,
        configuration: int | None = None,
        lower: bool = False,
        idle: bool = True,
        interpreted: bool = True,
        most_programs: int = 0,
    ) -> Ran:
        """One case under fresh values; with `lower` Triton's IR of its launches is handed over too.

        With `idle` the plan is also tried without its launches, until a case has shown that they are needed. Without
        `interpreted` only a device carries it out: a case that is too large for anything else. With `most_programs` one
        that launches more is not carried out.
        """
        manner = next(self._manners) if interpreted else PLAIN
        try:
            answer = self._oracle.case(case, self.target, native=True, patient=not interpreted, poison=manner.poison)
        except TooBig as error:
            return Ran(CaseResult(case, Cause.TOO_BIG_HERE, str(error)))
        captured = self.capture(case, answer, configuration)
        if isinstance(captured, Ran):
            return captured
        if most_programs and captured.plan.programs > most_programs:
            return Ran(CaseResult(case, Cause.TOO_BIG_HERE, f"it launches {captured.plan.programs} programs"))
        if not interpreted:
            assert self._lent is not None
            return Ran(self.proved(self._lent, answer, captured, explain=self.explain), captured.log, captured)
        ran = self._carried_out(answer, captured, manner, lower=lower)
        if idle and not self.needed and ran.result.cause is None and any(slot.elements for slot in answer.wanted):
            # In memory that holds something else: the right answer may look like memory that was never written.
            poison = manner.poison if self._subject.spec.oracle == "peer" else _OTHER_POISON
            tried = replay(self._subject, answer, captured, execute=False, poison=poison)
            self.needed, self.idle = tried.result.cause is not None, tried.result.mismatch
        return ran

    def vary(self, case: Case, values: Values, captured: Captured | None) -> Ran | None:
        """One case on other values than its spec declares; None where they are such that they decide nothing.

        The plan that was recorded before is replayed, unless the spec lets it follow the values.
        """
        manner = next(self._manners)
        try:
            answer = self._oracle.case(case, self.target, fills=values.fills, native=True, poison=manner.poison)
        except TooBig as error:
            return Ran(CaseResult(case, Cause.TOO_BIG_HERE, str(error)))
        if not decides(self._subject.spec, answer, values):
            return None
        found = self.capture(case, answer) if captured is None or self._subject.by_value else captured
        ran = found if isinstance(found, Ran) else self._carried_out(answer, found, manner)
        return replace(ran, result=replace(ran.result, values=values.name))

    def capture(self, case: Case, answer: Answer | None = None, configuration: int | None = None) -> Captured | Ran:
        """What its wrapper asks for, recorded on values of no account; or on the integers of `answer`, if it may."""
        calls, self._calls = self._calls, _CALLS
        return capture(self._subject, case, answer, configuration, calls)

    @contextlib.contextmanager
    def hurried(self, seconds: float) -> Iterator[None]:
        """Meanwhile nothing that is asked about a case may take longer."""
        patient = self._subject
        self._subject = replace(patient, limits=patient.limits.within(seconds))
        try:
            with self._oracle.hurried(seconds):
                yield
        finally:
            self._subject = patient

    @contextlib.contextmanager
    def unexplained(self) -> Iterator[None]:
        """Meanwhile no reason is looked for where a case is wrong: nobody would be told."""
        self.explain = False
        try:
            yield
        finally:
            self.explain = True
        """Whether a reason is looked for where a case is wrong."""

    @property
    def first(self) -> int:
        """The configuration that an autotuned kernel is launched with where no other is asked for."""
        return self._subject.kernel.first

    def begin_with(self, configuration: int) -> None:
        """Makes a configuration the first, where the target cannot launch those before it."""
        self._subject = replace(self._subject, kernel=replace(self._subject.kernel, first=configuration))

    def pass_over(self, configurations: Iterable[int]) -> None:
        """Says which configurations an autotuner has no use for: its first call does not launch them."""
        self._subject = replace(self._subject, kernel=replace(self._subject.kernel, without=tuple(configurations)))

    def lower(self, captured: Captured) -> Ran:
        """Triton's IR of a plan's launches, without a comparison; its steps are carried out all the same."""
        try:
            answer = self._oracle.case(captured.case, self.target)
        except TooBig as error:
            return Ran(CaseResult(captured.case, Cause.TOO_BIG_HERE, str(error)))
        return replay(self._subject, answer, captured, lower=True, execute=False, judged=False)

    def trace(self, case: Case, known: Sequence[tuple[Plan, Replayed]], also: Sequence[str]) -> Traced:
        """What each launch of a case asks for, counted; `tracing` says what is known and what comes also."""
        return trace(self._subject, case, known, also)

    def _carried_out(self, answer: Answer, captured: Captured, manner: Manner, *, lower: bool = False) -> Ran:
        """By the interpreter, which sees each lane; then on the device, whose values count where there is one."""
        ran = carried_out(self._subject, answer, captured, manner, lower=lower, explain=self.explain)
        if self._lent is None or ran.result.cause in _SEEN_ONLY_HERE:
            return ran
        try:
            result = self.proved(self._lent, answer, captured, manner.poison, explain=self.explain)
        except DeviceLost as error:
            return replace(ran, conflicts=(*ran.conflicts, f"not proved on the device [{captured.case}]: {error}"))
        if result.cause is None and ran.result.cause is not None:
            words = f"the interpreter could not follow [{result.case}]: {ran.result.message}"
            return replace(ran, result=result, conflicts=(*ran.conflicts, words))
        return replace(ran, result=result)
