"""One kernel file on one target: what its wrapper asks for is recorded, replayed on other values, and compared."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from geak_evaluator import source
from geak_evaluator.kernel_child import SPACE, Kernel, request
from geak_evaluator.measure.clock import Unmeasured
from geak_evaluator.measure.lent import DeviceLost, Lent
from geak_evaluator.measure.sides import DeviceSide, Judged
from geak_evaluator.oracle import Answer, Oracle, TooBig
from geak_evaluator.outcome import Captured, Ran, failed, troubled
from geak_evaluator.proof import budget, numbers, policy
from geak_evaluator.proof.compare import Agreement, compare, describe, ties
from geak_evaluator.proof.values import Values
from geak_evaluator.replies import FAULTS, read
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.child import Fault
from geak_evaluator.sandbox.memory import SharedMemory
from geak_evaluator.sandbox.policy import Limits
from geak_evaluator.schema import codec, domain, layout
from geak_evaluator.schema.exchange import Replay, Replayed, RunReply
from geak_evaluator.schema.layout import Slot
from geak_evaluator.schema.measuring import Prepare
from geak_evaluator.schema.plan import Plan
from geak_evaluator.schema.spec import Case
from geak_evaluator.schema.verdict import CaseResult, Cause, Policy

_OTHER_POISON = 0x5A
_SEEN_ONLY_HERE = frozenset({Cause.OUT_OF_BOUNDS, Cause.RACE, Cause.NOT_PLAIN})
"""What the interpreter sees of each lane: such a kernel is not let onto a device."""


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


class Candidate:
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
        self._lent, self._on_device = lent, contextlib.ExitStack()
        self._native: DeviceSide | None = None
        self._box, self._limits, self._oracle = box, limits, oracle
        self._target, self._policy = target, policy
        self.needed: bool | None = None
        """Whether a case has been seen that is not right without its kernels' work; None before any could show it."""
        self._spec = oracle.about.spec
        self._by_value = self._spec.launches == "by_value"
        # Whoever takes a lock orders stores that are not atomic; what a project's helpers do is not looked at.
        self._ordered = bool(self._spec.project) or source.names_attribute(kernel, "atomic_")
        project = oracle.file.project(oracle.about)
        relative = self._spec.files[0] if self._spec.files else ""
        self._kernel = Kernel(kernel, entry or oracle.about.entry, self._spec.contract, target, project, relative)

    def close(self) -> None:
        """Ends what it has on a device."""
        self._native = None
        self._on_device.close()

    def run(
        self,
        case: Case,
        *,
        configuration: int = 0,
        lower: bool = False,
        idle: bool = True,
        interpreted: bool = True,
    ) -> Ran:
        """One case under fresh values; with `lower` Triton's IR of its launches is handed over too.

        With `idle` the plan is also tried without its launches, until a case has shown that they are needed. Without
        `interpreted` only a device carries it out: a case that is too large for anything else.
        """
        try:
            answer = self._oracle.case(case, self._target, native=True, patient=not interpreted)
        except TooBig as error:
            return Ran(CaseResult(case, Cause.TOO_BIG_HERE, str(error)))
        captured = self.capture(case, answer, configuration)
        if isinstance(captured, Ran):
            return captured
        if interpreted:
            ran = self._carried_out(answer, captured, lower=lower)
        else:
            return Ran(self._natively(answer, captured), captured.log, captured)
        if idle and not self.needed and ran.result.cause is None and any(slot.elements for slot in answer.wanted):
            # In memory that holds something else: the right answer may look like memory that was never written.
            self.needed = self._replay(answer, captured, execute=False, poison=_OTHER_POISON).result.cause is not None
        return ran

    def vary(self, case: Case, values: Values, captured: Captured | None) -> Ran | None:
        """One case on other values than its spec declares; None where they are such that they decide nothing.

        The plan that was recorded before is replayed, unless the spec lets it follow the values.
        """
        try:
            answer = self._oracle.case(case, self._target, fills=values.fills, native=True)
        except TooBig as error:
            return Ran(CaseResult(case, Cause.TOO_BIG_HERE, str(error)))
        if not self._decides(answer, values):
            return None
        found = self.capture(case, answer) if captured is None or self._by_value else captured
        ran = found if isinstance(found, Ran) else self._carried_out(answer, found)
        return replace(ran, result=replace(ran.result, values=values.name))

    def capture(self, case: Case, answer: Answer | None = None, configuration: int = 0) -> Captured | Ran:
        """What its wrapper asks for, recorded on values of no account; or on the integers of `answer`, if it may."""
        try:
            first = self._oracle.case(case, self._target, like=answer)
            shown: tuple[Answer, ...] = (first, self._oracle.case(case, self._target, like=answer or first))
            if self._by_value:  # a wrapper whose launches may follow the values must see the integers that count
                shown = tuple(one.with_integers_of(answer or shown[0]) for one in shown)
        except TooBig as error:
            return Ran(CaseResult(case, Cause.TOO_BIG_HERE, str(error)))
        plans: list[Plan] = []
        names: tuple[str, ...] = ()
        with (
            SharedMemory(SPACE) as given,
            SharedMemory(SPACE) as got,
            self._kernel.spawn(self._box, self._limits, given, got, capture=True, configuration=configuration) as child,
        ):
            reply = child.ask(self._kernel.source)
            for one in shown if reply.ok else ():
                given.map[: len(one.given)] = one.given
                call = request(self._spec, case, one.slots, one.wanted)
                asked = replace(call, state=one.reply.state, gradients=one.reply.gradients, capture=True)
                reply = child.ask(codec.dumps(asked).encode())
                told = read(RunReply, reply) if reply.ok else None
                if told is None or told.plan is None:
                    break
                plans.append(told.plan)
                names = told.configurations or names
            log = child.log
        if len(plans) < len(shown):
            return Ran(failed(case, reply), log)
        elements = sum(slot.elements for slot in shown[0].wanted)
        idle = not elements or bool(shown[0].slots and not any(slot.elements for slot in shown[0].slots))
        fault = policy.objection(plans, policy=self._policy, by_value=self._by_value, elements=elements, idle=idle)
        if not fault and (words := policy.overlapping(plans[0])):
            fault = Cause.WRONG_STRIDES, words
        return Ran(CaseResult(case, *fault), log) if fault else Captured(case, plans[0], names, log)

    # -- on a device --

    @property
    def target(self) -> str:
        """The one that it is recorded for."""
        return self._target

    def _carried_out(self, answer: Answer, captured: Captured, *, lower: bool = False) -> Ran:
        """By the interpreter, which sees each lane; then on the device, whose values count where there is one."""
        ran = self._replay(answer, captured, lower=lower)
        if self._lent is None or ran.result.cause in _SEEN_ONLY_HERE:
            return ran
        try:
            result = self._natively(answer, captured)
        except DeviceLost as error:
            return replace(ran, conflicts=(*ran.conflicts, f"not proved on the device [{captured.case}]: {error}"))
        if result.cause is None and ran.result.cause is not None:
            words = f"the interpreter could not follow [{result.case}]: {ran.result.message}"
            return replace(ran, result=result, conflicts=(*ran.conflicts, words))
        return replace(ran, result=result)

    def _natively(self, answer: Answer, captured: Captured) -> CaseResult:
        """One case on the device: what it computed there, and what it wrote beside."""
        assert self._lent is not None
        case, name = captured.case, self._lent.identity.name
        try:
            with self._lent.leased():  # whoever times something there is not disturbed
                if self._native is None:
                    self._native = self._on_device.enter_context(self.side(self._lent, captured, [answer], 1))
                else:
                    self._native.ready(*self._asked(captured, [answer], 1))
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
        return replace(self._compare(case, answer, given, got), how=name)

    def side(self, lent: Lent, captured: Captured, answers: Sequence[Answer], rotations: int) -> DeviceSide:
        """Its plan on a device, ready to be proved and timed."""
        asked, answers, wrong = self._asked(captured, answers, rotations)
        return DeviceSide(lent, self._kernel.source, asked, answers, wrong, project=self._kernel.project)

    def _asked(
        self, captured: Captured, answers: Sequence[Answer], rotations: int
    ) -> tuple[Prepare, Sequence[Answer], Judged]:
        answer = answers[0]
        asked = replace(self._given(answer, rotations), plan=captured.plan, outputs=answer.wanted)
        if self._spec.contract == "destination":
            outputs = tuple(slot for slot in answer.wanted if not slot.path.startswith("changed."))
            asked = replace(asked, destination=outputs)

        def wrong(answer: Answer, given: SharedMemory, got: SharedMemory) -> str:
            return self._compare(captured.case, answer, given, got).message

        return asked, answers, wrong

    def reference_side(
        self, lent: Lent, case: Case, answers: Sequence[Answer], rotations: int, mode: str
    ) -> DeviceSide:
        """The spec's reference on a device, in one of its modes: a baseline."""
        asked = self._call(case, answers[0], rotations)
        asked = replace(asked, arguments=self._oracle.about.arguments or asked.arguments)
        file = self._oracle.file
        called = {"mode": mode, "name": file.name, "contract": self._spec.contract, "wrt": list(self._spec.wrt)}
        return DeviceSide(lent, file.data, asked, answers, project=self._kernel.project, called=called)

    def call_side(self, lent: Lent, captured: Captured, answers: Sequence[Answer], rotations: int) -> DeviceSide:
        """Its entry on a device, called as its user would: the only place where its own Python has one."""
        known, answers, wrong = self._asked(captured, answers, rotations)
        asked = replace(self._call(captured.case, answers[0], rotations), outputs=known.outputs)
        if known.destination:
            names = (path or "out" for path, _ in domain.outputs(self._spec))
            placed = tuple(replace(slot, path=name) for name, slot in zip(names, known.destination, strict=True))
            asked = replace(asked, destination=placed)
        called = {
            "mode": "call",
            "entry": self._kernel.entry,
            "contract": self._spec.contract,
            "wrt": list(self._spec.wrt),
        }
        return DeviceSide(lent, self._kernel.source, asked, answers, wrong, project=self._kernel.project, called=called)

    def _call(self, case: Case, answer: Answer, rotations: int) -> Prepare:
        call = request(self._spec, case, answer.slots, None)
        return replace(
            self._given(answer, rotations),
            arguments=call.arguments,
            scalars=call.scalars,
            init=call.init,
            gradients=tuple(slot.path for slot in answer.reply.gradients),
        )

    def _given(self, answer: Answer, rotations: int) -> Prepare:
        return Prepare((*answer.slots, *answer.reply.state, *answer.reply.gradients), rotations=rotations)

    def lower(self, captured: Captured) -> Ran:
        """Triton's IR of a plan's launches, without a comparison; its steps are carried out all the same."""
        try:
            answer = self._oracle.case(captured.case, self._target)
        except TooBig as error:
            return Ran(CaseResult(captured.case, Cause.TOO_BIG_HERE, str(error)))
        return self._replay(answer, captured, lower=True, execute=False, compared=False)

    def trace(self, case: Case, known: Sequence[tuple[Plan, Replayed]], also: Sequence[str]) -> Traced:
        """What each launch of a case asks for, counted; no values of account are made, nor is anything compared.

        A plan that is known, by way of another target, is not counted again. Its launches are lowered for the targets
        in `also` as well.
        """
        answer = self._oracle.sketch(case, self._target)
        spec = self._spec
        asked = request(spec, case, answer.slots, answer.wanted if spec.contract == "destination" else None)
        asked = replace(asked, state=answer.reply.state, gradients=answer.reply.gradients, capture=True, sketch=True)
        slots = (*answer.slots, *answer.reply.state, *answer.reply.gradients)
        steering = tuple(self._oracle.steering(answer))
        with SharedMemory(SPACE) as given, SharedMemory(SPACE) as got:
            for slot, data in steering:
                given.map[slot.offset : slot.end] = data
            with self._kernel.spawn(self._box, self._limits, given, got, capture=True) as child:
                reply = child.ask(self._kernel.source)
                if reply.ok:
                    reply = child.ask(codec.dumps(asked).encode())
            told = read(RunReply, reply) if reply.ok else None
            if told is None or told.plan is None:
                raise Untraced(failed(case, reply).message)
            for plan, before in known:
                if plan == told.plan:
                    return Traced(plan, before, told.configurations, slots, asked.destination, steering)
            for slot, data in steering:
                given.map[slot.offset : slot.end] = data  # the wrapper may have changed them
            replay = Replay(
                plan=told.plan,
                slots=slots,
                outputs=(),
                target=self._target,
                destination=asked.destination,
                lower=True,
                trace=True,
                also=tuple(also),
            )
            with self._kernel.spawn_replay(self._box, self._limits, given, got) as child:
                reply = child.ask(self._kernel.source)
                if reply.ok:
                    reply = child.ask(codec.dumps(replay).encode())
            counted = read(Replayed, reply) if reply.ok else None
            if counted is None or counted.trouble is not None:
                wrong = failed(case, reply) if counted is None else troubled(case, counted.trouble)
                raise Untraced(wrong.message)
            return Traced(told.plan, counted, told.configurations, slots, asked.destination, steering)

    def _replay(
        self,
        answer: Answer,
        captured: Captured,
        *,
        lower: bool = False,
        execute: bool = True,
        compared: bool = True,
        poison: int = numbers.POISON,
    ) -> Ran:
        case, log = captured.case, captured.log
        outputs = tuple(slot for slot in answer.wanted if not slot.path.startswith("changed."))
        asked = Replay(
            plan=captured.plan,
            slots=(*answer.slots, *answer.reply.state, *answer.reply.gradients),
            outputs=outputs,
            target=self._target,
            destination=outputs if self._spec.contract == "destination" else (),
            lower=lower,
            execute=execute,
            poison=poison,
        )
        with SharedMemory(SPACE) as given, SharedMemory(SPACE) as got:
            given.map[: len(answer.given)] = answer.given
            space = layout.extent(answer.wanted)
            got.map[:space] = numbers.poison(space, poison)
            with self._kernel.spawn_replay(self._box, self._limits, given, got) as child:
                reply = child.ask(self._kernel.source)
                if reply.ok:
                    reply = child.ask(codec.dumps(asked).encode())
                    child.freeze()
                if not reply.ok:
                    return Ran(failed(case, reply), log)
                told = read(Replayed, reply)
                if told is None:
                    return Ran(CaseResult(case, Cause.PROTOCOL, FAULTS[Fault.PROTOCOL]), log)
                if told.trouble is not None:
                    result = troubled(case, told.trouble)
                else:
                    result = self._compare(case, answer, given, got) if compared else CaseResult(case)
                if result.cause is None and told.conflicts and not self._ordered:
                    result = CaseResult(case, Cause.RACE, told.conflicts[0])
                return Ran(result, log, captured, told.handed, told.conflicts)

    def _decides(self, answer: Answer, values: Values) -> bool:
        """Whether there is a truth about such values, and the reference itself comes near it."""
        for index, slot in enumerate(answer.wanted):
            truth = answer.expected(index)
            if not values.special and truth.dtype.kind == "f" and not np.isfinite(truth).all():
                return False
            if budget.lost(slot, answer.native(index), truth) > self._spec.tolerance.of(slot.format):
                return False
        return True

    def _compare(self, case: Case, answer: Answer, given: SharedMemory, got: SharedMemory) -> CaseResult:
        inputs = {slot.path: slot for slot in answer.slots}
        for name, slot in inputs.items():
            before, after = answer.given[slot.offset : slot.end], given.read(slot.offset, slot.bytes)
            if name not in self._spec.changes and after != before:
                return CaseResult(case, Cause.CHANGED_INPUT, f"it changed its input {name}, which it may not")
            if name in self._spec.changes and not numbers.gaps_agree(before, after, slot):
                text = f"it wrote between the rows of {name}, where no element of it lies"
                return CaseResult(case, Cause.OUT_OF_BOUNDS, text)
        worst = 0.0
        for index, slot in enumerate(answer.wanted):
            truth = answer.expected(index)
            untouched = False
            if slot.path.startswith("changed."):
                place = inputs[slot.path.removeprefix("changed.")]
                found = numbers.tensor(given.read(place.offset, place.bytes), place)
            else:
                raw = got.read(slot.offset, slot.bytes)
                untouched = raw == numbers.poison(len(raw))
                found = numbers.tensor(raw, slot)
            allowed = budget.allowed(self._spec, slot, answer.slots, budget.lost(slot, answer.native(index), truth))
            agreement = self._agree(slot, found, truth, answer, allowed)
            worst = max(worst, agreement.steps)
            if (wrong := agreement.mismatch) is not None and untouched:
                text = f"output {slot.path} was never written, or only from memory that never was"
                return CaseResult(case, Cause.UNWRITTEN, text)
            if wrong is not None:
                text = describe(wrong, several=len(answer.wanted) > 1)
                if 0 < agreement.steps < 1000:
                    text += f"; at most {agreement.steps:.3g} steps off, {allowed:.3g} allowed"
                return CaseResult(case, Cause.WRONG_VALUES, text, steps=agreement.steps, mismatch=wrong)
        return CaseResult(case, steps=worst)

    def _agree(
        self, slot: Slot, found: numbers.Array, truth: numbers.Array, answer: Answer, allowed: float
    ) -> Agreement:
        spec = self._spec
        if spec.oracle == "exact" and spec.ties == "any" and slot.format in ("int32", "int64"):
            found = np.where(ties(found, truth, answer.input(answer.slots[0])), found, truth)
        return compare(slot.path, found, truth, slot.format, allowed)
