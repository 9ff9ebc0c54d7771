"""What the page of a dataset run shows: how much was solved, in which sense, and where the rest failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup

from geak.batch.card import Card, kernel_folder
from geak.journal.events import Caps
from geak.metrics.curves import Curve
from geak.metrics.formulas import FAST, NOT_MEASURED, baselines
from geak.metrics.outcome import NOT_BEGUN, Outcome
from geak.metrics.results import Results
from geak.metrics.summary import Category, Group, Summary
from geak.report.figures import figure, group_name, interval, value_of
from geak.report.plots import Chart, Line, bar, svg
from geak.words import extent, flat, money, plural

_AXES = {
    "samples": "candidates of a task",
    "rounds": "rounds",
    "tokens": "tokens spent on a task",
    "usd": "dollars spent on a task",
}


@dataclass(frozen=True)
class MetricRow:
    """A metric as the table shows it."""

    title: str
    value: str
    known: bool
    how: str
    bar: Markup
    interval: str
    formula: str
    note: str


@dataclass(frozen=True)
class CategoryRow:
    """A category: each cell as it is shown, and what it is sorted by."""

    category: str
    cells: tuple[tuple[str, float | str], ...]


@dataclass(frozen=True)
class GroupView:
    """The tasks of one policy."""

    name: str
    metrics: tuple[MetricRow, ...]
    charts: tuple[tuple[str, Markup], ...]
    causes: tuple[tuple[str, int, Markup], ...]
    categories: tuple[CategoryRow, ...]


@dataclass(frozen=True)
class Cell:
    """One cell of the table of tasks; `value` is what it is sorted by, where not its text."""

    text: str
    value: float | str | None = None
    number: bool = False
    badge: str = ""
    link: str = ""


@dataclass(frozen=True)
class DatasetPage:
    """All that the template is given."""

    title: str
    state: str
    answer: str
    lines: tuple[str, ...]
    notes: tuple[str, ...]
    facts: tuple[tuple[str, str, str], ...]
    groups: tuple[GroupView, ...]
    has_curves: bool
    columns: tuple[tuple[str, bool], ...]
    tasks: tuple[tuple[Cell, ...], ...]
    skipped: tuple[tuple[str, str], ...]
    card: tuple[tuple[str, str], ...]


def page(results: Results, summary: Summary) -> DatasetPage:
    """A dataset run as its page tells it."""
    card = results.card
    groups = tuple(_group(results, group) for group in summary.groups)
    first = summary.groups[0] if summary.groups else None
    state = "open" if any(o.cause == NOT_BEGUN for o in results.outcomes) else "plain"
    names = baselines(results.outcomes)
    return DatasetPage(
        title=flat(card.dataset),
        state=state,
        answer=answer(first),
        lines=lines(summary),
        notes=tuple(flat(note) for note in summary.notes),
        facts=_facts(results, summary),
        groups=groups,
        has_curves=any(group.charts for group in groups),
        columns=_columns(results, names),
        tasks=tuple(_task(results, o, names) for o in results.outcomes),
        skipped=tuple((flat(one.task), flat(one.reason)) for one in summary.skipped),
        card=card_rows(card),
    )


def answer(group: Group | None) -> str:
    """The one sentence that a reader came for."""
    if group is None:
        return "No task was run"
    metric = group.metric("execution_accuracy")
    share = "" if metric is None or metric.value is None else f": {figure(metric.value, 'share')}"
    if group.outcomes == group.tasks:
        return f"{group.accepted} of {plural(group.tasks, 'task')} solved{share}"
    return f"{group.accepted} of {plural(group.outcomes, 'run')} ended with an accepted kernel{share}"


def lines(summary: Summary) -> tuple[str, ...]:
    """What follows the answer: how sure it is, how fast the kernels are, what else was counted."""
    found = []
    for number, group in enumerate(summary.groups):
        metric = group.metric("execution_accuracy")
        if number:
            found.append(f"Apart from that, {group_name(group)}: {group.accepted} of {group.outcomes} accepted.")
        elif metric is not None and metric.low is not None:
            ends = interval(metric.low, metric.high, "share")
            found.append(f"{plural(group.tasks, 'task')} under {group_name(group)}; 95 % interval {ends}.")
        else:
            found.append(f"{plural(group.tasks, 'task')} under {group_name(group)}.")
    waiting = sum(group.causes.get(NOT_BEGUN, 0) for group in summary.groups)
    if waiting:
        found.append(f"{plural(waiting, 'run')} not begun, counted as failed.")
    means = [m for group in summary.groups[:1] for m in group.metrics if m.key.startswith("geomean@")]
    for m in means:
        found.append(f"{m.title}: {value_of(m)} ({interval(m.low, m.high, m.unit)}), measured.")
    if not means:
        found.append("Speed was not measured: no device timed these kernels.")
    return tuple(found)


def card_rows(card: Card) -> tuple[tuple[str, str], ...]:
    """The protocol card as a person reads it."""
    packages = ", ".join(f"{name} {version}" for name, version in card.judge.packages.items())
    judge = f"Python {card.judge.python}, {packages}, sandbox {card.judge.sandbox}"
    judge += f", sha256 {card.judge.sha256}" if card.judge.sha256 else ""
    rows = [
        ("dataset", f"{card.dataset}, format {card.format}, {plural(len(card.tasks), 'task')}"),
        ("dataset sha256", card.dataset_sha256),
        ("judge", judge),
        ("models", models(card) or "none was asked"),
        ("policy", card.policy.value),
        ("targets", ", ".join(card.targets)),
        ("devices", ", ".join(card.devices) or "none: nothing can be measured"),
        ("goal", card.goal),
        ("strategy", f"{card.strategy}, {extent(card.strategy, card.samples, card.rounds)}"),
        ("budget", budget(card.caps)),
        ("repeats", str(card.repeats)),
        ("begun", f"{card.began} by GEAK {card.geak}"),
    ]
    if card.hint:
        rows.append(("hint", card.hint))
    return tuple((name, flat(said)) for name, said in rows)


def budget(caps: Caps) -> str:
    """What may be spent, in words."""
    found = [] if caps.usd is None else [money(caps.usd)]
    found += [f"{caps.tokens or 0:,} tokens"] * (caps.tokens is not None)
    found += [f"{caps.minutes or 0:g} minutes"] * (caps.minutes is not None)
    found += [f"{caps.calls or 0:,} calls"] * (caps.calls is not None)
    return ", ".join(found) or "no limit"


def models(card: Card) -> str:
    """Each model once, with the roles that it plays."""
    roles: dict[str, list[str]] = {}
    for role, one in card.models.items():
        roles.setdefault(one.model, []).append(role)
    return ", ".join(f"{model} ({', '.join(found)})" for model, found in roles.items())


def _facts(results: Results, summary: Summary) -> tuple[tuple[str, str, str], ...]:
    spent, cap = summary.spent, results.card.caps.usd
    first = summary.groups[0] if summary.groups else None
    each = first.metric("usd_per_solved") if first is not None else None
    fast = [m for m in first.metrics if m.key.startswith("fast_1@")] if first is not None else []
    hardest = min(fast, key=lambda m: m.value or 0.0, default=None)
    speed = NOT_MEASURED if hardest is None else value_of(hardest)
    name = "fast_1" if hardest is None else hardest.title
    paid = "no cap" if cap is None else f"of {money(cap)}"
    return (
        (name, speed, "accepted and faster than the baseline"),
        ("Cost", "unknown" if spent.usd is None else money(spent.usd), paid if spent.calls else "no model was asked"),
        ("Cost of a solved kernel", "-" if each is None else value_of(each), each.note if each is not None else ""),
        ("Calls", f"{spent.calls:,}", f"{spent.tokens:,} tokens"),
        ("Not run", plural(len(summary.skipped), "task"), "listed below the table" if summary.skipped else ""),
    )


def _group(results: Results, group: Group) -> GroupView:
    rows = []
    for m in group.metrics:
        drawn = bar(m.value, m.low, m.high) if m.unit == "share" and m.value is not None else Markup("")
        how = "measured" if m.measured and m.value is not None else ""
        note = "" if m.note == NOT_MEASURED else m.note
        ends = interval(m.low, m.high, m.unit)
        rows.append(MetricRow(m.title, value_of(m), m.value is not None, how, drawn, ends, m.formula, note))
    most = max(group.causes.values(), default=1)
    causes = tuple((cause.replace("_", " "), count, bar(count / most)) for cause, count in group.causes.items())
    several = len(group.categories) > 1
    categories = tuple(_category(row) for row in group.categories) if several else ()
    return GroupView(group_name(group), tuple(rows), tuple(_charts(group)), causes, categories)


def _charts(group: Group) -> list[tuple[str, Markup]]:
    found = []
    names = sorted({m.key.partition("@")[2] for m in group.metrics if m.key.startswith("fast_") and "@" in m.key})
    series = []
    for name in names:
        points = [(p, m) for p in FAST if (m := group.metric(f"fast_{p:g}@{name}")) is not None and m.value is not None]
        series.append(Line(f"over {name}", [(p, m.value or 0.0, m.low, m.high) for p, m in points]))
    if series:
        said = f"From {FAST[0]:g} to {FAST[-1]:g} times the speed of {', '.join(names)}."
        title = f"fast_p over {', '.join(names)}, measured"
        found.append((title, svg(Chart(title, said, "p: more than so many times as fast", "", series, share=True))))
    found += [_scaling(curve) for curve in group.curves]
    return found


def _scaling(curve: Curve) -> tuple[str, Markup]:
    share = curve.what == "solved"
    title = "Solved" if share else f"{curve.what[0].upper()}{curve.what[1:]}, failures as 1, measured"
    title += f" by {curve.axis if curve.axis != 'usd' else 'money'}"
    last = curve.points[-1]
    said = f"It ends at {figure(last.y, 'share' if share else 'times')} with {last.x:g} {_AXES[curve.axis]}."
    line = Line(curve.what, [(p.x, p.y, p.low, p.high) for p in curve.points])
    return title, svg(
        Chart(title, said, _AXES[curve.axis], curve.what, [line], True, share, curve.axis in ("samples", "rounds"))
    )


def _category(row: Category) -> CategoryRow:
    shares = [(figure(v, "share"), v) for v in (row.compiled, row.called, row.accepted)]
    money_ = ("unknown", "") if row.usd is None else (money(row.usd), row.usd)
    return CategoryRow(
        flat(row.category) or "(none)", ((str(row.tasks), row.tasks), *shares, (f"{row.tokens:,}", row.tokens), money_)
    )


def _columns(results: Results, names: Sequence[str]) -> tuple[tuple[str, bool], ...]:
    found = [("task", False)]
    found += [("repeat", True)] * (results.card.repeats > 1)
    found += [("category", False)] * _has_categories(results)
    found += [("verdict", False), ("cause", False)]
    found += [(f"x {name}, measured", True) for name in names]
    found += [("candidates", True), ("rounds", True), ("tokens", True), ("cost", True)]
    return tuple(found)


def _task(results: Results, o: Outcome, names: Sequence[str]) -> tuple[Cell, ...]:
    link = _link(results.folder, o)
    undecided = o.cause in ("unsupported", "too_big_here")
    word = "accepted" if o.accepted else "none" if not o.written else "undecided" if undecided else "rejected"
    cells = [Cell(flat(o.task) + (" (soft)" if o.soft else ""), link=link)]
    cells += [Cell(str(o.repeat), number=True)] * (results.card.repeats > 1)
    cells += [Cell(flat(o.category))] * _has_categories(results)
    cells += [Cell(word if word != "none" else "no kernel", badge=word), Cell(o.cause.replace("_", " "))]
    for name in names:
        ratio = o.speed.ratios.get(name) if o.speed is not None else None
        cells.append(Cell("" if ratio is None else f"{ratio:.2f}x", "" if ratio is None else ratio, number=True))
    cells += [Cell(f"{n:,}", n, number=True) for n in (o.candidates, o.rounds, o.tokens)]
    cells.append(Cell("unknown" if o.usd is None else money(o.usd), "" if o.usd is None else o.usd, number=True))
    return tuple(cells)


def _has_categories(results: Results) -> bool:
    return any(o.category for o in results.outcomes)


def _link(folder: Path, o: Outcome) -> str:
    """To the page of that kernel, where one was written (`geak report --each`)."""
    page = kernel_folder(folder, o.task, o.repeat) / "report.html"
    return quote(page.relative_to(folder).as_posix()) if page.is_file() else ""
