"""What a run has tried, what came of it and what it cost: for a person, and for a program."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from geak.api import Run
from geak.cli.display import cut, flat, money, plural
from geak.cli.progress import spent
from geak.journal.events import Announced, Failed, Received
from geak.journal.store import Entry
from geak.models.base import Usage
from geak.population import Candidate
from geak_evaluator.schema import codec
from geak_evaluator.schema.verdict import Verdict


@dataclass
class Spending:
    """What some calls took."""

    calls: int = 0
    usage: Usage = field(default_factory=Usage)
    usd: float = 0.0
    unpriced: int = 0
    """Calls whose price nobody knows."""
    lost: int = 0
    """Calls without a reply that may have to be paid for, counted at their bounds."""

    def pay(self, usd: float | None) -> None:
        """Takes note of what one call cost."""
        self.unpriced += usd is None
        self.usd += usd or 0.0

    def brief(self) -> str:
        """In a table: ">$1.00" where some of it is not known."""
        if self.unpriced and self.usd:
            return f">{money(self.usd)}"
        return money(self.usd, self.unpriced)

    def words(self) -> str:
        """For a person."""
        usage = self.usage
        read = usage.input + usage.cached + usage.cache_written
        parts = [money(self.usd, self.unpriced), plural(self.calls, "call")]
        parts.append(f"{read:,} tokens in" + f" ({usage.cached:,} cached)" * bool(usage.cached))
        parts.append(f"{usage.output:,} out" + f" ({usage.reasoning:,} thought)" * bool(usage.reasoning))
        parts += [f"{self.lost} lost"] * bool(self.lost)
        return ", ".join(parts)


def spending(entries: Iterable[Entry]) -> tuple[dict[str, Spending], dict[tuple[str, str], Spending]]:
    """What each candidate cost, and each role's model."""
    calls: dict[int, Announced] = {}
    costs: dict[str, Spending] = defaultdict(Spending)
    totals: dict[tuple[str, str], Spending] = defaultdict(Spending)
    for event in (entry.event for entry in entries):
        if isinstance(event, Announced):
            calls[event.call] = event
        if not isinstance(event, Announced | Received | Failed):
            continue
        call = calls[event.call]
        for sum_ in (costs[call.candidate], totals[call.role, call.model]):
            if isinstance(event, Announced):
                sum_.calls += 1
            elif isinstance(event, Received):
                sum_.usage += event.usage
                sum_.pay(event.usd)
            elif event.charged:
                sum_.lost += 1
                sum_.pay(call.bound_usd)
    return dict(costs), dict(totals)


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


def report(run: Run) -> dict[str, Any]:
    """A run as a program reads it."""
    population, (costs, totals) = run.population, spending(run.entries)
    best = population.best
    return {
        "run": population.run,
        "folder": str(run.folder),
        "conditions": codec.to_json(population.conditions),
        "ended": codec.to_json(population.ended),
        "last": run.entries[-1].at,
        "best": best.name if best else None,
        "candidates": [
            {
                "candidate": candidate.name,
                "move": codec.to_json(candidate.move),
                "source": candidate.source,
                "verdict": codec.to_json(candidate.verdict),
                "final": codec.to_json(candidate.final),
                "trouble": candidate.trouble,
                "lesson": codec.to_json(candidate.lesson),
                "spent": _plain(costs.get(candidate.name, Spending())),
            }
            for candidate in population.candidates.values()
        ],
        "spent": [{"role": role, "model": model, **_plain(sum_)} for (role, model), sum_ in totals.items()],
    }


def _row(candidate: Candidate, cost: Spending | None) -> str:
    move = cut(f"{candidate.move.kind} {', '.join(candidate.move.parents)}", 19)
    paid = "-" if cost is None else cost.brief()
    lesson = cut(flat(candidate.lesson.cause), 100) if candidate.lesson else ""
    return f"{candidate.name:<5}{move:<20}{cut(short(candidate), 37):<38}{paid:>10}  {lesson}"


def short(candidate: Candidate) -> str:
    """What is known of a candidate, in a few words."""
    if candidate.trouble:
        return flat(candidate.trouble)
    if candidate.verdict is None:
        return "under way" if candidate.lesson is None else "not judged"
    word = _few(candidate.verdict)
    if candidate.final is not None and candidate.final.status is not candidate.verdict.status:
        return f"{candidate.final.status.value} in the final tier"
    return word


def _few(verdict: Verdict) -> str:
    case, misfit = verdict.failure, verdict.misfit
    cause = (case and case.cause) or (misfit and misfit.cause)
    agreed = sum(result.cause is None for result in verdict.cases)
    cases = f", {agreed}/{verdict.asked} cases" if verdict.cases else ""
    return f"{verdict.status.value}{f' {cause.value}' if cause else ''}{cases}"


def _state(run: Run) -> str:
    ended = run.population.ended
    if ended is None:
        return f"not ended; the last word is of {run.entries[-1].at}"
    return f"ended, {ended.reason}: {flat(ended.message)}"


def _plain(sum_: Spending) -> Mapping[str, Any]:
    return {
        "usd": None if sum_.unpriced else sum_.usd,
        "unpriced_calls": sum_.unpriced,
        "calls": sum_.calls,
        "lost_calls": sum_.lost,
        "usage": codec.to_json(sum_.usage),
    }
