"""Configurations of a kernel on a device: each timed alone while one is looked for, the best beside the present one."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from geak_evaluator.candidate import Candidate
from geak_evaluator.judge import Judge
from geak_evaluator.measure.clock import Clock
from geak_evaluator.measure.comparison import compare
from geak_evaluator.measure.lent import DeviceLost
from geak_evaluator.measure.rules import NoGraph, Outcome, Unmeasured
from geak_evaluator.measure.sides import DeviceSide
from geak_evaluator.measuring import Stopwatch, wanted
from geak_evaluator.oracle import Answer, Oracle, SpecProblem, TooBig
from geak_evaluator.outcome import Captured, Ran
from geak_evaluator.schema import domain
from geak_evaluator.schema.measuring import Block
from geak_evaluator.schema.spec import Case
from geak_evaluator.schema.timing import Interval, State
from geak_evaluator.schema.tuning import HIGH, LOW, RATIO
from geak_evaluator.schema.verdict import Cause, Policy

MOST_CASES = 3
"""Of a spec's `bench`: each configuration is timed in so many."""
_LEAST_S = 3.0
"""At least so long two files are timed in turn, whatever the time that is left."""
_ONCE = Block(((0, 0),), sampled=0, timed=False)
_NOT_THE_KERNEL_S = {State.CONTENDED, State.NOISY, State.TOO_BIG_HERE}


class Out(Exception):
    """A configuration that may not be picked, as the device sees it."""

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause


class NoRace(Exception):
    """Nothing can be timed here, whatever the configuration; the message says why."""


@dataclass(frozen=True)
class Beside:
    """How much faster one file is than another, over all cases that are timed."""

    ratio: float
    interval: Interval

    @property
    def figures(self) -> dict[str, float]:
        """As a configuration has them."""
        return {RATIO: self.ratio, LOW: self.interval.low, HIGH: self.interval.high}


