"""The judge: a spec's truth in one child, a candidate in another, the comparison out here."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from geak_evaluator import source
from geak_evaluator.proof import numbers
from geak_evaluator.proof.compare import Agreement, compare, ties
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.child import Child, Reply
from geak_evaluator.sandbox.memory import SharedMemory
from geak_evaluator.sandbox.policy import GIB, MIB, Limits
from geak_evaluator.schema import codec, domain, layout
from geak_evaluator.schema.exchange import CaseReply, CaseRequest, RunReply, RunRequest, Trouble
from geak_evaluator.schema.layout import Slot
from geak_evaluator.schema.spec import Case, Description, Scalar
from geak_evaluator.schema.verdict import UNDECIDABLE, CaseResult, Cause, Mismatch, Status, Verdict

T = TypeVar("T")

SPEC_ROLE = "geak_evaluator.children.spec"
CANDIDATE_ROLE = "geak_evaluator.children.candidate"

OUTPUT_SPACE = 2 * GIB
"""Room for what a reference returns, before its size is known; pages count only once they are written."""
INPUT_LIMIT = 2 * GIB
STATE_SPACE = 256 * MIB


class SpecProblem(ValueError):
    """A spec that cannot be used; the message is for its author."""

    def __init__(self, path: str, problems: tuple[str, ...], line: int = 0) -> None:
        self.path, self.problems, self.line = path, problems, line
        place = f"{path}, line {line}" if line else path
        super().__init__(f"{place}: {problems[0]}" if len(problems) == 1 else f"{place}:\n  " + "\n  ".join(problems))


@dataclass(frozen=True)
class SpecFile:
    """A spec's bytes and where they came from."""

    path: Path
    data: bytes

    @classmethod
    def read(cls, path: str | Path) -> SpecFile:
        """Reads a spec file, or raises SpecProblem."""
        try:
            return cls(Path(path), source.read(path, "a spec"))
        except source.SourceError as error:
            raise SpecProblem(str(path), (str(error).removeprefix(f"{path}: "),)) from None

    @property
    def name(self) -> str:
        """The spec's name."""
        return self.path.stem

    def project(self, about: Description) -> str:
        """The folder that kernels may import from; SpecProblem where it is not there."""
        if not about.spec.project:
            return ""
        folder = (self.path.parent / about.spec.project).resolve()
        if not folder.is_dir():
            raise SpecProblem(str(self.path), (f"project {about.spec.project!r} is not there: {folder} is no folder",))
        return str(folder)


class Judge:
    """Describes specs and judges kernels, inside one sandbox."""

    def __init__(self, box: Sandbox, *, limits: Limits | None = None) -> None:
        self._box, self._limits = box, limits or Limits()

    def describe(self, file: SpecFile) -> Description:
        """What a spec declares, found out in a confined child."""
        with self._spec_child(file, None) as (about, _):
            return about

    def evaluate(self, file: SpecFile, kernel: bytes, *, target: str = "gfx942", name: str = "") -> Verdict:
        """Runs a kernel on every case of a spec and compares; stops at the first case that decides."""
        memories = SharedMemory(INPUT_LIMIT), SharedMemory(OUTPUT_SPACE)
        with memories[0] as inputs, memories[1] as truth, self._spec_child(file, memories) as (about, spec_child):
            run = _Evaluation(self._box, self._limits, file, about, kernel, target, name or file.name)
            return run.verdict(spec_child, inputs, truth)

    @contextmanager
    def _spec_child(
        self, file: SpecFile, memories: tuple[SharedMemory, ...] | None
    ) -> Iterator[tuple[Description, Child]]:
        with SharedMemory(1) as nothing:
            shared = tuple(m.fd for m in memories or (nothing, nothing))
            with self._box.spawn(SPEC_ROLE, {"name": file.name}, limits=self._limits, shared=shared) as child:
                yield self._described(file, child), child

    def _described(self, file: SpecFile, child: Child) -> Description:
        reply = child.ask(file.data)
        if not reply.ok:
            raise _spec_problem(file, reply, child)
        try:
            about = codec.from_json(Description, codec.loads(reply.body))
        except codec.WireError as error:
            raise SpecProblem(str(file.path), (f"it describes itself in a way that cannot be: {error}",)) from None
        if problems := domain.problems(about):
            raise SpecProblem(str(file.path), tuple(problems[:20]))
        return about


