"""First kernels for a spec, written by a compiler inside the sandbox."""

from __future__ import annotations

from geak_evaluator.judge import Judge
from geak_evaluator.oracle import SpecFile
from geak_evaluator.schema.seed import Seeds
from geak_evaluator.schema.verdict import Policy


def seed(judge: Judge, file: SpecFile, *, target: str = "gfx942", policy: Policy = Policy.PURE) -> Seeds:
    """What a compiler emits for the spec's reference; why there is nothing, where there is nothing."""
    return Seeds(trouble="no compiler writes kernels yet")
