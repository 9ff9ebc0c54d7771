"""What a run has come to: candidates, lineages and lessons, as a fold over the journal's events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from geak.budget import Account
from geak.journal.events import (
    Begun,
    Blob,
    Caps,
    Conditions,
    Ended,
    Event,
    Explained,
    Judged,
    Lesson,
    Move,
    Moved,
    Planned,
    Resumed,
    Tuned,
    Unjudged,
    Unwritten,
    Written,
)
from geak.objective import Objective, surely_better
from geak_evaluator.schema.estimate import surely_faster
from geak_evaluator.schema.spec import Case
from geak_evaluator.schema.timing import Interval, Speedup, Timing, speedup
from geak_evaluator.schema.tuning import Tuning
from geak_evaluator.schema.verdict import Cause, Status, Tier, Verdict

GIVEN = "0"
"""The name of the kernel that a run began from."""


@dataclass(frozen=True)
class Candidate:
    """One kernel, from the move that asked for it to the lesson that it taught."""

    move: Move
    change: str = ""
    """What the optimizer wanted of it."""
    tuning: Tuning | None = None
    """What a tuner found about its parent."""
    source: Blob = ""
    plan: str = ""
    """What its author says that it does."""
    verdict: Verdict | None = None
    final: Verdict | None = None
    trouble: str = ""
    """Why it has no source, or no verdict."""
    lesson: Lesson | None = None

    @property
    def name(self) -> str:
        """Lineage and round: "2.3"."""
        return self.move.candidate

    @property
    def accepted(self) -> bool:
        """Accepted by the full tier, and not refused by the final one."""
        final = self.final is None or self.final.status is Status.ACCEPTED
        return self.verdict is not None and self.verdict.status is Status.ACCEPTED and final

    @property
    def details(self) -> list[str]:
        """What its last verdict says, line by line; the final tier estimates nothing, so the full one's word counts."""
        last = self.final or self.verdict
        if last is None:
            return []
        estimated = self.verdict.estimates if self.verdict and not last.estimates else ()
        return [*last.details(), *(one.brief for one in estimated[:2])]

    @property
    def timings(self) -> tuple[Timing, ...]:
        """What was measured of it last: the final tier's word counts more than the loop's."""
        last = self.final if self.final is not None and self.final.timings else self.verdict
        return last.timings if last is not None else ()

    @property
    def developed(self) -> bool:
        """Nothing more is done with it."""
        return self.lesson is not None

    @property
    def rank(self) -> tuple[float, ...]:
        """How good it is, for what is known; the larger the better."""
        return (*_standing(self), -float(self.move.round), -float(self.move.lineage))


