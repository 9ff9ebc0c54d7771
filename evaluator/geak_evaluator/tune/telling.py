"""What came of tuning in words: how configurations were put in order, and why the first of them is the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from geak_evaluator.schema.tuning import HIGH, LOW, RATIO, Configuration, Ranking
from geak_evaluator.tune.knobs import Values

_BY_FIGURES = (
    "ordered by what the compiler tells (matrix instructions, reuse of tiles, occupancy, widths of loads and stores; "
    "a product by its estimate and its inner loops; whatever spills is out), which is no speed: the first run on a GPU "
    "settles it"
)


def ordered(rankings: Sequence[Ranking], timed_at: str, untimed: Mapping[str, str]) -> str:
    """What the order of each target means, once for all that share it; and why none was timed where a device is."""
    by_time = {
        one.target: f"ordered by time on {one.device} at {timed_at}, each configuration alone, then the best few in "
        "turn with the present one"
        for one in rankings
        if one.how == "measured"
    }
    rest = [one.target for one in rankings if one.target not in by_time]
    parts = [*by_time.values(), *([f"{', '.join(rest)}: {_BY_FIGURES}" if by_time else _BY_FIGURES] if rest else ())]
    return "; ".join([*parts, *(f"{target} was not timed: {why}" for target, why in untimed.items())])


def kept(ranking: Ranking, tried: int) -> str:
    """Why the file stays as it is."""
    if ranking.how == "measured":
        return f"of {tried} configurations none is told apart from the present one as a faster"
    return f"the present configuration comes first of {tried}"


def speed(one: Configuration) -> str:
    """How much faster a configuration is than the file as it stood, where that was measured."""
    if RATIO not in one.figures:
        return ""
    low, ratio, high = (one.figures[name] for name in (LOW, RATIO, HIGH))
    return f"{ratio:.2f}x ({low:.2f} to {high:.2f}) as fast as the present configuration"


def none(rankings: Sequence[Ranking]) -> str:
    """Why no configuration may be picked."""
    every = [one for ranking in rankings for one in ranking.configurations if one.cause]
    return every[0].message or every[0].cause if every else "none was proved on every target"


def shown(values: Values) -> Values:
    """Without the options that are left to Triton."""
    return {name: value for name, value in values.items() if value}
