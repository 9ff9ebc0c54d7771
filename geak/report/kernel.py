"""What the page of one kernel run shows: the answer, how it came to be, and what it cost."""

from __future__ import annotations

import difflib
import shlex
from dataclasses import dataclass

from geak.errors import RunError
from geak.population import GIVEN, Candidate
from geak.record import Run, active_seconds
from geak.report import dialogue, tables
from geak.report.history import short
from geak.report.spending import Spending, spending
from geak.words import duration, flat, money, parted, plain, plural
from geak_evaluator.schema.verdict import Status


@dataclass(frozen=True)
class DiffLine:
    """A line of a difference: `add`, `del`, `at` or nothing."""

    kind: str
    text: str


@dataclass(frozen=True)
class VerdictRow:
    """What one tier said."""

    tier: str
    line: str
    details: tuple[str, ...]


@dataclass(frozen=True)
class CandidateRow:
    """One candidate, with all that is folded below it."""

    name: str
    kind: str
    parents: tuple[str, ...]
    state: str
    """`accepted`, `rejected`, `undecided` or `none`."""
    brief: str
    best: bool
    verdicts: tuple[VerdictRow, ...]
    log: str
    lesson: str
    advice: str
    plan: str
    against: str
    diff: tuple[DiffLine, ...]
    calls: tuple[dialogue.CallRow, ...]
    cost: str
    round: int
    lineage: int


@dataclass(frozen=True)
class KernelPage:
    """All that the template is given."""

    title: str
    state: str
    answer: str
    line: str
    details: tuple[str, ...]
    ended: str
    facts: tuple[tuple[str, str, str], ...]
    """Name, value, a remark."""
    source: str
    source_name: str
    figures: tuple[tables.FigureRow, ...]
    estimates: tuple[tuple[str, str, str, str], ...]
    """Target, case, time, what bounds it."""
    times: tuple[tables.TimeRow, ...]
    candidates: tuple[CandidateRow, ...]
    spent: tuple[tuple[str, str, str], ...]
    conditions: tuple[tuple[str, str], ...]
    again: str


def page(run: Run) -> KernelPage:
    """A kernel run as its page tells it."""
    population, (costs, totals) = run.population, spending(run.entries)
    best, nearest = population.best, population.nearest
    own = best if best is not None and best.name != GIVEN else None
    chosen = best or nearest
    verdict = None if chosen is None else chosen.final or chosen.verdict
    texts = dialogue.Texts(run.text)
    calls = dialogue.calls(run, texts)
    rows = tuple(_row(run, texts, c, costs.get(c.name), calls.get(c.name, ())) for c in _order(run))
    state, answer = _answer(run, own)
    return KernelPage(
        title=flat(population.conditions.spec),
        state=state,
        answer=answer,
        line=parted(verdict.line())
        if verdict is not None
        else flat(chosen.trouble if chosen else "nothing was written"),
        details=tuple(plain(line) for line in chosen.details) if chosen is not None else (),
        ended="" if population.ended is None else flat(population.ended.message),
        facts=_facts(run, totals),
        source=plain(_source(run, chosen)) if chosen is not None else "",
        source_name=_source_name(run, best),
        figures=tables.figures(verdict),
        estimates=tables.estimates(chosen.verdict if chosen is not None else None),
        times=tables.times(chosen),
        candidates=rows,
        spent=tuple((role, flat(model), sum_.words()) for (role, model), sum_ in totals.items()),
        conditions=_conditions(run),
        again=f"geak resume {shlex.quote(str(run.folder))}",
    )


def _answer(run: Run, own: Candidate | None) -> tuple[str, str]:
    ended, best = run.population.ended, run.population.best
    if own is not None and own.final is not None:
        return "accepted", f"A kernel was accepted: candidate {own.name}"
    if own is not None:
        return "open", f"Candidate {own.name} was accepted by the full tier, and not yet by the final one"
    if best is not None:
        return "rejected", "No candidate is better than the kernel that was given"
    if ended is None:
        return "open", "Under way: no kernel has been accepted yet"
    undecided = any(c.verdict and c.verdict.status is Status.UNDECIDED for c in run.population.candidates.values())
    if undecided and ended.exit_code == 6:
        return "undecided", "It cannot be decided here whether a kernel is right"
    return "rejected", "No kernel was accepted"


