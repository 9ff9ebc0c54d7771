"""Where a candidate is made: the steps of its development, and when nothing more is begun."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from geak.budget import Part
from geak.desk import Desk
from geak.errors import BudgetSpent, GeakError, JudgeDied, MachineError, ModelError
from geak.goal import Goal
from geak.hiding import without
from geak.journal.events import Ended, Explained, Judged, Lesson, Moved, Planned, Tuned, Unjudged, Unwritten, Written
from geak.judges import Judges
from geak.models.base import Model, Role
from geak.models.pace import Pace
from geak.population import GIVEN, Candidate, Population
from geak.record import Record
from geak.roles import generator, optimizer, reflector, seeder
from geak.roles.brief import Ask, Brief, NoAnswer, Past
from geak.strategies.base import Strategy
from geak_evaluator.schema import codec
from geak_evaluator.schema.verdict import Status, Tier, Verdict

_TUNING = 2.0
"""Minutes that a tuner may search, where the run has so many left."""
_PATIENCE = 3
"""Candidates in a row over which every judge died, before the judge is to blame and not they."""
ALLOWED = "the best of what the budget allowed"
"""How a run for the best ends that could have gone on."""


class Halted(GeakError):
    """Nothing more is begun; what was received is kept."""


@dataclass
class Workshop:
    """One run's record and everything that works on it."""

    record: Record
    brief: Brief
    spec: Path
    strategy: Strategy
    goal: Goal
    judges: Judges
    models: Mapping[Role, Model]
    paces: Mapping[str, Pace]
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    part: Part | None = None
    """In a budget that several runs share."""
    halted: Ended | None = None
    _died: int = 0

    def __post_init__(self) -> None:
        self.desk = Desk(self.record, self.models, self.paces, self.secrets, proceed=self.proceed, part=self.part)

    @property
    def population(self) -> Population:
        """What the run has come to."""
        return self.record.population

    def halt(self, why: Ended) -> None:
        """Lets what is under way end, and begins nothing more; the first reason counts."""
        self.halted = self.halted or why

    def proceed(self) -> None:
        """Raises where nothing more may be begun."""
        if self.halted is not None:
            raise Halted(self.halted.message)

    def unfinished(self) -> list[str]:
        """Candidates whose development was interrupted."""
        return [candidate.name for candidate in self.population.unfinished]

    async def moves(self) -> list[str]:
        """Begins what the strategy wants now; nothing, once the goal is reached."""
        try:
            reached = self.goal.reached_by(self.population) if self.halted is None else None
            # The final tier measures again: what it finds may be less than the goal.
            if await self._confirmed(reached) and self.goal.reached_by(self.population) is not None:
                self.halt(Ended("goal", f"the goal is reached: {self.goal}", 0))
        except MachineError as error:
            self.note(error)
        if self.halted is not None:
            return []
        begun = list(self.strategy.moves(self.population))
        for move in begun:
            self.record.add(Moved(move))
        return [move.candidate for move in begun]

    async def write(self, name: str) -> None:
        """The generator writes the candidate: anew, from one that is broken, or from the best and a plan.

        A compiler's kernel and a tuner's take the same way.
        """
        candidate = self.population.candidates[name]
        if candidate.source or candidate.trouble or candidate.developed:
            return
        ask: Ask = partial(self.desk.ask, name)
        parents, ledger = [self._past(parent) for parent in candidate.move.parents], self.population.lessons()
        try:
            if candidate.move.kind == "optimise":
                change = candidate.change or await optimizer.plan(ask, self.brief, ledger, parents)
                if not candidate.change:
                    self.record.add(Planned(name, change))
                draft = await generator.optimise(ask, self.brief, ledger, parents, change)
            elif candidate.move.kind == "tune":
                draft = await self._tune(candidate)
            elif candidate.move.kind == "seed":
                draft = await seeder.seed(ask, self.brief, candidate.move.lineage)
            elif candidate.move.kind == "repair":
                draft = await generator.repair(ask, self.brief, ledger, parents[-1])
            else:
                draft = await generator.draft(ask, self.brief, ledger, siblings=self._plans(candidate))
        except NoAnswer as error:
            self.record.add(Unwritten(name, str(error)))
            return
        self.record.add(Written(name, self.record.keep(draft.source), draft.plan))

    async def judge(self, name: str) -> None:
        """A verdict on the candidate; one over which every judge dies has none."""
        candidate = self.population.candidates[name]
        if not candidate.source or candidate.verdict is not None or candidate.developed:
            return
        if (twin := self._twin(candidate)) is not None:
            self.record.add(Judged(name, Tier.FULL, twin))
            return
        self.proceed()
        await self._evaluate(candidate, Tier.FULL)

    async def explain(self, name: str) -> None:
        """The lesson that the candidate teaches: the reflector's, where somebody will read it."""
        past = self._past(name)
        if past.candidate.developed:
            return
        lesson: Lesson
        if past.candidate.verdict is not None and self._read_on(past.candidate):
            lesson = await reflector.explain(partial(self.desk.ask, name), self.brief, past, self.population.lessons())
        else:
            lesson = reflector.plain_lesson(past)
        self.record.add(Explained(name, lesson))

    def note(self, error: BaseException | None) -> None:
        """What ended a candidate's development, if anything did, ends the run; a mistake of ours is raised."""
        match error:
            case None | Halted():
                pass
            case BudgetSpent():
                self.halt(Ended("budget", str(error), error.exit_code))
            case ModelError():
                self.halt(Ended("provider", str(error), error.exit_code))
            case MachineError():
                self.halt(Ended("machine", str(error), error.exit_code))
            case _:
                raise error

    async def ending(self) -> Ended:
        """Why the run ends, once nothing is under way; its best is put to the final tier."""
        why = self.halted
        if why is not None and why.reason in ("goal", "interrupted", "machine"):
            return why
        try:
            while (best := self.population.best) is not None and not await self._confirmed(best):
                pass
        except MachineError as error:
            return Ended("machine", str(error), error.exit_code)
        return self._outcome(why)

    def _outcome(self, why: Ended | None) -> Ended:
        best, nearest = self.population.best, self.population.nearest
        found = best is not None and best.name != GIVEN
        if self.goal.kind == "best" and found and (why is None or why.reason == "budget"):
            return Ended("goal", ALLOWED if why else "the best of all rounds", 0)
        if why is not None:
            return why
        if not found and nearest is not None and nearest.verdict and nearest.verdict.status is Status.UNDECIDED:
            return Ended("rounds", "the rounds are over, and the nearest candidate cannot be decided here", 6)
        unwritten = [c.trouble for c in self.population.candidates.values() if c.trouble and not c.source]
        if nearest is None and unwritten:
            return Ended("rounds", f"no kernel was written: {unwritten[0]}", 1)
        missed = "no candidate is better than the kernel that was given" if best else "no candidate was accepted"
        return Ended("rounds", f"the rounds are over: {missed}" if not found else "the rounds are over", 1)

    async def _tune(self, candidate: Candidate) -> generator.Draft:
        """The parent in the configuration that the tuner puts first."""
        parent, asked, tuning = self._past(candidate.move.parents[-1]), self.population.conditions, candidate.tuning
        if tuning is None:
            self.proceed()
            minutes = self.desk.left().minutes
            if minutes is not None and minutes <= 0:
                raise BudgetSpent("the minutes are over; --minutes allows more")
            try:
                tuning = await self.judges.tune(
                    self.spec,
                    parent.source,
                    targets=asked.targets,
                    policy=asked.policy,
                    evaluations=asked.tune,
                    minutes=_TUNING if minutes is None else min(_TUNING, minutes),
                )
            except JudgeDied as error:
                raise NoAnswer(str(error)) from None
            self.record.add(Tuned(candidate.name, tuning))
        if not tuning.source:
            raise NoAnswer(tuning.note or "the tuner found nothing to change")
        return generator.Draft(tuning.source, f"{candidate.move.parents[-1]} with {tuning.changes}: {tuning.note}")

    async def _confirmed(self, candidate: Candidate | None) -> bool:
        """Whether the final tier accepts it too; of what goes wrong there, nothing returns to the loop."""
        if candidate is None:
            return False
        if candidate.final is None and candidate.name != GIVEN:
            await self._evaluate(candidate, Tier.FINAL)
        final = self.population.candidates[candidate.name].final
        return candidate.name == GIVEN or (final is not None and final.status is Status.ACCEPTED)

    async def _evaluate(self, candidate: Candidate, tier: Tier) -> None:
        asked, source = self.population.conditions, self.record.text(candidate.source)
        try:
            given = self.population.given
            verdict = await self.judges.evaluate(
                self.spec,
                source,
                targets=asked.targets,
                tier=tier,
                policy=asked.policy,
                time=asked.time,
                original=self.record.text(given.source) if given is not None and given.source else "",
            )
        except JudgeDied as error:
            self._died += 1
            if self._died >= _PATIENCE:
                raise
            self.record.add(Unjudged(candidate.name, tier, str(error)))
            return
        self._died = 0
        self.record.add(Judged(candidate.name, tier, self._unrevealing(verdict)))

    def _read_on(self, candidate: Candidate) -> bool:
        """Whether another candidate will be made that could learn from this one."""
        if not self.strategy.reflects or candidate.move.kind == "given":
            return False
        if self.goal.reached_by(self.population) is not None:
            return False
        asked = self.population.conditions
        return any(len(self.population.lineage(n)) < asked.rounds for n in range(1, asked.samples + 1))

    def _past(self, name: str) -> Past:
        candidate = self.population.candidates[name]
        return Past(candidate, self.record.text(candidate.source) if candidate.source else "")

    def _plans(self, candidate: Candidate) -> list[str]:
        """What the other lineages have drafted."""
        others = [c for c in self.population.candidates.values() if c.move.lineage != candidate.move.lineage]
        return [c.plan for c in others if c.move.kind == "draft" and c.plan][:4]

    def _unrevealing(self, verdict: Verdict) -> Verdict:
        """Without what a candidate may have found in its project, and printed: a key in a file, say."""
        said = codec.dumps(verdict)
        plain = without(said, self.secrets)
        return verdict if plain == said else codec.from_json(Verdict, codec.loads(plain))

    def _twin(self, candidate: Candidate) -> Verdict | None:
        """The verdict on the same source, if it was judged before."""
        same = [c for c in self.population.candidates.values() if c.source == candidate.source and c.verdict]
        return same[0].verdict if same else None
