"""What the page of one kernel run shows: the answer, how it came to be, and what it cost."""

from __future__ import annotations

import difflib
import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field

from geak.errors import RunError
from geak.journal.events import Announced, Blob, Failed, Received
from geak.population import GIVEN, Candidate
from geak.record import Run, active_seconds
from geak.report.history import short
from geak.report.spending import Spending, spending
from geak.words import duration, flat, money, parted, plain, plural
from geak_evaluator.schema.machine_code import Figures
from geak_evaluator.schema.timing import WORDS, State, named, speedup, time
from geak_evaluator.schema.verdict import Status, Verdict

MOST = 3_000_000
"""Characters of prompts, replies and logs that one page holds; what is over stays in the run's folder."""
_LONGEST = 400_000
"""Of one text."""


@dataclass(frozen=True)
class Said:
    """One message: whole, or where it is told elsewhere on the page or left out, only that."""

    speaker: str
    text: str
    note: str = ""


@dataclass(frozen=True)
class CallRow:
    """One call to a model."""

    number: int
    role: str
    model: str
    took: str
    prompt: tuple[Said, ...]
    reply: Said | None
    trouble: str = ""


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
    calls: tuple[CallRow, ...]
    cost: str
    round: int
    lineage: int


@dataclass(frozen=True)
class FigureRow:
    """What the compiler made of one kernel for one target."""

    target: str
    kernel: str
    specialisations: str
    registers: str
    shared: str
    spills: str
    occupancy: str
    code: str


@dataclass(frozen=True)
class TimeRow:
    """One case, measured on a device beside a baseline."""

    device: str
    case: str
    time: str
    baseline: str
    ratio: str
    interval: str
    share: str
    """Of the speed of light, whose bound is estimated."""
    note: str


@dataclass
class _Texts:
    """Foreign texts as the page shows them: each once, and no more of them together than a page may hold."""

    read: Callable[[Blob], str]
    left: int = MOST
    seen: dict[str, str] = field(default_factory=dict)

    def said(self, speaker: str, text: str, place: str) -> Said:
        """A message: a long one that was shown before is only pointed to."""
        if len(text) > 200 and text in self.seen:
            return Said(speaker, "", f"the same as in {self.seen[text]}")
        self.seen.setdefault(text, place)
        return Said(speaker, *self._fit(text))

    def blob(self, speaker: str, blob: Blob, place: str) -> tuple[Said, ...]:
        """A reply, or the messages of a prompt; one that cannot be read says so."""
        try:
            text = self.read(blob)
        except RunError as error:
            return (Said(speaker, "", str(error)),)
        if speaker != "prompt":
            return (self.said(speaker, text, place),)
        return tuple(self.said(who, what, f"{place}, {who}") for who, what in messages(text))

    def _fit(self, text: str) -> tuple[str, str]:
        room = min(self.left, _LONGEST)
        if room <= 0:
            return "", "left out to keep this page small; it is in the run's folder (geak show RUN --json)"
        self.left -= min(len(text), room)
        note = "" if len(text) <= room else f"the first {room:,} of {len(text):,} characters"
        return plain(text[:room]), note


def messages(text: str) -> list[tuple[str, str]]:
    """The messages of a prompt that a run kept: who speaks, and what is said."""
    try:
        return [(str(one["speaker"]), str(one["text"])) for one in json.loads(text)]
    except (ValueError, KeyError, TypeError):
        return [("prompt", text)]


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
    figures: tuple[FigureRow, ...]
    estimates: tuple[tuple[str, str, str, str], ...]
    """Target, case, time, what bounds it."""
    times: tuple[TimeRow, ...]
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
    texts = _Texts(run.text)
    calls = _calls(run, texts)
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
        figures=_figures(verdict),
        estimates=_estimates(chosen.verdict if chosen is not None else None),
        times=_times(chosen),
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
        _speed(run),
        ("Cost", money(account.spent_usd, account.unpriced), cap + lost),
        ("Calls", f"{account.calls:,}", f"{account.spent_tokens:,} tokens"),
        ("Candidates", str(len(run.population.candidates)), f"{judged} judged, {accepted} accepted"),
        ("Time", duration(active_seconds(run.entries)), f"begun {run.entries[0].at[:16].replace('T', ' ')} UTC"),
    )


def _speed(run: Run) -> tuple[str, str, str]:
    best = run.population.best
    verdicts = () if best is None else tuple(v for v in (best.final, best.verdict) if v is not None)
    found = next((one for v in verdicts if (one := speedup(v.timings)) is not None), None)
    if found is None:
        return ("Speed", "not measured", "no device timed it")
    ends = f"{found.interval.low:.2f} to {found.interval.high:.2f}"
    return ("Speed, measured", f"{found.ratio:.2f}x", f"{ends} over {named(found.baseline)}, {flat(found.device)}")


