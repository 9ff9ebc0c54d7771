"""The report as Markdown: the answer, the numbers, the tables; for a pull request, or a page of a wiki."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from geak.metrics.results import Results
from geak.metrics.summary import summarize
from geak.record import Run
from geak.report import dataset, kernel
from geak.report.figures import interval, value_of
from geak.words import flat


def of_kernel(run: Run) -> str:
    """One kernel run."""
    page = kernel.page(run)
    parts = [f"# {_safe(page.title)}: {_safe(page.answer)}", _safe(page.line)]
    parts.append("\n".join(f"- {_safe(line)}" for line in page.details))
    parts.append(_table(("", "", ""), page.facts))
    if page.figures:
        head = ("target", "kernel", "registers", "shared", "spills", "lowest occupancy", "code")
        rows = [(f.target, f.kernel, f.registers, f.shared, f.spills, f.occupancy, f.code) for f in page.figures]
        parts += ["## Machine code (compiled)", _table(head, rows)]
    if page.estimates:
        parts += ["## Time (estimated)", _table(("target", "case", "time", "bound by"), page.estimates)]
    times = [(t.device, t.case, t.time, t.baseline, t.ratio, t.interval) for t in page.times]
    columns = ("device", "case", "time", "baseline", "speedup", "95 % interval")
    parts += ["## Time (measured)", _table(columns, times) if times else "Not measured."]
    tried = [(c.name + " (best)" * c.best, c.kind, ", ".join(c.parents), c.brief, c.cost) for c in page.candidates]
    parts += ["## Candidates", _table(("", "move", "of", "verdict", "cost"), tried)]
    if page.source:
        parts += ["## The kernel", _fenced(page.source, "python")]
    parts += ["## How it was made", _table(("", ""), page.conditions)]
    return "\n\n".join(part for part in parts if part) + "\n"


def of_dataset(results: Results) -> str:
    """A dataset run."""
    summary = summarize(results)
    page = dataset.page(results, summary)
    parts = [f"# {_safe(page.title)}: {_safe(page.answer)}", *(_safe(line) for line in (*page.lines, *page.notes))]
    for group, view in zip(summary.groups, page.groups, strict=True):
        rows = []
        for m in group.metrics:
            how = " (measured)" if m.measured and m.value is not None else ""
            rows.append((m.title, value_of(m) + how, interval(m.low, m.high, m.unit), m.formula))
        parts += [f"## Metrics, {view.name}", _table(("metric", "value", "95 % interval", "formula"), rows)]
        if view.causes:
            causes = [(cause, str(count)) for cause, count, _ in view.causes]
            parts += ["### Failures by cause", _table(("cause", "runs"), causes)]
        if view.categories:
            head = ("category", "tasks", "compiled", "called", "correct", "tokens", "cost")
            shown = [[row.category, *(text for text, _ in row.cells)] for row in view.categories]
            parts += ["### By category", _table(head, shown)]
    parts += ["## Tasks", _table([name for name, _ in page.columns], [[c.text for c in row] for row in page.tasks])]
    if page.skipped:
        parts += ["## Not run", _table(("task", "why"), page.skipped)]
    parts += ["## Protocol card", _table(("", ""), page.card)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [_row(head), _row(["---"] * len(head), plain=True)]
    return "\n".join([*lines, *(_row(row) for row in rows)])


def _row(cells: Sequence[str], *, plain: bool = False) -> str:
    return "| " + " | ".join(cell if plain else _safe(cell) for cell in cells) + " |"


def _safe(text: str) -> str:
    """Foreign text in one line, in which nothing is markup."""
    return re.sub(r"([\\`*_{}\[\]<>|#!~&])", r"\\\1", flat(text))


def _fenced(text: str, language: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
