"""The timings of a verdict: each bench case of a kernel on a device, beside the original and the fastest reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from geak_evaluator.candidate import Candidate
from geak_evaluator.measure import baseline, floor, steady
from geak_evaluator.measure.clock import Clock
from geak_evaluator.measure.comparison import compare
from geak_evaluator.measure.energy import NoSensor, Watcher
from geak_evaluator.measure.lent import DeviceLost, Lent
from geak_evaluator.measure.rules import Alone, NoGraph, Outcome, Rules, Unmeasured
from geak_evaluator.measure.sides import DeviceSide
from geak_evaluator.oracle import Answer, Oracle, SpecProblem, TooBig
from geak_evaluator.outcome import Captured, Ran
from geak_evaluator.schema import domain
from geak_evaluator.schema.estimate import Estimate
from geak_evaluator.schema.measuring import Identity
from geak_evaluator.schema.spec import Case, Spec
from geak_evaluator.schema.timing import EVERYTHING, Extras, State, Timing

_CALL_SHARE = 0.8
"""Of what its plan takes on warm caches: a call that claims less leaves work out."""
ONE_AT_A_TIME = "the device allows one process at a time: two kernels cannot be timed in turn"
MOST_CONFIGURATIONS = 16
"""Of an autotuned kernel: so many are tried before the clock."""


@dataclass
class Stopwatch:
    """A device, how exactly to time on it, and what is known of references on it."""

    lent: Lent
    rules: Rules = field(default_factory=Rules)
    book: baseline.Book = field(default_factory=baseline.Book)
    sensor: Callable[[], Watcher] | None = None
    """Makes an observer of its energy, or raises NoSensor; None where the device itself tells, or nothing does."""

    def why_not(self, target: str, *, in_turn: bool = False) -> str:
        """Why nothing can be proved or timed for a target on it, or not `in_turn`; empty where it can."""
        try:
            found = self.lent.identity
        except DeviceLost as error:
            return str(error)
        is_a = f" ({found.target})" if found.target else ""
        if found.target != target:
            return f"the device here is {found.name}{is_a}"
        return ONE_AT_A_TIME if in_turn and found.exclusive else ""


class Measuring:
    """One kernel's bench cases."""

    def __init__(
        self,
        stopwatch: Stopwatch,
        oracle: Oracle,
        candidate: Candidate,
        original: Candidate | None,
        estimates: Sequence[Estimate] = (),
        extras: Extras = EVERYTHING,
    ) -> None:
        self._watch, self._oracle, self._candidate, self._original = stopwatch, oracle, candidate, original
        self._lent, self._rules = stopwatch.lent, stopwatch.rules
        self._spec: Spec = oracle.about.spec
        self._estimates = {str(one.case): one for one in estimates if one.target == candidate.target}
        self._clock, self._extras = Clock(self._rules), extras
        self._joules: dict[tuple[str, str], float | None] = {}
        self._best: dict[tuple[str, Candidate], tuple[Captured, str]] = {}
        self.remarks: list[str] = []
        """What a reader should know besides: why something was not measured."""

    def timings(self, cases: Sequence[Case]) -> tuple[Timing, ...]:
        """One for each case and baseline; a case that goes wrong spoils no other."""
        found: list[Timing] = []
        self._candidate.close()  # what proved it has a context on the device, and no part in this
        for case in cases:
            try:
                found += self._of_case(case, self._lent.identity)
            except DeviceLost as error:
                found.append(Timing(case, "", self._candidate.target, state=State.FAILED, message=str(error)))
                break
        return tuple(found)

    def _of_case(self, case: Case, identity: Identity) -> Iterator[Timing]:
        blank = Timing(case, identity.name, self._candidate.target)
        try:
            # A plan that follows integers stands for the draw that it was recorded on alone.
            pools = 1 if self._spec.launches == "by_value" else self._rules.pools
            answers = [self._oracle.case(case, self._candidate.target, native=True, patient=True) for _ in range(pools)]
            captured = self._captured(self._candidate, case, answers)
            with self._lent.leased():  # not before: a host's work holds up nobody else
                chosen = self._baselines(case, identity, answers)
                timed = [self._beside(replace(blank, baseline=name), captured, answers) for name in chosen or ("",)]
        except TooBig as error:
            yield replace(blank, state=State.TOO_BIG_HERE, message=str(error))
            return
        except SpecProblem as error:
            yield replace(blank, state=State.FAILED, message=str(error))
            return
        except Unmeasured as error:
            yield replace(blank, state=error.state, message=str(error))
            return
        yield from timed

    def _beside(self, blank: Timing, captured: Captured, answers: list[Answer]) -> Timing:
        try:
            with ExitStack() as sides:
                base, configuration = self._baseline(blank.baseline, blank.case, answers)
                blank = replace(blank, baseline_configuration=configuration)
                solo: list[Alone] = []
                if base is not None:  # before the candidate's kernels exist anywhere on the device
                    sides.enter_context(base)
                    solo.append(self._clock.alone(base))
                captured, configuration = self._tuned(self._candidate, captured, answers)
                blank = replace(blank, configuration=configuration)
                side = sides.enter_context(self._candidate.side(self._lent, captured, answers, self._rules.rotations))
                solo.insert(0, self._clock.alone(side))
                every = [side, *([base] if base is not None else [])]
                graph, solo = self._clock.graphs(every, solo)
                outcome = compare(self._clock, side, base, solo, graph=graph)
                if outcome.state is State.MEASURED and self._extras.energy:
                    blank = self._with_energy(blank, outcome, side, base)
        except Unmeasured as error:
            return replace(blank, state=error.state, message=str(error))
        timing = self._told(blank, outcome)
        called = timing.state is State.MEASURED and self._extras.calls
        return self._called(timing, captured, answers) if called else timing

    def _with_energy(self, blank: Timing, outcome: Outcome, side: DeviceSide, base: DeviceSide | None) -> Timing:
        """Joules of the very plan that was timed, and of what it was timed beside; each once for a case."""
        graph = outcome.launched == "graph"
        mine = self._energy(blank, f"candidate {blank.configuration}", side, outcome.candidate_us, graph=graph)
        theirs = None
        if base is not None:
            theirs = self._energy(blank, blank.baseline, base, outcome.baseline_us, graph=graph)
        return replace(blank, joules=mine, baseline_joules=theirs)

    def _energy(self, blank: Timing, name: str, side: DeviceSide, us: float, *, graph: bool) -> float | None:
        key = str(blank.case), name
        if key not in self._joules:
            self._joules[key] = None
            try:
                watcher = self._watch.sensor() if self._watch.sensor is not None else None
                self._joules[key] = steady.joules(side, us, watcher, graph=graph)
            except (NoSensor, steady.Unknown) as error:
                self.remarks.append(f"energy is not known at [{blank.case}]: {error}")
        return self._joules[key]

    def _called(self, timing: Timing, captured: Captured, answers: list[Answer]) -> Timing:
        """With the calls as their users make them: last, since it is the candidate's own Python that runs."""
        try:
            with self._candidate.call_side(self._lent, captured, answers, self._rules.rotations) as side:
                mine = self._clock.called(side)
            base = None
            if timing.baseline == baseline.ORIGINAL and self._original is not None:
                found = self._captured(self._original, timing.case, answers)
                base = self._original.call_side(self._lent, found, answers, self._rules.rotations)
            elif timing.baseline:
                base, _ = self._baseline(timing.baseline, timing.case, answers)
            theirs = 0.0
            if base is not None:
                with base:
                    theirs = self._clock.called(base)
        except Unmeasured as error:
            return replace(timing, message=f"its call was not timed: {error}")
        if mine < _CALL_SHARE * timing.warm_us:
            text = f"its call is not believed: {mine:.3g} us, and its own plan takes {timing.warm_us:.3g} us"
            return replace(timing, message=text)
        return replace(timing, call_us=mine, baseline_call_us=theirs)

    def _told(self, blank: Timing, outcome: Outcome) -> Timing:
        estimate = self._estimates.get(str(blank.case))
        sol = floor.speed_of_light(estimate, blank.device) if estimate else 0.0
        least = floor.floor(estimate) if estimate else 0.0
        timing = replace(
            blank,
            state=outcome.state,
            message=outcome.message,
            candidate_us=outcome.candidate_us,
            candidate=outcome.candidate,
            baseline_us=outcome.baseline_us,
            ratio=outcome.ratio,
            interval=outcome.interval,
            warm_us=outcome.warm_us,
            baseline_warm_us=outcome.baseline_warm_us,
            sol_us=sol,
            launched=outcome.launched,
            blocks=outcome.blocks,
            calls=outcome.calls,
            checked=outcome.checked,
            conditions=outcome.conditions,
        )
        if 0 < outcome.candidate_us < least:
            text = f"{outcome.candidate_us:.3g} us, and its own bytes and operations need {least:.3g} us at the least"
            return replace(timing, state=State.BELOW_FLOOR, message=text)
        return timing

    # -- the sides --

    def _baselines(self, case: Case, identity: Identity, answers: list[Answer]) -> tuple[str, ...]:
        """The original and the fastest reference; each reference was timed alone, once, under these versions."""
        library = self._oracle.about.library
        there = baseline.names(self._spec, original=self._original is not None, library=library)
        available = [name for name in there if name in (baseline.ORIGINAL, *self._extras.references)]
        if identity.exclusive and available:
            if ONE_AT_A_TIME not in self.remarks:
                self.remarks.append(ONE_AT_A_TIME)
            return ()
        times: dict[str, float] = {}
        for name in available:
            if name == baseline.ORIGINAL:
                continue
            at = baseline.key(self._oracle.file.data, case, name, identity)
            known = self._watch.book.get(at)
            if known is None:
                known = self._alone(name, case, answers)
                about = {"name": name, "case": str(case), "device": identity.name}
                self._watch.book.put(at, known, about)
            times[name] = known
        return baseline.chosen(available, times)

    def _alone(self, name: str, case: Case, answers: list[Answer]) -> float:
        side, _ = self._baseline(name, case, answers)
        assert side is not None
        try:
            with side:
                return self._clock.alone(side).us
        except Unmeasured as error:
            if error.state is State.FAILED:  # it does not run here, and will not the next time
                self.remarks.append(f"{name} does not run at [{case}], and nothing is held against it: {error}")
                return 0.0
            raise

    def _baseline(self, name: str, case: Case, answers: list[Answer]) -> tuple[DeviceSide | None, str]:
        """What a candidate is timed beside, and the configuration that it has where it is autotuned."""
        if not name:
            return None, ""
        if name == baseline.ORIGINAL:
            assert self._original is not None
            captured = self._captured(self._original, case, answers)
            captured, configuration = self._tuned(self._original, captured, answers)
            return self._original.side(self._lent, captured, answers, self._rules.rotations), configuration
        return self._candidate.reference_side(self._lent, case, answers, self._rules.rotations, name), ""

    def _captured(self, candidate: Candidate, case: Case, answers: list[Answer], configuration: int = 0) -> Captured:
        found = candidate.capture(case, answers[0], configuration)
        if isinstance(found, Ran):
            raise Unmeasured(State.FAILED, found.result.message)
        return found

    def _tuned(self, candidate: Candidate, captured: Captured, answers: list[Answer]) -> tuple[Captured, str]:
        """The configuration that an autotuner would pick on this device: once for a case, before the clock."""
        names = captured.configurations[:MOST_CONFIGURATIONS]
        if len(names) < 2:
            return captured, ""
        key = str(captured.case), candidate
        if key not in self._best:
            try:
                tried = list(self._tried(candidate, captured, answers, len(names), graph=True))
            except NoGraph:
                tried = list(self._tried(candidate, captured, answers, len(names), graph=False))
            if not tried:
                raise Unmeasured(State.FAILED, "none of its configurations runs on the device")
            _, number, best = min(tried, key=lambda item: item[:2])
            self._best[key] = best, names[number]
        return self._best[key]

    def _tried(
        self, candidate: Candidate, captured: Captured, answers: list[Answer], count: int, *, graph: bool
    ) -> Iterator[tuple[float, int, Captured]]:
        """What each configuration takes alone; all of them as graphs, or none, or they could not be compared."""
        for number in range(count):
            try:
                one = self._captured(candidate, captured.case, answers, number)
                with candidate.side(self._lent, one, answers, 1) as side:
                    yield self._clock.alone(side, graph=graph).us, number, one
            except Unmeasured:
                continue  # an autotuner passes it over as well


def wanted(spec: Spec, shown: Sequence[Case], target: str) -> tuple[Case, ...]:
    """The cases that are timed: a spec's `bench`, each with the first of its types; else the largest that is shown."""
    if spec.bench:
        return tuple(domain.expand(spec, (case,))[0] for case in spec.bench)
    return (max(shown, key=lambda case: domain_size(spec, case, target)),)


def domain_size(spec: Spec, case: Case, target: str) -> int:
    """Elements of a case's inputs."""
    from geak_evaluator.schema import layout

    return sum(slot.elements for slot in layout.inputs(spec, case, target))
