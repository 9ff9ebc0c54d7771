"""Every metric: what each task gives, what is made of it, and the formula in words (docs/metrics.md says more).

A task that failed, was never begun or could not be judged counts as failed everywhere: it stays in N.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from geak.metrics.bootstrap import Statistic, interval
from geak.metrics.native import native_of
from geak.metrics.outcome import Outcome
from geak.words import plural

if TYPE_CHECKING:
    from numpy.typing import NDArray

Unit = Literal["share", "times", "usd", "tokens", "points"]
Repeats = Sequence[Outcome]
"""All outcomes of one task."""

FAST = (0.5, 0.8, 1.0, 1.2, 1.5, 2.0)
"""The p of fast_p."""
PASS = (5, 10, 100)
NOT_MEASURED = "not measured"
_UNTIMED = "fast_p, geometric mean and median are of times measured on a device; an estimate never becomes one"


@dataclass(frozen=True)
class Formula:
    """How a metric is made: `row` of each task, then `of` over all tasks."""

    key: str
    title: str
    formula: str
    unit: Unit
    row: Callable[[Repeats], tuple[float, ...]]
    of: Statistic
    bounds: tuple[float, float] | None = None
    weight: int | None = None
    """The column in which a task that has nothing to say of it holds 0."""
    lower_is_better: bool = False
    missing: str = ""
    """Why it cannot be said of these outcomes; empty where it can."""
    note: str = ""
    measured: bool = False
    """Whether it is made of times."""

    def rows(self, tasks: Iterable[Repeats]) -> NDArray[Any]:
        """One row a task."""
        import numpy as np

        return np.array([self.row(task) for task in tasks], dtype=float)


@dataclass(frozen=True)
class Metric:
    """One number of a run, with its formula and its interval at 95 %."""

    key: str
    title: str
    formula: str
    unit: Unit
    tasks: int
    value: float | None = None
    low: float | None = None
    high: float | None = None
    lower_is_better: bool = False
    note: str = ""
    """Why there is no value, or what a reader should know of it."""
    measured: bool = False
    """Whether it is made of times, which come from a device or are not there."""


def metrics(outcomes: Sequence[Outcome], format_name: str = "") -> tuple[Metric, ...]:
    """Every metric of these outcomes, which are of one policy."""
    tasks = by_task(outcomes)
    return tuple(_metric(formula, tasks) for formula in formulas(outcomes, format_name))


def by_task(outcomes: Iterable[Outcome]) -> list[list[Outcome]]:
    """The outcomes of each task, by its name; repeats in their order."""
    found: dict[str, list[Outcome]] = {}
    for outcome in sorted(outcomes, key=lambda o: (o.task, o.repeat)):
        found.setdefault(outcome.task, []).append(outcome)
    return list(found.values())


def baselines(outcomes: Iterable[Outcome]) -> list[str]:
    """What speed was measured against, in any of them."""
    return sorted({name for o in outcomes if o.speed is not None for name in o.speed.ratios})


def formulas(outcomes: Sequence[Outcome], format_name: str = "") -> list[Formula]:
    """The metrics that these outcomes have, those among them that say why they have no value."""
    found = [
        _share("compile_accuracy", "Compiled", "kernels that Python, Triton and the compiler take / N", "compiled"),
        _share("call_accuracy", "Called", "kernels that run to their end on every case they are put to / N", "called"),
        _share("execution_accuracy", "Correct", "kernels that the judge accepts / N  (fast_0)", "accepted"),
    ]
    fewest = min((len(task) for task in by_task(outcomes)), default=0)
    found += [_pass_at(k) for k in sorted({*(k for k in PASS if k <= fewest), fewest} - {0, 1})]
    shown = sum(o.shown for o in outcomes)
    found.append(
        Formula(
            "generalisation",
            "Right on held-out cases",
            "P(right on held-out cases | right on every shown one), over all candidates; the gap is 1 less this",
            "share",
            lambda task: (sum(o.hidden for o in task), sum(o.shown for o in task)),
            _ratio,
            (0.0, 1.0),
            1,
            missing="" if shown else "no candidate was right on the shown cases and put to others",
            note=f"of {plural(shown, 'candidate')}",
        )
    )
    names = baselines(outcomes)
    timed = any(o.speed is not None for o in outcomes)
    for name in names:
        found += _speeds(outcomes, name)
    if not names:
        found.append(
            Formula(
                "speedup", "Speedup", _UNTIMED, "times", lambda task: (), _mean_of, missing=NOT_MEASURED, measured=True
            )
        )
    peaks = any(o.speed is not None and o.speed.peak is not None for o in outcomes)
    found.append(
        Formula(
            "peak_fraction",
            "Peak fraction",
            "mean over tasks of (least time that the device could need, estimated / measured time), 0 for a failure",
            "share",
            lambda task: (_mean(_peak(o) for o in task),),
            _mean_of,
            (0.0, 1.0),
            missing="" if peaks else NOT_MEASURED,
            measured=True,
        )
    )
    if any(o.calls for o in outcomes):
        found += _costs(outcomes)
    if (known := native_of(format_name)) is not None:
        name, native = known
        found.append(
            Formula(
                f"native_{name}",
                native.title,
                native.formula,
                native.unit,
                lambda task: (_mean(native.of(o) for o in task),),
                _mean_of,
                missing="" if (native.baseline in names if native.baseline else timed) else NOT_MEASURED,
                note="the benchmark's own formula, over this judge's verdicts",
                measured=True,
            )
        )
    return found


def _metric(formula: Formula, tasks: list[list[Outcome]]) -> Metric:
    made = Metric(
        formula.key,
        formula.title,
        formula.formula,
        formula.unit,
        len(tasks),
        lower_is_better=formula.lower_is_better,
        note=formula.missing or formula.note,
        measured=formula.measured,
    )
    if formula.missing or not tasks:
        return made
    rows = formula.rows(tasks)
    told = len(rows) if formula.weight is None else int((rows[:, formula.weight] > 0).sum())
    found = interval(rows, formula.of, bounds=formula.bounds, told=told)
    if math.isnan(found.value):
        return made
    ends = (found.low, found.high) if found.known else (None, None)
    return Metric(**{**vars(made), "value": found.value, "low": ends[0], "high": ends[1]})


def _share(key: str, title: str, formula: str, field: str) -> Formula:
    return Formula(
        key, title, formula, "share", lambda task: (_mean(float(getattr(o, field)) for o in task),), _mean_of, (0, 1)
    )


def _pass_at(k: int) -> Formula:
    def row(task: Repeats) -> tuple[float, ...]:
        n, right = len(task), sum(o.accepted for o in task)
        return (1 - math.comb(n - right, k) / math.comb(n, k),)

    words = "mean over tasks of 1 - C(n - c, k) / C(n, k): n repeats, c of them accepted"
    return Formula(f"pass_at_{k}", f"pass@{k}", words, "share", row, _mean_of, (0, 1))


def _speeds(outcomes: Sequence[Outcome], name: str) -> list[Formula]:
    def ratio(o: Outcome) -> float | None:
        return o.speed.ratios.get(name) if o.accepted and o.speed is not None else None

    def log_or_0(task: Repeats) -> tuple[float, ...]:
        return (_mean(math.log(r) if (r := ratio(o)) is not None else 0.0 for o in task),)

    def logs(task: Repeats) -> tuple[float, ...]:
        known = [math.log(r) for o in task if (r := ratio(o)) is not None]
        return sum(known), len(known)

    def mean_log(task: Repeats) -> tuple[float, ...]:
        total, count = logs(task)
        return (total / count if count else math.nan,)

    unmeasured = sum(o.accepted and ratio(o) is None for o in outcomes)
    note = f"{unmeasured} accepted without a time count as not faster" if unmeasured else ""
    found = [
        Formula(
            f"fast_{p:g}@{name}",
            f"fast_{p:g} over {name}",
            f"kernels accepted and more than {p:g} times as fast as the baseline / N",
            "share",
            lambda task, p=p: (_mean(float((ratio(o) or 0.0) > p) for o in task),),  # type: ignore[misc]
            _mean_of,
            (0.0, 1.0),
            note=note,
        )
        for p in FAST
    ]
    found += [
        Formula(
            f"geomean@{name}",
            f"Geometric mean speedup over {name}, failures as 1",
            "exp(mean over tasks of log(baseline time / kernel's time)), a failure gives log 1",
            "times",
            log_or_0,
            _exp_mean,
            note=note,
        ),
        Formula(
            f"geomean_solved@{name}",
            f"Geometric mean speedup over {name}, of the accepted alone",
            "exp(mean over accepted and measured kernels of log(baseline time / kernel's time))",
            "times",
            logs,
            lambda drawn: _exp(_ratio(drawn)),
        ),
        Formula(
            f"median@{name}",
            f"Median speedup over {name}, failures as 1",
            "median over tasks of (baseline time / kernel's time), 1 for a failure",
            "times",
            log_or_0,
            _exp_median,
            note=note,
        ),
        Formula(
            f"median_solved@{name}",
            f"Median speedup over {name}, of the accepted alone",
            "median over tasks with an accepted and measured kernel of (baseline time / kernel's time)",
            "times",
            mean_log,
            _exp_median,
        ),
    ]
    return [replace(formula, measured=True) for formula in found]


def _costs(outcomes: Sequence[Outcome]) -> list[Formula]:
    solved = any(o.accepted for o in outcomes)
    unpriced = sum(o.usd is None for o in outcomes)
    nothing = "" if solved else "no kernel was accepted"
    return [
        Formula(
            "usd_per_solved",
            "Cost of a solved kernel",
            "dollars spent on all tasks / kernels accepted",
            "usd",
            lambda task: (sum(o.usd or 0.0 for o in task), sum(o.accepted for o in task)),
            _ratio,
            lower_is_better=True,
            missing=f"a price is unknown in {unpriced} of {len(outcomes)} runs" if unpriced else nothing,
        ),
        Formula(
            "tokens_per_solved",
            "Tokens of a solved kernel",
            "tokens read and written for all tasks / kernels accepted",
            "tokens",
            lambda task: (sum(o.tokens for o in task), sum(o.accepted for o in task)),
            _ratio,
            lower_is_better=True,
            missing=nothing,
        ),
    ]


def _peak(o: Outcome) -> float:
    return (o.speed.peak or 0.0) if o.accepted and o.speed is not None else 0.0


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0


def _mean_of(drawn: NDArray[Any]) -> NDArray[Any]:
    found: NDArray[Any] = drawn[:, :, 0].mean(axis=1)
    return found


def _ratio(drawn: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    top, bottom = drawn[:, :, 0].sum(axis=1), drawn[:, :, 1].sum(axis=1)
    found: NDArray[Any] = np.where(bottom > 0, top / np.where(bottom > 0, bottom, 1), np.nan)
    return found


def _exp(values: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    found: NDArray[Any] = np.exp(values)
    return found


def _exp_mean(drawn: NDArray[Any]) -> NDArray[Any]:
    return _exp(_mean_of(drawn))


def _exp_median(drawn: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a draw without any value is nan, and left out
        return _exp(np.nanmedian(drawn[:, :, 0], axis=1))
