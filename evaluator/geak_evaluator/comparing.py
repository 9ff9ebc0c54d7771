"""From bytes to a result: inputs that changed, outputs that were never written, then values."""

from __future__ import annotations

import numpy as np

from geak_evaluator.oracle import Answer
from geak_evaluator.proof import budget, numbers
from geak_evaluator.proof.compare import Agreement, compare, describe, ties
from geak_evaluator.proof.values import Values
from geak_evaluator.sandbox.memory import SharedMemory
from geak_evaluator.schema.layout import Slot
from geak_evaluator.schema.spec import Case, Spec
from geak_evaluator.schema.verdict import CaseResult, Cause


def decides(spec: Spec, answer: Answer, values: Values) -> bool:
    """Whether there is a truth about such values, and the reference itself comes near it."""
    for index, slot in enumerate(answer.wanted):
        truth = answer.expected(index)
        if not values.special and truth.dtype.kind == "f" and not np.isfinite(truth).all():
            return False
        if budget.lost(slot, answer.native(index), truth) > spec.tolerance.of(slot.format):
            return False
    return True


def compared(spec: Spec, case: Case, answer: Answer, given: SharedMemory, got: SharedMemory) -> CaseResult:
    """What a child left in its two memories, beside the truth."""
    inputs = {slot.path: slot for slot in answer.slots}
    for name, slot in inputs.items():
        before, after = answer.given[slot.offset : slot.end], given.read(slot.offset, slot.bytes)
        if name not in spec.changes and after != before:
            text = f"it changed its input {name}, which it may not"
            return CaseResult(case, Cause.CHANGED_INPUT, text, changed=name)
        if name in spec.changes and not numbers.gaps_agree(before, after, slot):
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
        allowed = budget.allowed(spec, slot, answer.slots, budget.lost(slot, answer.native(index), truth))
        agreement = _agreement(spec, slot, found, truth, answer, allowed)
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


def _agreement(
    spec: Spec, slot: Slot, found: numbers.Array, truth: numbers.Array, answer: Answer, allowed: float
) -> Agreement:
    if spec.oracle == "exact" and spec.ties == "any" and slot.format in ("int32", "int64"):
        found = np.where(ties(found, truth, answer.input(answer.slots[0])), found, truth)
    return compare(slot.path, found, truth, slot.format, allowed)