@dataclass
class Population:
    """All that happened, folded: equal journals make equal populations, whatever order independent events came in."""

    conditions: Conditions
    run: str = ""
    judge: dict[str, str] = field(default_factory=dict)
    """What the judge said of itself when the run began."""
    candidates: dict[str, Candidate] = field(default_factory=dict)
    account: Account = field(default_factory=Account)
    ended: Ended | None = None
    """How the run stopped last, unless it was gone on with."""

    def add(self, event: Event) -> None:
        """Takes note of an event."""
        self.account.add(event)
        match event:
            case Begun():
                self.run, self.judge = event.run, event.judge
            case Resumed(caps, rounds, goal):
                self.conditions = replace(self.conditions, caps=caps, rounds=rounds, goal=goal)
                self.ended = None
            case Moved(move):
                self.candidates[move.candidate] = Candidate(move)
                self.candidates = dict(sorted(self.candidates.items(), key=lambda pair: _order(pair[0])))
            case Planned(name, plan):
                self._change(name, change=plan)
            case Tuned(name, tuning):
                self._change(name, tuning=tuning)
            case Written(name, source, plan):
                self._change(name, source=source, plan=plan)
            case Unwritten(name, why):
                self._change(name, trouble=why)
            case Judged(name, Tier.FINAL, verdict):
                self._change(name, final=verdict)
            case Judged(name, _, verdict):
                self._change(name, verdict=verdict, trouble="")
            case Unjudged(name, _, why):
                self._change(name, trouble=why)
            case Explained(name, lesson):
                self._change(name, lesson=lesson)
            case Ended():
                self.ended = event

    @property
    def caps(self) -> Caps:
        """What may be spent."""
        return self.conditions.caps

    @property
    def given(self) -> Candidate | None:
        """The kernel that the run began from."""
        return self.candidates.get(GIVEN)

    @property
    def ranked(self) -> list[Candidate]:
        """Every accepted candidate, worst to best; of equal sources only the first."""
        seen: dict[Blob, Candidate] = {}
        for candidate in self.candidates.values():
            if candidate.accepted:
                seen.setdefault(candidate.source, candidate)
        # What intervals cannot tell apart they do not decide; of the rest, those come first whom none surely beats.
        found, objective = list(seen.values()), self.conditions.objective
        speeds = {c.name: _measured(c) for c in found}
        if GIVEN in speeds and any(one is not None and one.baseline == _ORIGINAL for one in speeds.values()):
            speeds[GIVEN] = _AS_FAST
        beaten = {c.name: sum(_beats(o, speeds[o.name], c, speeds[c.name], objective) for o in found) for c in found}

        def standing(candidate: Candidate) -> tuple[float, ...]:
            speed = speeds[candidate.name]
            return (
                -beaten[candidate.name],
                0.0 if speed is None or objective != "time" else speed.ratio,
                *candidate.rank,
            )

        return sorted(found, key=standing)

    @property
    def best(self) -> Candidate | None:
        """The best that was accepted; the kernel that was given, if none is better."""
        ranked = self.ranked
        return ranked[-1] if ranked else None

    @property
    def nearest(self) -> Candidate | None:
        """The best of all, accepted or not."""
        written = [c for c in self.candidates.values() if c.source]
        return max(written, key=lambda c: c.rank, default=None)

    @property
    def unfinished(self) -> list[Candidate]:
        """Candidates whose development was interrupted."""
        return [c for c in self.candidates.values() if not c.developed]

    def lineage(self, number: int) -> list[Candidate]:
        """A lineage's candidates in the order of their rounds."""
        return [c for c in self.candidates.values() if c.move.lineage == number]

    def lessons(self, most: int = 12) -> list[tuple[Candidate, Lesson]]:
        """The ledger: the latest lessons, each said once; failures of old are forgotten before what worked."""
        told: dict[str, tuple[Candidate, Lesson]] = {}
        for candidate in self.candidates.values():
            if candidate.lesson is not None:
                told[candidate.lesson.cause.strip().lower()] = (candidate, candidate.lesson)
        by_age = sorted(told.values(), key=lambda pair: (pair[0].move.round, pair[0].move.lineage))
        worked = [pair for pair in by_age if pair[1].outcome == "worked"][-(most // 2) :]
        others = [pair for pair in by_age if pair[1].outcome != "worked"][-(most - len(worked)) :]
        return sorted([*worked, *others], key=lambda pair: (pair[0].move.round, pair[0].move.lineage))

    def _change(self, name: str, **fields: object) -> None:
        self.candidates[name] = replace(self.candidates[name], **fields)  # type: ignore[arg-type]


def fold(conditions: Conditions, events: Iterable[Event]) -> Population:
    """The population that these events make."""
    population = Population(conditions)
    for event in events:
        population.add(event)
    return population


_FAR = frozenset({Cause.NOT_PYTHON, Cause.TOO_LARGE, Cause.MISSING_ENTRY, Cause.MISSING_MODULE, Cause.NO_KERNEL})
_NEARER = frozenset({Cause.COMPILE_ERROR, Cause.RAISED, Cause.FOREIGN_WORK, Cause.NOT_PLAIN, Cause.OUT_OF_RESOURCES})


def _standing(candidate: Candidate) -> tuple[float, ...]:
    """Accepted before undecided before refused; then what the compiler says, never called a speed."""
    verdict = candidate.verdict
    if not candidate.source:
        return (-1.0,)
    if verdict is None:
        return (0.0,)
    if candidate.accepted:
        return (9.0, *_compiled(verdict))
    if verdict.status is Status.UNDECIDED:
        return (6.0,)
    failure = verdict.failure
    cause = failure.cause if failure is not None else None
    agreed = sum(c.cause is None for c in verdict.cases) / max(verdict.asked, 1)
    return (1.0 if cause in _FAR else 2.0 if cause in _NEARER else 3.0, agreed)


def _compiled(verdict: Verdict) -> tuple[float, ...]:
    """Of the first target: no spills, then wide accesses, then occupancy."""
    kernels = verdict.code[0].kernels if verdict.code else ()
    if not kernels:
        return (0.0, 0.0, 0.0)
    bits = accesses = 0
    for kernel in kernels:
        for counts in (kernel.counts.loads, kernel.counts.stores, kernel.counts.copies):
            for width, count in counts.items():
                if width.isdigit():
                    bits, accesses = bits + int(width) * count, accesses + count
    occupancy = min(k.occupancy / k.occupancy_limit for k in kernels)
    return (-float(sum(k.spills for k in kernels)), bits / max(accesses, 1), occupancy)


_ORIGINAL = "original"
_AS_FAST = Speedup(_ORIGINAL, "", 1.0, Interval(1.0, 1.0), 1.0, Case({}), 0)
"""The kernel that was given, beside itself."""


def _measured(candidate: Candidate) -> Speedup | None:
    """How much faster than the original, or else than the best reference; None where that was not measured."""
    return speedup(candidate.timings, baseline=_ORIGINAL) or speedup(candidate.timings)


def _beats(a: Candidate, fast: Speedup | None, b: Candidate, slow: Speedup | None, objective: Objective) -> bool:
    """Whether one is better for certain: as measured, where both were, beside one baseline; else as estimated."""
    if objective != "time" and a.verdict is not None and b.verdict is not None:
        measured = surely_better(a.verdict, b.verdict, objective)
        if measured is not None:
            return measured
    if fast is not None and slow is not None and fast.baseline == slow.baseline:
        return fast.interval.low > slow.interval.high
    return _surely_faster(a, b)


def _surely_faster(a: Candidate, b: Candidate) -> bool:
    """Whether one is faster on the first target as far as can be estimated: in some timed case, and slower in none."""
    if a.verdict is None or b.verdict is None:
        return False
    target = a.verdict.target
    mine, theirs = ({str(e.case): e for e in c.estimates if e.target == target} for c in (a.verdict, b.verdict))
    pairs = [(mine[case], theirs[case]) for case in mine.keys() & theirs.keys()]
    return any(surely_faster(x, y) for x, y in pairs) and not any(surely_faster(y, x) for x, y in pairs)


def _order(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.split("."))
