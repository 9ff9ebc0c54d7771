"""The judge's side of a spec: one confined child that describes it, makes inputs and says what is expected of them."""

from __future__ import annotations

import contextlib
import math
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType

from geak_evaluator import peer, source
from geak_evaluator.kernel_child import SPACE, Kernel
from geak_evaluator.proof import numbers, plausible
from geak_evaluator.replies import FAULTS, read
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.child import Fault, Reply
from geak_evaluator.sandbox.memory import SharedMemory, spare
from geak_evaluator.sandbox.policy import MIB, Limits
from geak_evaluator.schema import codec, domain, layout
from geak_evaluator.schema.dtypes import resolve
from geak_evaluator.schema.exchange import CaseReply, CaseRequest, Edit, Expected, Trouble
from geak_evaluator.schema.layout import Slot
from geak_evaluator.schema.spec import Case, Description

STATE_SPACE = 256 * MIB

_ROLE = "geak_evaluator.children.spec"
_PATIENCE = 3
"""So many times what another case may take is there for a reference at a size that is timed."""
_MOST_PROCESSORS = 32
"""More gain little, and each has a stack and buffers of its own."""
_OF_EACH = 64 * MIB


class SpecProblem(ValueError):
    """A spec that cannot be used; the message is for its author."""

    def __init__(self, path: Path, *problems: str, line: int = 0) -> None:
        self.problems = problems
        place = f"{path}, line {line}" if line else f"{path}"
        super().__init__(f"{place}: {problems[0]}" if len(problems) == 1 else f"{place}:\n  " + "\n  ".join(problems))


class TooBig(Exception):
    """A case whose tensors are larger than they may be here."""


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
            raise SpecProblem(Path(path), str(error).removeprefix(f"{path}: ")) from None

    @property
    def name(self) -> str:
        """The spec's name."""
        return self.path.stem

    def beside(self, relative: str, what: str) -> Path:
        """A file or folder that the spec names relative to itself; SpecProblem where it is not there."""
        found = (self.path.parent / relative).resolve()
        if not found.exists():
            raise SpecProblem(self.path, f"{what} {relative!r} is not there: nothing lies at {found}")
        return found

    def project(self, about: Description) -> str:
        """The folder that kernels may import from, or nothing."""
        if not about.spec.project:
            return ""
        folder = self.beside(about.spec.project, "project")
        if not folder.is_dir():
            raise SpecProblem(self.path, f"project {about.spec.project!r} is no folder but a file")
        return str(folder)


@dataclass(frozen=True)
class Answer:
    """Inputs and expected values of one case, copied out of the child's reach."""

    slots: tuple[Slot, ...]
    reply: CaseReply
    given: bytes
    """The first memory: inputs, a module's state, incoming gradients."""
    truth: bytes
    request: CaseRequest | None = None
    """What its child was asked, to be asked again with an edit; None where it cannot."""
    definite: bool = True
    """Whether an original kernel gives the same each time."""

    def input(self, slot: Slot) -> numbers.Array:
        """The values of one input."""
        return numbers.tensor(memoryview(self.given)[slot.offset : slot.end], slot)

    def expected(self, index: int) -> numbers.Array:
        """The truth about one output."""
        slot = self.reply.outputs[index].truth
        return numbers.tensor(memoryview(self.truth)[slot.offset : slot.end], slot)

    def native(self, index: int) -> numbers.Stored | None:
        """What the reference itself gives there without float64, where it was asked for."""
        slot = self.reply.outputs[index].native
        return None if slot is None else numbers.stored(memoryview(self.truth)[slot.offset : slot.end], slot)

    def with_integers_of(self, other: Answer) -> Answer:
        """This draw of a case, but its integers and booleans are another's.

        Launches that follow values follow lengths, offsets, the choice of an expert. A wrapper that sees those of the
        case that counts, and no float of it, cannot compute the result and hide it in the numbers of its plan.
        """
        given = bytearray(self.given)
        known = {*self.slots, *self.reply.state}
        for slot in (*other.slots, *other.reply.state):
            if slot in known and resolve(slot.format).kind != "float":
                given[slot.offset : slot.end] = other.given[slot.offset : slot.end]
        return replace(self, given=bytes(given))

    @property
    def laid(self) -> tuple[Slot, ...]:
        """All that lies in the first memory."""
        return (*self.slots, *self.reply.state, *self.reply.gradients)

    @property
    def returned(self) -> tuple[Slot, ...]:
        """Those of the wanted that a kernel returns: the others are inputs that it changes."""
        return tuple(slot for slot in self.wanted if not slot.path.startswith("changed."))

    @property
    def wanted(self) -> tuple[Slot, ...]:
        """Where a kernel's outputs go, in their own formats."""
        outputs = self.reply.outputs
        return layout.place(replace(e.truth, path=e.path, format=e.format) for e in outputs)