class _Evaluation:
    """One kernel against one spec."""

    def __init__(
        self, box: Sandbox, limits: Limits, file: SpecFile, about: Description, kernel: bytes, target: str, name: str
    ) -> None:
        self._box, self._limits, self._file, self._about = box, limits, file, about
        self._kernel, self._target, self._name = kernel, target, name
        self._spec = about.spec
        self._project = file.project(about)

    def verdict(self, spec_child: Child, inputs: SharedMemory, truth: SharedMemory) -> Verdict:
        """Every case in turn."""
        cases = domain.expand(self._spec, self._spec.cases)
        results: list[CaseResult] = []
        log = ""
        try:
            source.check(self._kernel, self._name, "a kernel file")
        except source.SourceError as error:
            cause = Cause.TOO_LARGE if len(self._kernel) > source.LIMIT else Cause.NOT_PYTHON
            return self._close([CaseResult(cases[0], cause, str(error))], len(cases), "")
        for case in cases:
            with SharedMemory(INPUT_LIMIT) as given, SharedMemory(OUTPUT_SPACE) as got:
                result, said = self._case(case, spec_child, inputs, truth, given, got)
            results.append(result)
            log = log or said
            if result.cause is not None:
                break
        return self._close(results, len(cases), log)

    def _close(self, results: list[CaseResult], asked: int, log: str) -> Verdict:
        causes = {r.cause for r in results if r.cause is not None}
        status = Status.ACCEPTED if not causes else Status.UNDECIDED if causes <= UNDECIDABLE else Status.REJECTED
        return Verdict(
            self._name,
            status,
            "interpreter",
            self._target,
            self._spec.oracle,
            self._box.level.value,
            tuple(results),
            asked,
            log,
        )

    def _case(
        self,
        case: Case,
        spec_child: Child,
        inputs: SharedMemory,
        truth: SharedMemory,
        given: SharedMemory,
        got: SharedMemory,
    ) -> tuple[CaseResult, str]:
        sizes = domain.with_scalars(self._spec, case.sizes)
        slots = layout.inputs(self._spec, case, self._target)
        if layout.extent(slots) + STATE_SPACE > INPUT_LIMIT:
            return CaseResult(case, Cause.TOO_BIG_HERE, "its inputs are larger than a case may be here"), ""
        expected = self._expect(case, sizes, slots, spec_child, truth)
        used = layout.extent((*slots, *expected.state, *expected.gradients))
        original = inputs.read(0, used)
        given.map[:used] = original  # a copy of its own: what the candidate does to it reaches nobody else
        wanted = layout.place([replace(e.truth, path=e.path, format=e.format) for e in expected.outputs])
        got.map[: layout.extent(wanted)] = numbers.poison(layout.extent(wanted))
        job = {"name": "kernel", "entry": self._about.entry, "contract": self._spec.contract, "target": self._target}
        if self._project:
            job["project"] = self._project
            job["relative"] = self._spec.files[0] if self._spec.files else ""
        read = (self._project,) if self._project else ()
        request = self._request(case, slots, wanted, expected)
        with self._box.spawn(CANDIDATE_ROLE, job, limits=self._limits, read=read, shared=(given.fd, got.fd)) as child:
            reply = child.ask(self._kernel)
            if reply.ok:
                reply = child.ask(codec.dumps(request).encode())
                child.freeze()
            if not reply.ok:
                return _failed(case, reply), child.log
            log = child.log
            finished = _read(RunReply, reply)
            # Everything of the child stands still: what lies in the memory now is its answer.
            result = self._compare(case, slots, original, given, got, truth, wanted, expected)
        if result.cause is None and finished is not None and finished.launches == 0:
            result = replace(result, cause=Cause.NO_KERNEL, message="no Triton kernel was launched")
        return result, log

    def _expect(
        self,
        case: Case,
        sizes: dict[str, int | float | bool | str],
        slots: tuple[Slot, ...],
        child: Child,
        truth: SharedMemory,
    ) -> CaseReply:
        request = CaseRequest(sizes, slots, secrets.randbits(62), self._target, case.without)
        reply = child.ask(codec.dumps(request).encode())
        if not reply.ok:
            raise _spec_problem(self._file, reply, child, f"case {case}: ")
        expected = _read(CaseReply, reply)
        if expected is None:
            raise SpecProblem(str(self._file.path), (f"case {case}: its child did not keep to the protocol",))
        told = (*(e.truth for e in expected.outputs), *expected.state, *expected.gradients)
        if fault := layout.check(told, min(truth.size, INPUT_LIMIT)):
            raise SpecProblem(str(self._file.path), (f"case {case}: it lies about its outputs: {fault}",))
        return expected

    def _request(
        self, case: Case, slots: tuple[Slot, ...], wanted: tuple[Slot, ...], expected: CaseReply
    ) -> RunRequest:
        spec = self._spec
        scalars = {n: domain.scalar(s, n, case.sizes) for n, s in spec.inputs.items() if isinstance(s, Scalar)}
        destination: tuple[Slot, ...] = ()
        if spec.contract == "destination":
            names = list(spec.outputs) if isinstance(spec.outputs, dict) else ["out"]
            returned = [slot for slot in wanted if not slot.path.startswith("changed.")]
            destination = tuple(replace(slot, path=name) for name, slot in zip(names, returned, strict=True))
        return RunRequest(
            slots=slots,
            arguments=tuple(spec.inputs),
            scalars=scalars,
            outputs=wanted,
            destination=destination,
            state=expected.state,
            init={name: domain.scalar(item, name, case.sizes) for name, item in spec.init.items()},
            wrt=spec.wrt,
            gradients=expected.gradients,
        )

    def _compare(
        self,
        case: Case,
        slots: tuple[Slot, ...],
        original: bytes,
        given: SharedMemory,
        got: SharedMemory,
        truth: SharedMemory,
        wanted: tuple[Slot, ...],
        expected: CaseReply,
    ) -> CaseResult:
        inputs = {slot.path: slot for slot in slots}
        for name, slot in inputs.items():
            span = original[slot.offset : slot.end]
            if name not in self._spec.changes and given.read(slot.offset, slot.bytes) != span:
                return CaseResult(
                    case, Cause.CHANGED_INPUT, f"it changed its input {name}, which the spec does not allow"
                )
        worst = 0.0
        for slot, leaf in zip(wanted, expected.outputs, strict=True):
            truths = numbers.tensor(truth.read(leaf.truth.offset, leaf.truth.bytes), leaf.truth)
            if leaf.path.startswith("changed."):
                place = inputs[leaf.path.removeprefix("changed.")]
                found = numbers.tensor(given.read(place.offset, place.bytes), place)
            else:
                raw = got.read(slot.offset, slot.bytes)
                if raw and raw == numbers.poison(len(raw)) and not np.isnan(truths.astype(float)).all():
                    return CaseResult(case, Cause.UNWRITTEN, f"output {slot.path} was never written")
                found = numbers.tensor(raw, slot)
            agreement = self._agree(slot, found, truths, original, inputs)
            worst = max(worst, agreement.steps)
            if agreement.mismatch is not None:
                text = describe(agreement.mismatch, len(wanted) > 1)
                return CaseResult(case, Cause.WRONG_VALUES, text, steps=agreement.steps, mismatch=agreement.mismatch)
        return CaseResult(case, steps=worst)

    def _agree(
        self, slot: Slot, found: numbers.Array, truths: numbers.Array, original: bytes, inputs: dict[str, Slot]
    ) -> Agreement:
        spec = self._spec
        if spec.oracle == "exact" and spec.ties == "any" and slot.format in ("int32", "int64"):
            first = next((inputs[n] for n in spec.inputs if n in inputs), None)
            if first is not None:
                values = numbers.tensor(original[first.offset : first.end], first)
                wrong = ties(found, truths, values)
                found = np.where(wrong, found, truths)
        tolerance = 0.0 if spec.oracle == "exact" else spec.tolerance.of(slot.format)
        return compare(slot.path, found, truths, slot.format, tolerance)


