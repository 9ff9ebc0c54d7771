"""The judge: a spec's truth in one child, a candidate in another, the comparison out here."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from geak_evaluator import source
from geak_evaluator.kernel_child import SPACE, Kernel, request
from geak_evaluator.oracle import Answer, Oracle, SpecFile, TooBig
from geak_evaluator.proof import numbers, policy, shapes
from geak_evaluator.proof.compare import Agreement, compare, ties
from geak_evaluator.relay import Ran, Relay, failed
from geak_evaluator.replies import read
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.memory import SharedMemory
from geak_evaluator.sandbox.policy import Limits
from geak_evaluator.schema import codec, domain, layout
from geak_evaluator.schema.exchange import Replay, RunReply
from geak_evaluator.schema.layout import Slot
from geak_evaluator.schema.plan import Plan
from geak_evaluator.schema.spec import Case, Description
from geak_evaluator.schema.target import find
from geak_evaluator.schema.verdict import UNDECIDABLE, CaseResult, Cause, Mismatch, Status, Verdict

HIDDEN_CASES = 3
"""How many cases of a spec's domain are run that it does not show."""


class Judge:
    """Describes specs and judges kernels, inside one sandbox."""

    def __init__(self, box: Sandbox, *, limits: Limits | None = None) -> None:
        self._box, self._limits = box, limits or Limits()

    def oracle(self, file: SpecFile) -> Oracle:
        """A spec, ready to answer for its cases; a context manager."""
        return Oracle(self._box, file, self._limits)

    def describe(self, file: SpecFile) -> Description:
        """What a spec declares, found out in a confined child."""
        with self.oracle(file) as oracle:
            return oracle.about

    def evaluate(self, file: SpecFile, kernel: bytes, *, target: str = "gfx942") -> Verdict:
        """Runs a kernel on every case of a spec and compares; stops at the first case that decides."""
        target = find(target).name
        with self.oracle(file) as oracle:
            spec = oracle.about.spec
            cases = domain.expand(spec, spec.cases) or (Case({}),)
            ran = _unreadable(kernel, cases[0])
            if ran is not None:
                results = [ran]
            elif spec.oracle == "tests":
                results = [Relay(self._box, self._limits, oracle, kernel, target).run()]
            else:
                candidate = Candidate(self._box, self._limits, oracle, kernel, target)
                hidden = shapes.hidden(spec, HIDDEN_CASES, random.SystemRandom())
                results = list(candidate.until_decided(cases, hidden))
                cases = (*cases, *hidden)
        causes = {r.result.cause for r in results if r.result.cause is not None}
        status = Status.ACCEPTED if not causes else Status.UNDECIDED if causes <= UNDECIDABLE else Status.REJECTED
        return Verdict(
            name=file.name,
            status=status,
            how="interpreter",
            target=target,
            oracle=spec.oracle,
            sandbox=self._box.level.value,
            cases=tuple(r.result for r in results),
            asked=len(cases),
            log=next((r.log for r in results if r.log), ""),
        )


