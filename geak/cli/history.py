"""What a run has tried, or a dataset run has come to, and what it cost, for a person."""

from __future__ import annotations

import shlex

from geak.api import Run
from geak.batch.card import KERNELS, kernel_folder
from geak.cli.display import cut, flat, money, plural
from geak.cli.progress import spent
from geak.from_words import with_draft
from geak.metrics.outcome import NOT_BEGUN, Outcome
from geak.metrics.results import Results
from geak.metrics.summary import summarize
from geak.population import Candidate
from geak.report import dataset
from geak.report.history import short
from geak.report.spending import Spending, spending
from geak.words import extent


def page(run: Run) -> list[str]:
    """A run as a person reads it."""
    population, (costs, totals) = run.population, spending(run.entries)
    asked, best = population.conditions, population.best
    lines = [
        f"run     {population.run} of {flat(asked.spec)}, for {', '.join(asked.targets)}",
        f"asked   goal {asked.goal}, {asked.strategy}, {extent(asked.strategy, asked.samples, asked.rounds)}",
        f"state   {_state(run)}",
        "",
        f"{'':<6}{'move':<20}{'verdict':<38}{'cost':>10}  lesson",
    ]
    for candidate in population.candidates.values():
        star = "*" if best is not None and candidate.name == best.name else " "
        lines.append((star + _row(candidate, costs.get(candidate.name))).rstrip())
    lines.append("")
    if best is not None and best.verdict is not None:
        lines.append(f"best    {best.name}  {flat((best.final or best.verdict).line())}")
    lines += [f"spent   {role}, {flat(model)}: {sum_.words()}" for (role, model), sum_ in totals.items()]
    lines.append(f"        together {spent(with_draft(run.folder, population))}")
    return lines


def standing(results: Results) -> list[str]:
    """A dataset run as a person reads it: a line for each kernel that was begun."""
    summary, card = summarize(results), results.card
    spent = summary.spent
    begun = [one for one in results.outcomes if one.cause != NOT_BEGUN]
    lines = [
        f"dataset {flat(card.dataset)}, {plural(len(card.tasks), 'task')}, for {', '.join(card.targets)}",
        f"asked   goal {card.goal}, {card.strategy}, {extent(card.strategy, card.samples, card.rounds)} of each",
        f"state   {dataset.answer(summary.groups[0] if summary.groups else None)}",
        *(f"        {flat(line)}" for line in (*dataset.lines(summary), *summary.notes)),
        "",
    ]
    if begun:
        lines.append(f"{'task':<42}{'verdict':<28}{'candidates':>10}{'cost':>10}")
        lines += [_kernel(one) for one in begun[:_MOST]]
        lines += [f"and {len(begun) - _MOST:,} more, on the page of geak report"] * (len(begun) > _MOST)
        lines.append("")
    lines += [f"not run {flat(one.task)}: {flat(one.reason)[:160]}" for one in summary.skipped[:_MOST]]
    paid = "unknown" if spent.usd is None else money(spent.usd)
    lines.append(f"spent   {paid}, {plural(spent.calls, 'call')}, {spent.tokens:,} tokens")
    if results.kind == "dataset" and begun:
        one = kernel_folder(results.folder, begun[0].task, begun[0].repeat)
        lines.append(f"kernels {results.folder / KERNELS}; one of them: geak show {shlex.quote(str(one))}")
    return [*lines, f"page    geak report {shlex.quote(str(results.folder))}"]


_MOST = 40
"""Kernels that are shown."""


def _kernel(one: Outcome) -> str:
    word = "accepted" if one.accepted else one.cause.replace("_", " ")
    paid = "unknown" if one.usd is None else money(one.usd)
    return f"{cut(flat(one.name), 41):<42}{cut(word, 27):<28}{one.candidates:>10,}{paid:>10}"


def _row(candidate: Candidate, cost: Spending | None) -> str:
    move = cut(f"{candidate.move.kind} {', '.join(candidate.move.parents)}", 19)
    paid = "-" if cost is None else cost.brief()
    lesson = cut(flat(candidate.lesson.cause), 100) if candidate.lesson else ""
    return f"{candidate.name:<5}{move:<20}{cut(short(candidate), 37):<38}{paid:>10}  {lesson}"


def _state(run: Run) -> str:
    ended = run.population.ended
    if ended is None:
        return f"not ended; the last word is of {run.entries[-1].at}"
    return f"ended, {flat(ended.words)}"
