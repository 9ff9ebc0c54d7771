"""Scaling: how much is solved, and how fast the best is, by the time that so much was spent on each task."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from geak.metrics.bootstrap import interval
from geak.metrics.formulas import baselines, by_task
from geak.metrics.outcome import Outcome, Step

Axis = Literal["samples", "rounds", "tokens", "usd"]
_MOST = 40
"""Points of one curve."""
_DRAWS = 400


@dataclass(frozen=True)
class Point:
    """What had been reached by then, with its interval at 95 %."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Curve:
    """One quantity over one axis; what was accepted and refused by the final tier later does not count."""

    axis: Axis
    what: str
    """`solved`, or `speedup over BASELINE`, failures as 1."""
    points: tuple[Point, ...]


_AXES: dict[Axis, Callable[[Step], float | None]] = {
    "samples": lambda step: float(step.samples),
    "rounds": lambda step: float(step.round),
    "tokens": lambda step: float(step.tokens),
    "usd": lambda step: step.usd,
}
_ENDS: dict[Axis, Callable[[Outcome], float | None]] = {
    "samples": lambda o: float(o.candidates),
    "rounds": lambda o: float(o.rounds),
    "tokens": lambda o: float(o.tokens),
    "usd": lambda o: o.usd,
}


def curves(outcomes: Sequence[Outcome]) -> tuple[Curve, ...]:
    """Every curve that these outcomes have: none over an axis that never moves, or whose figures are not all known."""
    found: list[Curve] = []
    one_by_one = all(step.samples == step.round for o in outcomes for step in o.steps)
    for axis, at in _AXES.items():
        if axis == "rounds" and one_by_one:
            continue  # one lineage: the same curve again
        ends = [_ENDS[axis](o) for o in outcomes]
        places = [at(step) for o in outcomes for step in o.steps]
        if None in ends or None in places:
            continue
        most = max((end for end in ends if end is not None), default=0.0)
        xs = _grid([p for p in places if p is not None], most, whole=axis in ("samples", "rounds"))
        if len(xs) < 2:
            continue
        found.append(_curve(axis, "solved", outcomes, xs, lambda steps: float(bool(steps)), float))
        for name in baselines(outcomes):

            def best(steps: list[Step], name: str = name) -> float:
                return math.log(max((s.speeds[name] for s in steps if name in s.speeds), default=1.0))

            found.append(_curve(axis, f"speedup over {name}", outcomes, xs, best, math.exp))
    return tuple(found)


def _curve(
    axis: Axis,
    what: str,
    outcomes: Sequence[Outcome],
    xs: list[float],
    of: Callable[[list[Step]], float],
    shown: Callable[[float], float],
) -> Curve:
    """Of each outcome what `of` says of its steps so far; of their mean, `shown`."""
    import numpy as np

    at, points = _AXES[axis], []
    for x in xs:
        rows = []
        for task in by_task(outcomes):
            reached = [[s for s in o.steps if (v := at(s)) is not None and v <= x] for o in task]
            rows.append([sum(of(steps) for steps in reached) / len(task)])
        found = interval(np.array(rows), lambda drawn: drawn[:, :, 0].mean(axis=1), draws=_DRAWS)
        ends = (shown(found.low), shown(found.high)) if found.known else (None, None)
        points.append(Point(x, shown(found.value), *ends))
    return Curve(axis, what, tuple(points))


def _grid(places: list[float], most: float, *, whole: bool) -> list[float]:
    """Where the curve is drawn: wherever it may step, or evenly where those are many."""
    if whole and most <= _MOST:
        return [float(n) for n in range(1, int(most) + 1)]
    found = sorted({0.0, *places, most})
    if len(found) > _MOST:
        found = [found[round(n * (len(found) - 1) / (_MOST - 1))] for n in range(_MOST)]
    return found
