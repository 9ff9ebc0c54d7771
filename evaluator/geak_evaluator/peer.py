"""An original kernel as oracle: it runs as a candidate would, and what it leaves behind is what is expected."""

from __future__ import annotations

from dataclasses import replace

from geak_evaluator.kernel_child import SPACE, Kernel, request, run
from geak_evaluator.proof import numbers, plausible
from geak_evaluator.replies import read
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.child import Reply
from geak_evaluator.sandbox.memory import SharedMemory
from geak_evaluator.sandbox.policy import Limits
from geak_evaluator.schema import domain, layout
from geak_evaluator.schema.exchange import Expected, RunReply
from geak_evaluator.schema.layout import Slot
from geak_evaluator.schema.spec import Case, Spec


def expect(
    box: Sandbox,
    limits: Limits,
    kernel: Kernel,
    spec: Spec,
    case: Case,
    slots: tuple[Slot, ...],
    inputs: bytes,
    poison: int,
) -> tuple[tuple[Expected, ...], bytes, Reply]:
    """Runs the original; its outputs and changed inputs, with their bytes, or a reply that says why there are none.

    New memory holds the byte `poison`, which is what is left where it writes nothing.
    """
    sizes = domain.with_scalars(spec, case.sizes)
    wanted = plausible.declared(spec, sizes, kernel.target)
    with SharedMemory(SPACE) as given, SharedMemory(SPACE) as got:
        given.map[: len(inputs)] = inputs
        if wanted is not None:
            space = layout.extent(wanted)
            got.map[:space] = numbers.poison(space, poison)  # tensors that it is to fill
        with kernel.spawn(box, limits, given, got) as child:
            reply = run(child, kernel, replace(request(spec, case, slots, wanted), poison=poison))
            if not reply.ok:
                return (), b"", reply
            told = read(RunReply, reply)
            outputs = wanted if wanted is not None else told.outputs if told is not None else ()
            if layout.check(outputs, SPACE):
                return (), b"", replace(reply, status=1, body=b"")
            changed = [replace(slot, path=f"changed.{slot.path}") for slot in slots if slot.path in spec.changes]
            pieces = [(slot, got.read(slot.offset, slot.bytes)) for slot in outputs]
            pieces += [(slot, given.read(slot.offset, slot.bytes)) for slot in changed]
    placed = layout.place(slot for slot, _ in pieces)
    truth = bytearray(layout.extent(placed))
    for slot, (_, data) in zip(placed, pieces, strict=True):
        truth[slot.offset : slot.end] = data
    return tuple(Expected(slot.path, slot.format, slot) for slot in placed), bytes(truth), reply


def guesses(reply: Reply) -> bool:
    """Whether the original computed with what Triton leaves undefined: its answer may be another each time."""
    told = read(RunReply, reply)
    return told is not None and told.undefined > 0


def wrote(outputs: tuple[Expected, ...], truth: bytes, poison: int) -> bool:
    """Whether the original left anything of its own behind; what it changes in place may be right as it was."""
    written = [expected for expected in outputs if expected.truth.elements]
    for expected in written:
        data = truth[expected.truth.offset : expected.truth.end]
        if expected.path.startswith("changed.") or data.count(poison) < len(data):
            return True
    return not written