class Races:
    """One kernel's configurations on the device that its target is, proved in the cases that are timed."""

    def __init__(self, judge: Judge, watch: Stopwatch, oracle: Oracle, target: str, policy: Policy) -> None:
        self._judge, self._watch, self._oracle, self._target = judge, watch, oracle, target
        self._policy, self._lent = policy, watch.lent
        spec = oracle.about.spec
        self.cases = wanted(spec, domain.expand(spec, spec.cases) or (Case({}),), target)[:MOST_CASES]
        self._answers: dict[str, Answer] = {}
        self._as_graphs: bool | None = None
        """Settled by the first that is timed alone."""

    @property
    def device(self) -> str:
        """Its name."""
        return self._lent.identity.name

    def at(self, axis: str, label: str) -> Case | None:
        """The first case that is timed, with one size by its label; None where the spec holds no such case."""
        spec, first = self._oracle.about.spec, self.cases[0]
        if axis not in first.sizes or not label.isdecimal():
            return None
        sizes = {**first.sizes, axis: int(label)}
        return Case(sizes, without=first.without) if domain.holds(spec, domain.with_scalars(spec, sizes)) else None

    def alone(self, data: bytes, cases: Sequence[Case] = ()) -> float:
        """Microseconds of a file, over all cases their geometric mean; Out where it fails or computes what is wrong."""
        with self._racing():
            candidate, clock = self._candidate(data), Clock(self._watch.rules)
            logs = []
            for case in cases or self.cases:
                made = self._recorded(candidate, case)
                with self._lent.leased(), self._side(candidate, made) as side:
                    self._prove(side)
                    logs.append(math.log(max(self._us(clock, side), 1e-6)))
            return math.exp(math.fsum(logs) / len(logs))

    def _us(self, clock: Clock, side: DeviceSide) -> float:
        """As a graph where that can be: else what the host takes for a launch would rank what is shorter than it.

        Of one that cannot be recorded, where others were, the stream says too much rather than too little.
        """
        if self._as_graphs is not False:
            try:
                us = clock.alone(side, graph=True).us
            except NoGraph:
                self._as_graphs = bool(self._as_graphs)
            else:
                self._as_graphs = True
                return us
        return clock.alone(side).us

    def finals(
        self, present: bytes, others: Sequence[bytes], end: float, cases: Sequence[Case] = ()
    ) -> dict[int, Beside]:
        """Each of the others timed in turn with the present file, by its number; without those that tell nothing."""
        found: dict[int, Beside] = {}
        for number, data in enumerate(others):
            seconds = max((end - time.monotonic()) / (len(others) - number), _LEAST_S)
            with contextlib.suppress(NoRace, Out):
                beside = self._beside(data, present, seconds, cases or self.cases)
                found |= {number: beside} if beside is not None else {}
        return found

    def _beside(self, data: bytes, present: bytes, seconds: float, cases: Sequence[Case]) -> Beside | None:
        """A file timed in turn with the present one; None where so much time says nothing."""
        with self._racing():
            rules = replace(self._watch.rules, seconds=min(seconds / len(cases), self._watch.rules.seconds))
            mine, theirs = self._candidate(data), self._candidate(present)
            found = [self._compared(mine, theirs, case, Clock(rules)) for case in cases]
        if any(one.state is not State.MEASURED or one.interval is None for one in found):
            return None
        low, high = (_mean([getattr(one.interval, end) for one in found]) for end in ("low", "high"))
        return Beside(_mean([one.ratio for one in found]), Interval(low, high))

    def _compared(self, mine: Candidate, theirs: Candidate, case: Case, clock: Clock) -> Outcome:
        made, before = self._recorded(mine, case), self._recorded(theirs, case)
        with contextlib.ExitStack() as held:
            held.enter_context(self._lent.leased())
            base = held.enter_context(self._side(theirs, before))
            solo = [clock.alone(base)]
            side = held.enter_context(self._side(mine, made))
            solo.insert(0, clock.alone(side))
            graph, solo = clock.graphs([side, base], solo)
            try:
                return compare(clock, side, base, solo, graph=graph)
            except Unmeasured as error:
                if error.state in _NOT_THE_KERNEL_S:  # of this pair nothing is known
                    return Outcome(error.state, str(error))
                raise

    def _recorded(self, candidate: Candidate, case: Case) -> Captured:
        """Its plan; what that takes of the host holds nobody up who waits for the device."""
        if str(case) not in self._answers:
            kept = {str(one) for one in self.cases}  # of a table's sizes only the last: they may be large
            self._answers = {name: answer for name, answer in self._answers.items() if name in kept}
            self._answers[str(case)] = self._oracle.case(case, self._target, native=True, patient=True)
        captured = candidate.capture(case, self._answers[str(case)])
        if isinstance(captured, Ran):
            raise Out((captured.result.cause or Cause.RAISED).value, captured.result.message)
        return captured

    def _side(self, candidate: Candidate, captured: Captured) -> DeviceSide:
        answer = self._answers[str(captured.case)]
        return candidate.side(self._lent, captured, [answer], self._watch.rules.rotations)

    def _prove(self, side: DeviceSide) -> None:
        timed, _ = side.block(_ONCE)
        if timed.spilled:
            raise Out(Cause.OUT_OF_BOUNDS.value, f"it wrote beside {timed.spilled}")
        if wrong := side.check(_ONCE):
            raise Out(Cause.WRONG_VALUES.value, f"on {self.device}: {wrong}")

    def _candidate(self, data: bytes) -> Candidate:
        return self._judge.candidate(self._oracle, data, self._target, self._policy)

    @contextlib.contextmanager
    def _racing(self) -> Iterator[None]:
        """What goes wrong is this configuration's, or ends all timing."""
        try:
            yield
        except (DeviceLost, TooBig, SpecProblem) as error:
            raise NoRace(str(error)) from None
        except Unmeasured as error:
            if error.state in _NOT_THE_KERNEL_S:
                raise NoRace(str(error)) from None
            raise Out(error.cause, str(error)) from None


def _mean(values: list[float]) -> float:
    return math.exp(math.fsum(math.log(max(value, 1e-9)) for value in values) / len(values))
