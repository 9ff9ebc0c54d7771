"""A table of configurations by size, each of its rows settled on a device at the size that it is for."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence

from geak_evaluator.racing import NoRace, Out, Races
from geak_evaluator.schema.spec import Case
from geak_evaluator.schema.tuning import Ranking
from geak_evaluator.schema.verdict import Status
from geak_evaluator.tune.knobs import Space, Values
from geak_evaluator.tune.writing import written
from geak_evaluator.variants import Variants

_CONTENDERS = 6
"""Of the best over all that is timed: so many are tried at each size besides the row's own."""


def settled(
    races: Races, variants: Variants, space: Space, ranking: Ranking, rows: Mapping[str, Values], axis: str, end: float
) -> dict[str, Values]:
    """By label what a row should hold: its own, or another configuration that is told apart as faster at its size."""
    few = [one.values for one in ranking.feasible[:_CONTENDERS]]
    found: dict[str, Values] = {}
    for number, (label, row) in enumerate(rows.items()):
        share = time.monotonic() + max(end - time.monotonic(), 0.0) / (len(rows) - number)
        case, own = races.at(axis, label), space.by_name(row)
        others = [values for values in few if values != own]
        best = None
        if case is not None and others:
            with contextlib.suppress(NoRace):
                best = _best(races, variants, space, ranking.target, case, own, others, share)
        found[label] = {name: best.get(name, value) for name, value in row.items()} if best else dict(row)
    return found


def _best(
    races: Races,
    variants: Variants,
    space: Space,
    target: str,
    case: Case,
    own: Values,
    others: Sequence[Values],
    end: float,
) -> Values | None:
    texts = [written(space, values, target) for values in (own, *others)]
    times: dict[int, float] = {}
    for number, data in enumerate(texts):
        if number == 0 or time.monotonic() < end:
            with contextlib.suppress(Out):
                times[number] = races.alone(data, (case,))
    first = min(times, key=lambda number: times[number], default=0)
    if first == 0 or variants.gate(texts[first], target).status is not Status.ACCEPTED:
        return None
    if 0 in times:  # a row that runs stays, unless another is told apart as faster
        beside = races.finals(texts[0], texts[first : first + 1], end, (case,)).get(0)
        if beside is None or beside.interval.low <= 1:
            return None
    return others[first - 1]
