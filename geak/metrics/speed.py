"""The one place that reads times: a speedup is a ratio of two measurements of one verdict, or it is not there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from geak_evaluator.schema.timing import Speedup, State, speedup
from geak_evaluator.schema.verdict import Verdict


@dataclass(frozen=True)
class Speed:
    """What was measured of one kernel."""

    ratios: Mapping[str, float] = field(default_factory=dict)
    """By baseline: its time by the kernel's, over all bench cases by their weight."""
    peak: float | None = None
    """The geometric mean of the least time that the device could need, which is estimated, by the measured one."""


def speed_of(verdict: Verdict | None) -> Speed | None:
    """What was measured; None for a verdict without a figure that may be quoted."""
    if verdict is None:
        return None
    ratios = {one.baseline: one.ratio for one in speedups(verdict)}
    peak = _peak(verdict)
    return None if not ratios and peak is None else Speed(ratios, peak)


def speedups(verdict: Verdict) -> list[Speedup]:
    """Against each baseline that was measured beside it; one without a figure in any case is left out."""
    names = dict.fromkeys(one.baseline for one in verdict.timings if one.baseline)
    found = (speedup(verdict.timings, baseline=name) for name in names)
    return [one for one in found if one is not None]


def _peak(verdict: Verdict) -> float | None:
    """One timing a case: the kernel's own time stands in each of its baselines' again."""
    cases = {str(one.case): one for one in verdict.timings}
    if not cases or any(one.state is not State.MEASURED or not one.share for one in cases.values()):
        return None
    total = sum(one.case.weight for one in cases.values())
    return math.exp(sum(one.case.weight * math.log(one.share) for one in cases.values()) / total)
