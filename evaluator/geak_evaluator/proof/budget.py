"""How far an answer may be from the truth: by format, by length of reduction, and by what the reference loses."""

from __future__ import annotations

import math
from collections.abc import Sequence

from geak_evaluator.proof import numbers
from geak_evaluator.proof.compare import compare
from geak_evaluator.schema.dtypes import resolve
from geak_evaluator.schema.layout import Slot
from geak_evaluator.schema.spec import Spec

_TIMES_OWN = 4.0
"""A kernel that sums in another order may lose some times what the reference loses."""
_AT_MOST = 16.0
"""However badly the reference does, no more than so many times the ordinary."""


def allowed(spec: Spec, slot: Slot, inputs: Sequence[Slot], own: float) -> float:
    """The steps that one output may be off; `own` are those that the reference is off without float64."""
    if spec.oracle == "exact":
        return 0.0
    tolerance = spec.tolerance.of(slot.format)
    if resolve(slot.format).kind != "float" or spec.tolerance.names(slot.format):
        return tolerance  # the author has said so
    wide = resolve(slot.format).bytes >= 4
    length = sum(math.prod(item.shape) for item in inputs) / max(math.prod(slot.shape), 1)
    return max(tolerance, math.sqrt(length) if wide else 0.0, min(_TIMES_OWN * own, _AT_MOST * tolerance))


def lost(slot: Slot, native: numbers.Array | numbers.Stored | None, truth: numbers.Array) -> float:
    """How many steps the reference itself is off without float64; 0 where that is not known."""
    if native is None or resolve(slot.format).kind != "float":
        return 0.0
    return compare(slot.path, native, truth, slot.format, math.inf).steps
