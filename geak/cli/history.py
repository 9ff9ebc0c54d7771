"""What a run has tried, what came of it and what it cost, for a person."""

from __future__ import annotations

from geak.api import Run
from geak.cli.display import cut, flat
from geak.cli.progress import spent
from geak.population import Candidate
from geak.report.history import short
from geak.report.spending import Spending, spending


def page(run: Run) -> list[str]:
    """A run as a person reads it."""
    population, (costs, totals) = run.population, spending(run.entries)
    asked, best = population.conditions, population.best
    lines = [
        f"run     {population.run} of {flat(asked.spec)}, for {', '.join(asked.targets)}",
        f"asked   goal {asked.goal}, {asked.strategy}, {asked.samples} x {asked.rounds} candidates",
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
    lines.append(f"        together {spent(population)}")
    return lines


def _row(candidate: Candidate, cost: Spending | None) -> str:
    move = cut(f"{candidate.move.kind} {', '.join(candidate.move.parents)}", 19)
    paid = "-" if cost is None else cost.brief()
    lesson = cut(flat(candidate.lesson.cause), 100) if candidate.lesson else ""
    return f"{candidate.name:<5}{move:<20}{cut(short(candidate), 37):<38}{paid:>10}  {lesson}"


def _state(run: Run) -> str:
    ended = run.population.ended
    if ended is None:
        return f"not ended; the last word is of {run.entries[-1].at}"
    return f"ended, {ended.reason}: {flat(ended.message)}"
