"""The one place that reads times: a speedup is a ratio of two measurements of one verdict, or it is not there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from geak_evaluator.schema.verdict import Verdict


@dataclass(frozen=True)
class Speed:
    """What was measured of one kernel."""

    ratios: Mapping[str, float] = field(default_factory=dict)
    """By baseline: the geometric mean over the timed cases of its time by the kernel's."""
    us: Mapping[str, float] = field(default_factory=dict)
    """By case: microseconds."""
    peak: float | None = None
    """The geometric mean over the timed cases of the least time that the device could need by the kernel's."""


def speed_of(verdict: Verdict) -> Speed | None:
    """What was measured; None for a verdict without times."""
    return None
