"""The one place that reads times: a speedup is a ratio of two measurements of one verdict, or it is not there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from geak_evaluator.schema.timing import Speedup, Timing, share_of_light, speedup


@dataclass(frozen=True)
class Speed:
    """What was measured of one kernel."""

    ratios: Mapping[str, float] = field(default_factory=dict)
    """By baseline: its time by the kernel's, over all bench cases by their weight."""
    peak: float | None = None
    """The geometric mean of the least time that the device could need, which is estimated, by the measured one."""


def speed_of(timings: Sequence[Timing]) -> Speed | None:
    """What was measured; None where there is no figure that may be quoted."""
    ratios = {one.baseline: one.ratio for one in speedups(timings)}
    peak = share_of_light(timings) or None
    return None if not ratios and peak is None else Speed(ratios, peak)


def speedups(timings: Sequence[Timing]) -> list[Speedup]:
    """Against each baseline that was measured beside it; one without a figure in any case is left out."""
    names = dict.fromkeys(one.baseline for one in timings if one.baseline)
    found = (speedup(timings, baseline=name) for name in names)
    return [one for one in found if one is not None]