def _times(candidate: Candidate | None) -> tuple[TimeRow, ...]:
    verdicts = () if candidate is None else (candidate.final, candidate.verdict)
    timings = next((v.timings for v in verdicts if v is not None and v.timings), ())
    rows = []
    for one in timings:
        ratio = "" if not one.counts else f"{one.ratio:.2f}x"
        ends = "" if one.interval is None or not one.counts else f"{one.interval.low:.2f} to {one.interval.high:.2f}"
        fine = one.state is State.MEASURED
        rows.append(
            TimeRow(
                flat(one.device),
                flat(str(one.case)),
                time(one.candidate_us) if fine else WORDS[one.state],
                f"{time(one.baseline_us)} ({named(one.baseline)})" if fine and one.baseline else "",
                ratio,
                ends,
                f"{one.share:.0%}" if one.share else "",
                flat(one.message),
            )
        )
    return tuple(rows)


def _source(run: Run, candidate: Candidate) -> str:
    try:
        return run.text(candidate.source) if candidate.source else ""
    except RunError as error:
        return f"# {error}"


def _source_name(run: Run, best: Candidate | None) -> str:
    name = "best.py" if best is not None else "nearest.py"
    return name if (run.folder / name).is_file() else ""


def _figures(verdict: Verdict | None) -> tuple[FigureRow, ...]:
    """A row for each kernel and target: what its specialisations take, from the least to the most."""
    rows = []
    for code in verdict.code if verdict is not None else ():
        if not code.kernels:
            first = next(iter(code.message.strip().splitlines()), "nothing is known")
            rows.append(FigureRow(code.target, flat(first), *[""] * 6))
        by_name: dict[str, list[Figures]] = {}
        for one in code.kernels:
            by_name.setdefault(one.kernel, []).append(one)
        for name, found in by_name.items():
            vector = found[0].vgprs is not None
            registers = _span([f.vgprs if f.vgprs is not None else f.registers or 0 for f in found])
            worst = min(found, key=lambda f: f.occupancy / f.occupancy_limit)
            rows.append(
                FigureRow(
                    code.target,
                    flat(name),
                    str(len(found)),
                    registers + " VGPR" * vector,
                    f"{_span([f.shared_bytes for f in found])} B",
                    "spills" if any(f.spills for f in found) else "none",
                    f"{worst.occupancy:g} of {worst.occupancy_limit} ({', '.join(worst.limited_by)})",
                    f"{_span([f.code_bytes for f in found])} B",
                )
            )
    return tuple(rows)


def _span(values: list[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _estimates(verdict: Verdict | None) -> tuple[tuple[str, str, str, str], ...]:
    rows = []
    for one in verdict.estimates if verdict is not None else ():
        took = one.trouble or f"{one.us:.3g} us ({one.low:.3g} to {one.high:.3g})"
        rows.append((one.target, flat(str(one.case)), flat(took), "" if one.trouble else one.bound))
    return tuple(rows)


def _order(run: Run) -> list[Candidate]:
    return sorted(run.population.candidates.values(), key=lambda c: (c.move.lineage, c.move.round))


def _row(
    run: Run, texts: _Texts, candidate: Candidate, cost: Spending | None, calls: tuple[CallRow, ...]
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


def _calls(run: Run, texts: _Texts) -> dict[str, tuple[CallRow, ...]]:
    announced: dict[int, Announced] = {}
    found: dict[str, list[CallRow]] = {}
    ends = {e.event.call: e.event for e in run.entries if isinstance(e.event, Received | Failed)}
    for entry in run.entries:
        if isinstance(entry.event, Announced):
            announced[entry.event.call] = entry.event
    for number, call in announced.items():
        end, place = ends.get(number), f"{call.candidate}, {call.role}"
        prompt = texts.blob("prompt", call.prompt, place)
        reply = texts.blob("reply", end.reply, place)[0] if isinstance(end, Received) else None
        trouble = "" if isinstance(end, Received) else flat(end.message) if end is not None else "no reply yet"
        found.setdefault(call.candidate, []).append(
            CallRow(number, call.role, flat(call.model), _took(end), prompt, reply, trouble)
        )
    return {name: tuple(rows) for name, rows in found.items()}


def _took(end: Received | Failed | None) -> str:
    if not isinstance(end, Received):
        return ""
    usage = end.usage
    read, cost = usage.total - usage.output, money(end.usd or 0.0, end.usd is None)
    return f"{read:,} tokens in, {usage.output:,} out, {cost}, {duration(end.seconds)}"


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
