"""The numbers of a run: all that `summary.json`, `geak report` and `geak compare` say is made here."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from geak.batch.card import SUMMARY, Card
from geak.journal.store import write
from geak.metrics.curves import Curve, curves
from geak.metrics.formulas import Metric, by_task, metrics
from geak.metrics.outcome import Outcome
from geak.metrics.results import Results, Skipped, load
from geak_evaluator.schema import codec
from geak_evaluator.schema.verdict import Policy

VERSION = 1


@dataclass(frozen=True)
class Category:
    """A row by category."""

    category: str
    tasks: int
    compiled: float
    called: float
    accepted: float
    tokens: int
    usd: float | None


@dataclass(frozen=True)
class Group:
    """Tasks that may be counted together: of one policy, and all soft or none."""

    policy: Policy
    soft: bool
    tasks: int
    outcomes: int
    accepted: int
    metrics: tuple[Metric, ...]
    curves: tuple[Curve, ...]
    categories: tuple[Category, ...]
    causes: dict[str, int]
    """Why the others were not accepted, most frequent first."""

    def metric(self, key: str) -> Metric | None:
        """The metric of this name."""
        return next((m for m in self.metrics if m.key == key), None)


@dataclass(frozen=True)
class Spent:
    """What the whole run took."""

    calls: int
    tokens: int
    usd: float | None


@dataclass(frozen=True)
class Summary:
    """A run in numbers."""

    card: Card
    groups: tuple[Group, ...]
    """The one that a headline may be made of comes first."""
    spent: Spent
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
    version: int = VERSION


def write_summary(folder: Path, **ended: object) -> Summary:
    """A dataset run in numbers, written into its folder: derived, and written again at every end, with how it ended."""
    found = summarize(load(folder))
    said = {**ended, **codec.to_json(found)}
    write(folder / SUMMARY, (json.dumps(said, indent=1, allow_nan=False) + "\n").encode())
    return found


def summarize(results: Results) -> Summary:
    """A run in numbers: policies are never pooled, and soft tasks stand apart."""
    outcomes = results.outcomes
    found: dict[tuple[bool, Policy], list[Outcome]] = {}
    for outcome in outcomes:
        found.setdefault((outcome.soft, outcome.policy), []).append(outcome)
    order = sorted(found.items(), key=lambda pair: (pair[0][0], list(Policy).index(pair[0][1])))
    name = results.card.format
    groups = tuple(_group(policy, soft, members, name) for (soft, policy), members in order)
    usd = None if any(o.usd is None for o in outcomes) else sum(o.usd or 0.0 for o in outcomes)
    spent = Spent(sum(o.calls for o in outcomes), sum(o.tokens for o in outcomes), usd)
    return Summary(results.card, groups, spent, results.skipped, results.notes)


def _group(policy: Policy, soft: bool, outcomes: Sequence[Outcome], format_name: str) -> Group:
    causes = Counter(o.cause for o in outcomes if not o.accepted)
    by_category: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_category.setdefault(outcome.category, []).append(outcome)
    return Group(
        policy,
        soft,
        len(by_task(outcomes)),
        len(outcomes),
        sum(o.accepted for o in outcomes),
        metrics(outcomes, format_name),
        curves(outcomes),
        tuple(_category(name, members) for name, members in sorted(by_category.items())),
        dict(causes.most_common()),
    )


def _category(name: str, outcomes: Sequence[Outcome]) -> Category:
    tasks = by_task(outcomes)

    def share(field: str) -> float:
        return sum(sum(bool(getattr(o, field)) for o in task) / len(task) for task in tasks) / len(tasks)

    usd = None if any(o.usd is None for o in outcomes) else sum(o.usd or 0.0 for o in outcomes)
    tokens = sum(o.tokens for o in outcomes)
    return Category(name, len(tasks), share("compiled"), share("called"), share("accepted"), tokens, usd)
