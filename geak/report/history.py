"""A kernel run as a program reads it, and its verdicts in few words."""

from __future__ import annotations

from typing import Any

from geak.population import Candidate
from geak.record import Run
from geak.report.spending import Spending, spending
from geak.words import flat
from geak_evaluator.schema import codec
from geak_evaluator.schema.verdict import Verdict


def document(run: Run) -> dict[str, Any]:
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
                "spent": costs.get(candidate.name, Spending()).plain(),
            }
            for candidate in population.candidates.values()
        ],
        "spent": [{"role": role, "model": model, **sum_.plain()} for (role, model), sum_ in totals.items()],
    }


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
