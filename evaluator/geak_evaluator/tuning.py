"""Configurations of a kernel, tried and put in order."""

from __future__ import annotations

from collections.abc import Sequence

from geak_evaluator.judge import Judge
from geak_evaluator.oracle import SpecFile
from geak_evaluator.schema.tuning import Tuning
from geak_evaluator.schema.verdict import Policy


def tune(
    judge: Judge,
    file: SpecFile,
    kernel: bytes,
    *,
    targets: Sequence[str] = ("gfx942",),
    policy: Policy = Policy.PURE,
    evaluations: int = 64,
    minutes: float = 2.0,
) -> Tuning:
    """Tries the configurations of a kernel file for each target, within so many evaluations and minutes."""
    return Tuning(note="nothing is tuned yet")