class Candidate:
    """One kernel file, run on a spec's cases, each time in a child of its own."""

    def __init__(self, box: Sandbox, limits: Limits, oracle: Oracle, kernel: bytes, target: str) -> None:
        self._box, self._limits, self._oracle = box, limits, oracle
        self._target = target
        self._spec = oracle.about.spec
        project = oracle.file.project(oracle.about)
        relative = self._spec.files[0] if self._spec.files else ""
        self._kernel = Kernel(kernel, oracle.about.entry, self._spec.contract, target, project, relative)

    def until_decided(self, shown: tuple[Case, ...], hidden: tuple[Case, ...]) -> Iterator[Ran]:
        """Case after case, up to the first that is not right; those that are hidden last."""
        for number, case in enumerate((*shown, *hidden)):
            # Compiling costs as much as running: one case tells whether Triton takes the kernel for this target.
            self._kernel = replace(self._kernel, compiled=number == 0)
            ran = self.run(case)
            if number >= len(shown):
                ran = Ran(_veiled(ran.result, shapes.kind(case, self._spec)))
            yield ran
            if ran.result.cause is not None:
                return

    def run(self, case: Case) -> Ran:
        """One case: what the wrapper asks for is recorded on values of no account, and replayed on others."""
        try:
            answer = self._oracle.case(case, self._target)
            # A wrapper whose launches may follow the values must see those that count; any other sees two other sets.
            by_value = self._spec.launches == "by_value"
            shown = (answer,) if by_value else tuple(self._oracle.case(case, self._target) for _ in range(2))
        except TooBig as error:
            return Ran(CaseResult(case, Cause.TOO_BIG_HERE, str(error)))
        with SharedMemory(SPACE) as given, SharedMemory(SPACE) as got:
            captured = self._capture(case, shown, given, got)
        if isinstance(captured, Ran):
            return captured
        with SharedMemory(SPACE) as given, SharedMemory(SPACE) as got:
            return self._replay(case, answer, captured, given, got)

    def _capture(
        self, case: Case, shown: tuple[Answer, ...], given: SharedMemory, got: SharedMemory
    ) -> tuple[Plan, str] | Ran:
        plans: list[Plan] = []
        with self._kernel.spawn(self._box, self._limits, given, got, capture=True) as child:
            reply = child.ask(self._kernel.source)
            for answer in shown if reply.ok else ():
                given.map[: len(answer.given)] = answer.given
                call = request(self._spec, case, answer.slots, answer.wanted)
                asked = replace(call, state=answer.reply.state, gradients=answer.reply.gradients, capture=True)
                reply = child.ask(codec.dumps(asked).encode())
                told = read(RunReply, reply) if reply.ok else None
                if told is None or told.plan is None:
                    break
                plans.append(told.plan)
            log = child.log
        if len(plans) < len(shown):
            return Ran(failed(case, reply), log)
        # Where there is nothing to compute, or nothing to compute it from, no kernel has to be launched.
        idle = any(all(slot.elements == 0 for slot in slots) for slots in (shown[0].wanted, shown[0].slots) if slots)
        fault = policy.objection(plans, by_value=self._spec.launches == "by_value", idle=idle)
        return Ran(CaseResult(case, *fault), log) if fault else (plans[0], log)

    def _replay(
        self, case: Case, answer: Answer, captured: tuple[Plan, str], given: SharedMemory, got: SharedMemory
    ) -> Ran:
        plan, log = captured
        given.map[: len(answer.given)] = answer.given
        space = layout.extent(answer.wanted)
        got.map[:space] = numbers.poison(space)
        outputs = tuple(slot for slot in answer.wanted if not slot.path.startswith("changed."))
        asked = Replay(
            plan=plan,
            slots=(*answer.slots, *answer.reply.state, *answer.reply.gradients),
            outputs=outputs,
            target=self._target,
            destination=outputs if self._spec.contract == "destination" else (),
            compile=self._kernel.compiled,
        )
        with self._kernel.spawn_replay(self._box, self._limits, given, got) as child:
            reply = child.ask(self._kernel.source)
            if reply.ok:
                reply = child.ask(codec.dumps(asked).encode())
                child.freeze()
            if not reply.ok:
                return Ran(failed(case, reply), log)
            return Ran(self._compare(case, answer, given, got), log)

    def _compare(self, case: Case, answer: Answer, given: SharedMemory, got: SharedMemory) -> CaseResult:
        inputs = {slot.path: slot for slot in answer.slots}
        for name, slot in inputs.items():
            before = answer.given[slot.offset : slot.end]
            if name not in self._spec.changes and given.read(slot.offset, slot.bytes) != before:
                return CaseResult(case, Cause.CHANGED_INPUT, f"it changed its input {name}, which it may not")
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
            agreement = self._agree(slot, found, truth, answer)
            worst = max(worst, agreement.steps)
            if (wrong := agreement.mismatch) is not None and untouched:
                return CaseResult(case, Cause.UNWRITTEN, f"output {slot.path} was never written")
            if wrong is not None:
                text = describe(wrong, several=len(answer.wanted) > 1)
                if 0 < agreement.steps < 1000:
                    text += f"; at most {agreement.steps:.3g} steps off, {self._tolerance(slot):g} allowed"
                return CaseResult(case, Cause.WRONG_VALUES, text, steps=agreement.steps, mismatch=wrong)
        return CaseResult(case, steps=worst)

    def _agree(self, slot: Slot, found: numbers.Array, truth: numbers.Array, answer: Answer) -> Agreement:
        spec = self._spec
        if spec.oracle == "exact" and spec.ties == "any" and slot.format in ("int32", "int64"):
            found = np.where(ties(found, truth, answer.input(answer.slots[0])), found, truth)
        return compare(slot.path, found, truth, slot.format, self._tolerance(slot))

    def _tolerance(self, slot: Slot) -> float:
        return 0.0 if self._spec.oracle == "exact" else self._spec.tolerance.of(slot.format)


def _veiled(result: CaseResult, kind: str) -> CaseResult:
    """What may be told of a hidden case: the cause in a word, and the class of its sizes; a message could hold them."""
    word = result.cause.value.replace("_", " ") if result.cause else ""
    return replace(result, case=Case({}), hidden=kind, mismatch=None, message=word, line=0)


def describe(mismatch: Mismatch, *, several: bool) -> str:
    """A mismatch as a person reads it."""
    index = ", ".join(map(str, mismatch.index))
    where = f"{mismatch.output}[{index}]" if several else f"[{index}]"
    share = f"{mismatch.wrong} of {mismatch.elements} elements"
    pattern = f", {mismatch.pattern}" if mismatch.pattern else ""
    got, expected = (f"{v:.6g}" if isinstance(v, float) else str(v) for v in (mismatch.got, mismatch.expected))
    if math.isnan(mismatch.got) and not math.isnan(mismatch.expected):
        got += " (never written?)"
    return f"wrong at {where}: got {got}, expected {expected}; {share}{pattern}"


def _unreadable(kernel: bytes, case: Case) -> Ran | None:
    try:
        source.check(kernel, "the kernel file", "a kernel")
    except source.SourceError as error:
        cause = Cause.TOO_LARGE if len(kernel) > source.LIMIT else Cause.NOT_PYTHON
        return Ran(CaseResult(case, cause, str(error)))
    return None