class Oracle:
    """One spec, described and ready to answer for its cases."""

    def __init__(self, box: Sandbox, file: SpecFile, limits: Limits) -> None:
        self._box, self._limits, self.file = box, limits, file

    def __enter__(self) -> Oracle:
        with contextlib.ExitStack() as stack:
            try:
                source.check(self.file.data, self.file.path.name, "a spec")
            except source.SourceError as error:
                raise SpecProblem(self.file.path, str(error).removeprefix(f"{self.file.path.name}: ")) from None
            self._inputs = stack.enter_context(SharedMemory(SPACE))
            self._truth = stack.enter_context(SharedMemory(SPACE))
            self._children = stack.enter_context(contextlib.ExitStack())
            self._begin()
            self.about = self._described()
            """What the spec declares."""
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _begin(self, *, roomy: bool = False) -> None:
        """A child for it; a `roomy` one may use all processors, and the memory, that a size that is timed may take."""
        limits, shared = self._limits, (self._inputs.fd, self._truth.fd)
        if roomy:
            count = _processors()
            memory = max(limits.memory, spare() // 2) + count * _OF_EACH
            limits = replace(limits, cpu_s=_PATIENCE * count * limits.cpu_s, memory=memory)
        spawned = self._box.spawn(_ROLE, {"name": self.file.name}, limits=limits, shared=shared)
        self._child, self._over, self._roomy = self._children.enter_context(spawned), False, roomy

    def _asked(self, request: CaseRequest, *, patient: bool = False) -> Reply:
        """Its child's answer; one that a case before was too much for is begun anew, and that case alone has none."""
        if self._over or patient > self._roomy:
            self._children.close()
            self._begin(roomy=patient or self._roomy)
            if not (reply := self._child.ask(self.file.data)).ok:
                raise self._problem(reply)
        wall_s = (_PATIENCE if patient else 1) * self._limits.wall_s
        reply = self._child.ask(codec.dumps(request).encode(), wall_s=wall_s)
        self._over = reply.fault is not None
        return reply

    @contextlib.contextmanager
    def hurried(self, seconds: float) -> Iterator[None]:
        """Meanwhile no answer may take longer."""
        patient = self._limits
        self._limits = patient.within(seconds)
        try:
            yield
        finally:
            self._limits = patient

    def case(
        self,
        case: Case,
        target: str,
        *,
        seed: int | None = None,
        fills: dict[str, str] | None = None,
        examine: bool = False,
        native: bool = False,
        like: Answer | None = None,
        patient: bool = False,
        poison: int = numbers.POISON,
    ) -> Answer:
        """Inputs under a secret seed, and the truth about them; with `patient` at a size that is timed and takes long.

        What an original kernel leaves unwritten holds `poison`.

        Where only inputs are wanted, `like` those of another draw of the case, neither an original kernel nor a
        reference is run again, unless it is what draws parameters and gradients.
        """
        spec = self.about.spec
        drawn = spec.oracle != "peer" and spec.contract in ("module", "gradient")
        slots = layout.inputs(spec, case, target)
        if layout.extent(slots) + STATE_SPACE > SPACE:
            raise TooBig("its inputs are larger than a case may be here")
        self._poison(slots)
        request = CaseRequest(
            sizes=domain.with_scalars(spec, case.sizes),
            slots=slots,
            seed=secrets.randbits(62) if seed is None else seed,
            target=target,
            without=case.without,
            fills=fills or {},
            examine=examine,
            native=native,
            expect=like is None or drawn,
            processors=_processors() if patient else 1,
            large=patient,
        )
        answer = self._asked(request, patient=patient)
        if not answer.ok:
            raise self._problem(answer, f"case {case}: ")
        reply = read(CaseReply, answer)
        if reply is None:
            raise SpecProblem(self.file.path, f"case {case}: its child did not keep to the protocol")
        if like is not None and not drawn:
            inputs = self._inputs.read(0, layout.extent(slots))
            return Answer(slots, replace(reply, outputs=like.reply.outputs), inputs, b"")
        if spec.oracle == "peer":
            original = self._ask_original(case, target, slots, reply, poison)
            if not original.definite and not fills:
                undefined = "a division by 0, a shift by the width, NaN as a whole number"
                text = f"what the original kernel gives hangs on what Triton leaves undefined ({undefined})"
                raise SpecProblem(self.file.path, f"case {case}: {text}; keep its inputs away from that")
            return original
        native_slots = tuple(e.native for e in reply.outputs if e.native is not None)
        told = (*(e.truth for e in reply.outputs), *native_slots, *reply.state, *reply.gradients)
        sizes = domain.with_scalars(spec, case.sizes)
        if fault := layout.check(told, SPACE) or plausible.fault(spec, sizes, target, slots, reply.outputs):
            raise SpecProblem(self.file.path, f"case {case}: it lies about its outputs: {fault}")
        used = layout.extent((*slots, *reply.state, *reply.gradients))
        filled = layout.extent((*(e.truth for e in reply.outputs), *native_slots))
        if not reply.outputs:
            nothing = "reference returns no tensor and changes none, so there is nothing to compare"
            raise SpecProblem(self.file.path, f"case {case}: {nothing}")
        return Answer(slots, reply, self._inputs.read(0, used), self._truth.read(0, filled), request)

    def _poison(self, slots: tuple[Slot, ...]) -> None:
        """Sees to it that what lies between an input's rows is nobody's."""
        if any(slot.elements > math.prod(slot.shape) for slot in slots):
            space = layout.extent(slots)
            self._inputs.map[:space] = numbers.poison(space)

    def supposed(self, answer: Answer, edit: Edit) -> Answer | None:
        """What would be expected of a case if one thing were otherwise about its inputs; None where nothing is."""
        if answer.request is None:
            return None
        self._poison(answer.slots)
        shapes = {expected.path: expected.truth.shape for expected in answer.reply.outputs}
        asked = self._asked(replace(answer.request, native=False, edit=edit, shapes=shapes))
        reply = read(CaseReply, asked) if asked.ok else None
        outputs = tuple(replace(expected, native=None) for expected in answer.reply.outputs)
        if reply is None or reply.outputs != outputs:
            return None
        return replace(answer, reply=reply, truth=self._truth.read(0, layout.extent(e.truth for e in outputs)))

    def sketch(self, case: Case, target: str) -> Answer:
        """Inputs of which only integers and booleans have values, drawn anew, and no truth: for counting."""
        spec = self.about.spec
        slots = layout.inputs(spec, case, target)
        outputs = self._declared_outputs(case, target) if spec.contract == "destination" else ()
        if max(layout.extent(slots) + STATE_SPACE, layout.extent(expected.truth for expected in outputs)) > SPACE:
            raise TooBig("its tensors are larger than a case may be here")
        sizes = domain.with_scalars(spec, case.sizes)
        seed = secrets.randbits(62)
        asked = CaseRequest(sizes, slots, seed, target, without=case.without, expect=False, sketch=True)
        answer = self._asked(asked)
        if not answer.ok:
            raise self._problem(answer, f"case {case}: ")
        reply = read(CaseReply, answer)
        if reply is None or layout.check((*reply.state, *reply.gradients), SPACE):
            raise SpecProblem(self.file.path, f"case {case}: its child did not keep to the protocol")
        return Answer(slots, replace(reply, outputs=outputs), b"", b"")

    def steering(self, answer: Answer) -> Iterator[tuple[Slot, bytes]]:
        """The inputs of the case that was asked for last whose values may steer a kernel."""
        for slot in answer.slots:
            if resolve(slot.format).kind != "float":
                yield slot, self._inputs.read(slot.offset, slot.bytes)

    def _declared_outputs(self, case: Case, target: str) -> tuple[Expected, ...]:
        spec = self.about.spec
        sizes = domain.with_scalars(spec, case.sizes)
        found = []
        for path, tensor in domain.outputs(spec):
            shape = domain.shape(tensor.shape, sizes)
            format = spec.format(tensor.dtype, sizes, target).name
            found.append(Slot(path, format, shape, layout.contiguous(shape)))
        return tuple(Expected(slot.path, slot.format, slot) for slot in layout.place(found))

    def _ask_original(self, case: Case, target: str, slots: tuple[Slot, ...], reply: CaseReply, poison: int) -> Answer:
        spec = self.about.spec
        name, _, entry = spec.peer.partition(":")
        original = self.file.beside(name, "peer")
        try:
            data = source.read(original, "the original kernel")
        except source.SourceError as error:
            raise SpecProblem(self.file.path, str(error)) from None
        relative = spec.files[0] if spec.files else ""
        kernel = Kernel(data, entry, spec.contract, target, self.file.project(self.about), relative)
        inputs = self._inputs.read(0, layout.extent(slots))
        expect = partial(peer.expect, self._box, self._limits, kernel, spec, case, slots, inputs, poison)
        outputs, truth, last = expect()
        if not last.ok:
            trouble = read(Trouble, last) or Trouble("protocol", FAULTS[last.fault or Fault.PROTOCOL])
            raise SpecProblem(original, f"case {case}: the original kernel fails: {trouble.message}", line=trouble.line)
        answer = Answer(slots, replace(reply, outputs=outputs), inputs, truth)
        if not peer.wrote(outputs, truth, poison):
            nothing = "the original kernel writes nothing, so there is nothing to compare"
            raise SpecProblem(original, f"case {case}: {nothing}")
        return replace(answer, definite=not peer.guesses(last) or expect()[1] == truth)

    def _described(self) -> Description:
        reply = self._child.ask(self.file.data)
        if not reply.ok:
            raise self._problem(reply)
        try:
            about = codec.from_json(Description, codec.loads(reply.body))
        except codec.WireError as error:
            raise SpecProblem(self.file.path, f"it describes itself in a way that cannot be: {error}") from None
        if problems := domain.problems(about):
            raise SpecProblem(self.file.path, *problems[:20])
        self.file.project(about)
        if about.spec.starter:
            self.file.beside(about.spec.starter, "starter")
        return about

    def _problem(self, reply: Reply, context: str = "") -> SpecProblem:
        if reply.fault is not None:
            return SpecProblem(self.file.path, f"{context}{FAULTS[reply.fault]}")
        trouble = read(Trouble, reply) or Trouble("protocol", FAULTS[Fault.PROTOCOL])
        return SpecProblem(self.file.path, context + trouble.message, line=trouble.line)


def _processors() -> int:
    """How many may compute one reference."""
    return min(len(os.sched_getaffinity(0)), _MOST_PROCESSORS)
