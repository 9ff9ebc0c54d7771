"""From bytes to a result: inputs that changed, outputs that were never written, then values."""

from __future__ import annotations

import numpy as np

from geak_evaluator.oracle import Answer
from geak_evaluator.proof import budget, numbers
from geak_evaluator.proof.compare import compare, describe, picked
from geak_evaluator.proof.values import Values
from geak_evaluator.sandbox.memory import SharedMemory
from geak_evaluator.schema.layout import Slot
from geak_evaluator.schema.spec import Case, Spec
from geak_evaluator.schema.verdict import CaseResult, Cause


def decides(spec: Spec, answer: Answer, values: Values) -> bool:
    """Whether there is a truth about such values, and the reference itself comes near it."""
    if not answer.definite:
        return False
    for index, slot in enumerate(answer.wanted):
        truth = answer.expected(index)
        if not values.special and truth.dtype.kind == "f" and not np.isfinite(truth).all():
            return False
        if budget.lost(slot, answer.native(index), truth) > spec.tolerance.of(slot.format):
            return False
    return True


def compared(spec: Spec, case: Case, answer: Answer, given: SharedMemory, got: SharedMemory) -> CaseResult:
    """What a child left in its two memories, beside the truth."""
    for slot in answer.slots:
        if (touched := _touched(spec, case, answer, given, slot)) is not None:
            return touched
    worst = 0.0
    for index, slot in enumerate(answer.wanted):
        allowed = tolerated(spec, answer, index)
        told = found(spec, answer, index, given, got)
        agreement = compare(slot.path, told, answer.expected(index), slot.format, allowed)
        worst = max(worst, agreement.steps)
        if (wrong := agreement.mismatch) is not None and _untouched(slot, got):
            text = f"output {slot.path} was never written, or only from memory that never was"
            return CaseResult(case, Cause.UNWRITTEN, text)
        if wrong is not None:
            text = describe(wrong, several=len(answer.wanted) > 1)
            if 0 < agreement.steps < 1000:
                text += f"; at most {agreement.steps:.3g} steps off, {allowed:.3g} allowed"
            return CaseResult(case, Cause.WRONG_VALUES, text, steps=agreement.steps, mismatch=wrong)
    return CaseResult(case, steps=worst)


def found(
    spec: Spec, answer: Answer, index: int, given: SharedMemory, got: SharedMemory
) -> numbers.Array | numbers.Stored:
    """What a child left of one output; where any index of equal values is right, the true one for each of them."""
    slot, memory = answer.wanted[index], got
    if slot.path.startswith("changed."):
        name, memory = slot.path.removeprefix("changed."), given
        slot = next(given for given in answer.slots if given.path == name)
    left = numbers.stored(memory.read(slot.offset, slot.bytes), slot)
    if spec.oracle == "exact" and spec.ties == "any" and slot.format in ("int32", "int64"):
        first = answer.slots[0]
        values = numbers.stored(memoryview(answer.given)[first.offset : first.end], first)
        return picked(left, answer.expected(index), values)
    return left


def tolerated(spec: Spec, answer: Answer, index: int) -> float:
    """How many steps one output may be off."""
    slot = answer.wanted[index]
    lost = budget.lost(slot, answer.native(index), answer.expected(index))
    return budget.allowed(spec, slot, answer.slots, lost)


def _untouched(slot: Slot, got: SharedMemory) -> bool:
    """Whether nobody has written a single byte of an output."""
    raw = b"" if slot.path.startswith("changed.") else got.read(slot.offset, slot.bytes)
    return bool(raw) and numbers.poisoned(raw)


def _touched(spec: Spec, case: Case, answer: Answer, given: SharedMemory, slot: Slot) -> CaseResult | None:
    """What a child did to an input that it may not do."""
    after = given.read(slot.offset, slot.bytes)
    if not after or answer.given.startswith(after, slot.offset):
        return None
    if slot.path not in spec.changes:
        text = f"it changed its input {slot.path}, which it may not"
        return CaseResult(case, Cause.CHANGED_INPUT, text, changed=slot.path)
    if not numbers.gaps_agree(answer.given[slot.offset : slot.end], after, slot):
        text = f"it wrote between the rows of {slot.path}, where no element of it lies"
        return CaseResult(case, Cause.OUT_OF_BOUNDS, text)
    return None
