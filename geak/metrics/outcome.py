"""What one task came to, once: the one typed row that every metric is computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from geak.batch.card import kernel_name
from geak.budget import Account
from geak.journal.events import Judged
from geak.journal.store import Entry
from geak.metrics.speed import Speed, speed_of
from geak.population import GIVEN, Candidate, Population
from geak_evaluator.schema.verdict import UNDECIDABLE, Cause, Policy, Status, Tier, Verdict

UNREADABLE = frozenset(
    {
        *(Cause.NOT_PYTHON, Cause.TOO_LARGE, Cause.MISSING_ENTRY, Cause.MISSING_MODULE),
        *(Cause.COMPILE_ERROR, Cause.OUT_OF_RESOURCES),
    }
)
"""Neither Python, nor Triton's front end, nor the compiler took it."""
STOPPED = frozenset(
    {
        *(Cause.OUT_OF_BOUNDS, Cause.RAISED, Cause.TIMEOUT, Cause.DIED, Cause.PROTOCOL, Cause.OUTPUT_FLOOD),
        *(Cause.OUT_OF_MEMORY, Cause.TOO_MANY_PROCESSES, Cause.DISK_FLOOD),
    }
)
"""It compiled, and did not run to its end."""

UNWRITTEN, UNJUDGED, UNCONFIRMED = "unwritten", "not_judged", "not_confirmed"
NOT_BETTER, NOT_BEGUN = "not_better_than_given", "not_begun"


@dataclass(frozen=True)
class Step:
    """A candidate that was accepted, and what had been spent by the time it was."""

    samples: int
    round: int
    calls: int
    tokens: int
    usd: float | None
    """None where a call's price is unknown."""
    speeds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """One task, one repeat; what is not known of it counts against it."""

    task: str
    repeat: int = 1
    category: str = ""
    soft: bool = False
    """Lint says that a kernel without work could pass."""
    policy: Policy = Policy.PURE
    written: bool = False
    compiled: bool = False
    called: bool = False
    accepted: bool = False
    """By the last tier that was asked for: a run's best by the final one."""
    shown: int = 0
    """Candidates that were right on every case that the spec shows, and were put to others besides."""
    hidden: int = 0
    """Those of them that were right on every other case too."""
    cause: str = NOT_BEGUN
    """Why it was not accepted; empty where it was."""
    tokens: int = 0
    usd: float | None = 0.0
    calls: int = 0
    candidates: int = 0
    rounds: int = 0
    speed: Speed | None = None
    """Measured, of what was accepted; None where nothing was measured."""
    steps: tuple[Step, ...] = ()

    @property
    def name(self) -> str:
        """For a person."""
        return kernel_name(self.task, self.repeat)


def of_run(task: str, repeat: int, population: Population, entries: Sequence[Entry], *, category: str = "") -> Outcome:
    """What a kernel run came to; the kernel that was given to it is nobody's success."""
    best = population.best
    own = best if best is not None and best.name != GIVEN else None
    pick = own or (population.nearest if best is None else best)
    account = population.account
    passed = own is not None and own.final is not None and own.accepted
    verdict = None if pick is None else pick.final or pick.verdict
    compiled, called = (False, False) if verdict is None else reached(verdict)
    judged = [c for c in population.candidates.values() if c.name != GIVEN]
    held = [right for c in judged if (right := held_out(c.verdict, c.final)) is not None]
    return Outcome(
        task,
        repeat,
        category,
        population.conditions.soft,
        population.conditions.policy,
        written=any(c.source for c in judged),
        compiled=compiled,
        called=called,
        accepted=passed,
        shown=len(held),
        hidden=sum(held),
        cause="" if passed else _cause(pick, own),
        tokens=account.spent_tokens,
        usd=None if account.unpriced else account.spent_usd,
        calls=account.calls,
        candidates=len(judged),
        rounds=max((c.move.round for c in judged), default=0),
        speed=speed_of(own.timings) if own is not None and passed else None,
        steps=_steps(population, entries),
    )


def of_verdict(
    task: str, repeat: int, verdict: Verdict | None, *, category: str = "", soft: bool = False, policy: Policy
) -> Outcome:
    """What somebody's kernel came to; None where it could not be judged."""
    if verdict is None:
        return Outcome(task, repeat, category, soft, policy, written=True, cause=UNJUDGED, candidates=1, rounds=1)
    policy = verdict.policy
    compiled, called = reached(verdict)
    passed = verdict.status is Status.ACCEPTED
    held = held_out(verdict, None)
    speed = speed_of(verdict.timings) if passed else None
    step = Step(1, 1, 0, 0, 0.0, speed.ratios if speed else {})
    return Outcome(
        task,
        repeat,
        category,
        soft,
        policy,
        written=True,
        compiled=compiled,
        called=called,
        accepted=passed,
        shown=int(held is not None),
        hidden=int(held or False),
        cause="" if passed else why(verdict),
        candidates=1,
        rounds=1,
        speed=speed,
        steps=(step,) if passed else (),
    )


def reached(verdict: Verdict) -> tuple[bool, bool]:
    """Whether it compiles, and whether it also ran to its end on every case that it was put to."""
    causes = {c.cause for c in verdict.cases} | {c.cause for c in verdict.code}
    causes.discard(None)
    if causes and causes <= UNDECIDABLE:
        return any(c.kernels for c in verdict.code[:1]), any(c.cause is None for c in verdict.cases)
    compiled = not causes & UNREADABLE
    return compiled, compiled and not causes & STOPPED


def held_out(verdict: Verdict | None, final: Verdict | None) -> bool | None:
    """Of a kernel that is right on all that is shown, whether it is right on what is not; None where it was not asked.

    The final tier draws its values anew and tells no sizes, so that whatever fails there failed unseen.
    """
    if verdict is None:
        return None
    wrong = [c for c in verdict.cases if c.cause is not None]
    if any(not c.hidden for c in wrong) or verdict.tier is Tier.GATE:
        return None
    if any(c.cause not in UNDECIDABLE for c in wrong):
        return False
    if final is not None and final.failure is not None and final.failure.cause not in UNDECIDABLE:
        return False
    unseen = [*verdict.cases, *(final.cases if final is not None else ())]
    return True if any(c.hidden and c.cause is None for c in unseen) else None


def why(verdict: Verdict) -> str:
    """The cause that decided against a kernel, in a word."""
    case, misfit = verdict.failure, verdict.misfit
    decided = (case and case.cause) or (misfit and misfit.cause)
    return decided.value if decided else ""


def _cause(pick: Candidate | None, own: Candidate | None) -> str:
    if own is not None:
        return UNCONFIRMED
    if pick is None:
        return UNWRITTEN
    if pick.name == GIVEN and pick.accepted:
        return NOT_BETTER
    verdict = pick.final or pick.verdict
    return UNJUDGED if verdict is None else why(verdict) or UNJUDGED


def _steps(population: Population, entries: Sequence[Entry]) -> tuple[Step, ...]:
    account, samples = Account(), 0
    found: list[Step] = []
    for event in (entry.event for entry in entries):
        account.add(event)
        if not isinstance(event, Judged) or event.tier is Tier.FINAL or event.candidate == GIVEN:
            continue
        samples += 1
        candidate = population.candidates[event.candidate]
        if not candidate.accepted:
            continue
        speed = speed_of(candidate.timings)
        usd = None if account.unpriced else account.spent_usd
        ratios = speed.ratios if speed else {}
        found.append(Step(samples, candidate.move.round, account.calls, account.spent_tokens, usd, ratios))
    return tuple(found)