def _facts(run: Run, totals: dict[tuple[str, str], Spending]) -> tuple[tuple[str, str, str], ...]:
    account, asked = run.population.account, run.population.conditions
    cap = "no cap" if asked.caps.usd is None else f"of {money(asked.caps.usd)}"
    judged = sum(c.verdict is not None for c in run.population.candidates.values())
    accepted = sum(c.accepted for c in run.population.candidates.values())
    lost = f", {plural(account.lost, 'call')} lost, counted at the bound" if account.lost else ""
    return (
        tables.speed(run.population.best),
        ("Cost", money(account.spent_usd, account.unpriced), cap + lost),
        ("Calls", f"{account.calls:,}", f"{account.spent_tokens:,} tokens"),
        ("Candidates", str(len(run.population.candidates)), f"{judged} judged, {accepted} accepted"),
        ("Time", duration(active_seconds(run.entries)), f"begun {run.entries[0].at[:16].replace('T', ' ')} UTC"),
    )


def _source(run: Run, candidate: Candidate) -> str:
    try:
        return run.text(candidate.source) if candidate.source else ""
    except RunError as error:
        return f"# {error}"


def _source_name(run: Run, best: Candidate | None) -> str:
    name = "best.py" if best is not None else "nearest.py"
    return name if (run.folder / name).is_file() else ""


def _order(run: Run) -> list[Candidate]:
    return sorted(run.population.candidates.values(), key=lambda c: (c.move.lineage, c.move.round))


def _row(
    run: Run, texts: dialogue.Texts, candidate: Candidate, cost: Spending | None, calls: tuple[dialogue.CallRow, ...]
) -> CandidateRow:
    best = run.population.best
    verdicts = tuple(
        VerdictRow(v.tier.value, parted(v.line()), tuple(plain(line) for line in v.details()))
        for v in (candidate.verdict, candidate.final)
        if v is not None
    )
    against, diff = _diff(run, candidate)
    log = "" if candidate.verdict is None else texts.said("log", candidate.verdict.log, f"{candidate.name}, log").text
    lesson = candidate.lesson
    return CandidateRow(
        candidate.name,
        candidate.move.kind,
        candidate.move.parents,
        _state(candidate),
        short(candidate),
        best is not None and best.name == candidate.name,
        verdicts,
        log,
        plain(lesson.cause) if lesson else "",
        plain(lesson.advice) if lesson else "",
        plain(candidate.change or candidate.plan),
        against,
        diff,
        calls,
        "-" if cost is None else cost.brief(),
        candidate.move.round,
        candidate.move.lineage,
    )


def _state(candidate: Candidate) -> str:
    verdict = candidate.final or candidate.verdict
    return "none" if verdict is None else verdict.status.value


def _diff(run: Run, candidate: Candidate) -> tuple[str, tuple[DiffLine, ...]]:
    """Against the last parent, which it was written from; a draft is shown whole."""
    if not candidate.source:
        return "", ()
    source = _source(run, candidate)
    parent = run.population.candidates.get(candidate.move.parents[-1]) if candidate.move.parents else None
    if parent is None or not parent.source:
        return "", tuple(DiffLine("", plain(line)) for line in source.splitlines())
    before = _source(run, parent)
    lines = difflib.unified_diff(before.splitlines(), source.splitlines(), lineterm="", n=3)
    kinds = {"+": "add", "-": "del", "@": "at"}
    body = [line for line in lines if not line.startswith(("---", "+++"))]
    return parent.name, tuple(DiffLine(kinds.get(line[:1], ""), plain(line)) for line in body)


def _conditions(run: Run) -> tuple[tuple[str, str], ...]:
    asked, population = run.population.conditions, run.population
    judge = ", ".join(f"{name} {said}" for name, said in population.judge.items())
    return (
        ("run", population.run),
        ("spec", f"{flat(asked.spec)}, sha256 {asked.spec_sha256}"),
        ("targets", ", ".join(asked.targets)),
        ("policy", asked.policy.value),
        ("goal", asked.goal),
        ("strategy", f"{asked.strategy}, {asked.samples} x {asked.rounds} candidates"),
        ("models", ", ".join(f"{role}: {flat(model.model)}" for role, model in asked.models.items())),
        ("judge", flat(judge)),
        ("folder", flat(str(run.folder))),
    )