def describe(mismatch: Mismatch, several: bool) -> str:
    """A mismatch as a person reads it."""
    index = ", ".join(map(str, mismatch.index))
    where = f"{mismatch.output}[{index}]" if several else f"[{index}]"
    share = f"{mismatch.wrong} of {mismatch.elements} elements"
    pattern = f", {mismatch.pattern}" if mismatch.pattern else ""
    return f"wrong at {where}: got {mismatch.got:.6g}, expected {mismatch.expected:.6g}; {share}{pattern}"


def _failed(case: Case, reply: Reply) -> CaseResult:
    if reply.fault is not None:
        return CaseResult(case, Cause(reply.fault.value), _FAULTS[reply.fault.value])
    trouble = _trouble(reply)
    try:
        cause = Cause(trouble.cause)
    except ValueError:
        cause = Cause.PROTOCOL
    return CaseResult(case, cause, trouble.message, trouble.line)


_FAULTS = {
    "timeout": "it did not finish in the time it has",
    "died": "its process died",
    "protocol": "it did not keep to the protocol",
    "output_flood": "it printed without end",
    "out_of_memory": "it used more memory than it may",
    "too_many_processes": "it started more processes or threads than it may",
    "disk_flood": "it wrote more to disk than it may",
}


def _trouble(reply: Reply) -> Trouble:
    return _read(Trouble, reply) or Trouble("protocol", "it did not keep to the protocol")


def _read(kind: type[T], reply: Reply) -> T | None:
    try:
        return codec.from_json(kind, codec.loads(reply.body))
    except codec.WireError:
        return None


def _spec_problem(file: SpecFile, reply: Reply, child: Child, context: str = "") -> SpecProblem:
    if reply.fault is not None:
        text = _FAULTS[reply.fault.value]
        return SpecProblem(str(file.path), (f"{context}{text.replace('it ', 'the spec ', 1)}",))
    trouble = _trouble(reply)
    return SpecProblem(str(file.path), (context + trouble.message,), trouble.line)
