"""Two runs side by side: paired by task and repeat, with the interval of each difference, and what is noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from geak.batch import card as cards
from geak.errors import UsageError
from geak.metrics.bootstrap import interval
from geak.metrics.formulas import Unit, by_task, formulas
from geak.metrics.outcome import Outcome
from geak.metrics.results import Results


@dataclass(frozen=True)
class Difference:
    """One metric of both, and of the second less the first."""

    key: str
    title: str
    unit: Unit
    first: float | None
    second: float | None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    lower_is_better: bool = False
    note: str = ""

    @property
    def word(self) -> str:
        """What may be said of it: "equal", "better", "worse", or "noise" where the interval holds 0."""
        if self.difference == self.low == self.high == 0:
            return "equal"
        if self.difference is None or self.low is None or self.high is None:
            return "of one task nothing can be said"
        if self.low <= 0 <= self.high:
            return "noise"
        return "better" if (self.difference > 0) != self.lower_is_better else "worse"


@dataclass(frozen=True)
class Changed:
    """A task and repeat that the one solved and the other did not."""

    task: str
    repeat: int
    first: str
    """`accepted`, or the cause."""
    second: str


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side, the first as it was before."""

    first: str
    second: str
    policy: str
    soft: bool
    tasks: int
    pairs: int
    differences: tuple[Difference, ...]
    changed: tuple[Changed, ...]
    alone: tuple[str, ...] = ()
    """Tasks that only one of them has: they are left out."""
    about: tuple[str, ...] = ()
    """What they are compared for: models, strategy."""
    unequal: tuple[str, ...] = ()
    """What should not differ, and was forced to be compared all the same."""


def compare(first: Results, second: Results, *, force: bool = False) -> tuple[Comparison, ...]:
    """The second run against the first, for each policy by itself; UsageError where they cannot be compared."""
    unequal, about = _said(cards.unequal(first.card, second.card)), _said(cards.changed(first.card, second.card))
    if unequal and not force:
        raise UsageError(
            f"{first.folder} and {second.folder} were not made alike: {'; '.join(unequal)}; --force compares them "
            "all the same"
        )
    mine, theirs = _pairs(first), _pairs(second)
    both = sorted(mine.keys() & theirs.keys())
    if not both:
        raise UsageError(f"{first.folder} and {second.folder} have no task in common: there is nothing to compare")
    alone = tuple(sorted({task for task, _ in mine.keys() ^ theirs.keys()}))
    kinds = sorted({(theirs[k].soft, theirs[k].policy) for k in both}, key=lambda kind: (kind[0], kind[1].value))
    name = second.card.format
    found = []
    for soft, policy in kinds:
        keys = [k for k in both if (theirs[k].soft, theirs[k].policy) == (soft, policy)]
        before, after = [mine[k] for k in keys], [theirs[k] for k in keys]
        found.append(
            Comparison(
                str(first.folder),
                str(second.folder),
                policy.value,
                soft,
                len({task for task, _ in keys}),
                len(keys),
                tuple(_differences(before, after, name)),
                tuple(_changed(before, after)),
                alone,
                about,
                unequal,
            )
        )
    return tuple(found)


def _said(found: tuple[cards.Difference, ...]) -> tuple[str, ...]:
    return tuple(f"{one.field}: {_short(one.one)} in the one, {_short(one.other)} in the other" for one in found)


def _short(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:60]}..."


def _pairs(results: Results) -> dict[tuple[str, int], Outcome]:
    return {(o.task, o.repeat): o for o in results.outcomes}


def _differences(before: list[Outcome], after: list[Outcome], name: str) -> list[Difference]:
    import numpy as np

    mine = {f.key: f for f in formulas(before, name)}
    found = []
    for formula in formulas(after, name):
        other = mine.get(formula.key)
        missing = formula.missing or (other.missing if other is not None else "only the second has it")
        if missing:
            found.append(Difference(formula.key, formula.title, formula.unit, None, None, note=missing))
            continue
        a, b = formula.rows(by_task(before)), formula.rows(by_task(after))
        width = a.shape[1]

        def less(drawn: Any, of: Any = formula.of, width: int = width) -> Any:
            return of(drawn[:, :, width:]) - of(drawn[:, :, :width])

        one, two = float(formula.of(a[None])[0]), float(formula.of(b[None])[0])
        apart = interval(np.concatenate([a, b], axis=1), less)
        low, high = (apart.low, apart.high) if apart.known else (None, None)
        values = (_known(one), _known(two), _known(apart.value), low, high)
        found.append(Difference(formula.key, formula.title, formula.unit, *values, formula.lower_is_better))
    return found


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _changed(before: list[Outcome], after: list[Outcome]) -> list[Changed]:
    return [
        Changed(a.task, a.repeat, a.cause or "accepted", b.cause or "accepted")
        for a, b in zip(before, after, strict=True)
        if a.accepted != b.accepted
    ]
