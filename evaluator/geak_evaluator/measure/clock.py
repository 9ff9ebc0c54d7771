"""The clock: two sides timed in turn on one device, until an interval is narrow enough or the time is up.

A side is a process that carries out a plan, or calls a reference. This module runs in the judge, draws everything that
could be guessed, and believes a side's events only as far as the judge's own clock bears them out.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from geak_evaluator.measure.statistics import LOOKS, center, median, median_interval, signed_ranks
from geak_evaluator.schema.measuring import Block, Timed
from geak_evaluator.schema.timing import Conditions, Interval, State

_LEAST_CALLS = 5
_BLOCK_US = 4000.0
"""What the timed work of a block should come to."""
_CALIBRATION = 4
_CALLS = 8
_WARM_BLOCKS = 3
_TRIES = 3
"""How often the idle device is looked at: one that has just been woken is slow at first."""
_BUSY = 1.25
"""The calibrated kernel took so much longer than alone: somebody else was at work."""
_TAINTED = 1 / 3
"""So many blocks may be put aside for that before the device counts as in use."""
_SLOWED = 1.15
"""The baseline took so much longer beside the candidate than alone."""
_UNTOLD_SHARE, _UNTOLD_US = 1.5, 60.0
"""How much more the judge's clock may see of each call than the device's events tell."""
_UNSEEN, _REMEMBERED, _REMEMBERED_US = 4, 1.3, 5.0
"""First calls on new values, and how much longer the quickest of them may take than the others."""
_KEEPS = "it keeps results, or its time hangs on more than what kind of values they are"
_GRAPH = 0.9
"""A graph must save so much to be used."""
_SHORT_US = 30.0
"""Of each step: what the host may take to ask for it. Whatever is shorter than its asking is timed as a graph."""


@dataclass(frozen=True)
class Rules:
    """How long and how exactly."""

    seconds: float = 20.0
    """For one case beside one baseline, by the judge's clock."""
    width: float = 0.01
    """Half the interval, relative: narrower is not asked for."""
    useless: float = 0.05
    """Wider than this it says nothing."""
    checks: int = 4
    """Timed calls of the candidate whose outputs are compared."""
    pools: int = 2
    rotations: int = 2
    most_calls: int = 50
    """In one block."""


class Unmeasured(Exception):
    """There will be no figure; the state says why in a word, and the cause is a verdict's word for it."""

    def __init__(self, state: State, message: str, cause: str = "raised") -> None:
        super().__init__(message)
        self.state, self.cause = state, cause


class Side(Protocol):
    """One process that does one of the two things that are compared."""

    rotations: int
    pools: int
    steps: int
    """How much it asks the device for: launches, and other steps."""

    def block(self, asked: Block) -> tuple[Timed, float]:
        """One block, with the seconds that it took by the judge's clock; Unmeasured where it went wrong."""

    def check(self, asked: Block) -> str:
        """What is wrong with what the sampled call computed; empty where nothing is."""

    def unseen(self, *, graph: bool = False) -> float | None:
        """Microseconds of the first call on values that none had before; None where there are none."""


@dataclass(frozen=True)
class Alone:
    """A side before the other one exists."""

    us: float
    probe: float
    """What the calibrated kernel takes on the idle device."""
    empty_s: float
    """What a call costs beside its work: values, poison, a flush."""
    mhz: float | None = None


@dataclass(frozen=True)
class Outcome:
    """What a comparison came to."""

    state: State
    message: str = ""
    candidate_us: float = 0.0
    candidate: Interval | None = None
    baseline_us: float = 0.0
    ratio: float = 0.0
    interval: Interval | None = None
    warm_us: float = 0.0
    baseline_warm_us: float = 0.0
    launched: str = "stream"
    blocks: int = 0
    calls: int = 0
    checked: int = 0
    conditions: Conditions = field(default_factory=Conditions)


class Clock:
    """Times sides by rules; every draw comes from a generator that nobody else sees."""

    def __init__(
        self, rules: Rules, rng: random.Random | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._rules, self._now = rules, now
        self._rng = rng or random.SystemRandom()

    def alone(self, side: Side, *, graph: bool = False) -> Alone:
        """A side by itself: how long it takes, what the idle device is like, and whether its events tell the truth."""
        self._block(side, _CALIBRATION, graph=graph, probes=0)  # compiles, and wakes the device up
        for _ in range(_TRIES):
            empty = self._block(side, 4 * _CALIBRATION, empty=True, probes=8)[0]
            if sum(empty.probes) <= _BUSY * min(empty.probes) * len(empty.probes):
                break
        else:
            text = f"a known kernel took between {min(empty.probes):.3g} and {max(empty.probes):.3g} us"
            raise Unmeasured(State.CONTENDED, f"the device is not idle: {text}")
        few, few_s = self._least(side, _CALIBRATION, graph=graph)
        many, many_s = self._least(side, 4 * _CALIBRATION, graph=graph)
        _, empty_few_s = self._least(side, _CALIBRATION, empty=True)
        _, empty_many_s = self._least(side, 4 * _CALIBRATION, empty=True)
        us, calls = median((*few.cold, *many.cold)), 3 * _CALIBRATION
        empty_s = max(empty_many_s - empty_few_s, 0.0) / calls
        seen = (many_s - few_s) / calls * 1e6 - empty_s * 1e6
        if seen > _UNTOLD_SHARE * us + _UNTOLD_US * max(1, side.steps):
            raise Unmeasured(
                State.FAILED,
                f"the device's events tell of {us:.3g} us a call and the judge's clock of {seen:.3g}: "
                "work is done where the events do not see it",
            )
        return Alone(us, median(empty.probes), empty_s, empty.conditions.last_mhz)

    def called(self, side: Side) -> float:
        """Microseconds of one call after another, by the judge's clock alone: the caller's Python is in it."""
        few, many = (self._calls_take(side, calls) for calls in (_CALLS, 4 * _CALLS))
        nothing = self._calls_take(side, 4 * _CALLS, empty=True) - self._calls_take(side, _CALLS, empty=True)
        for pool in range(side.pools):  # on each draw: what is remembered fits one of them
            last = Block(((0, pool),), sampled=0, timed=False)
            side.block(last)
            if wrong := side.check(last):
                raise Unmeasured(State.FAILED, f"what the call gives is wrong: {wrong}")
        return max(many - few - nothing, 0.0) / (3 * _CALLS) * 1e6

    def _calls_take(self, side: Side, calls: int, *, empty: bool = False) -> float:
        return min(side.block(self.drawn(side, calls, empty=empty, timed=False))[1] for _ in range(4))

    def graphs(self, sides: Sequence[Side], alone: Sequence[Alone]) -> tuple[bool, list[Alone]]:
        """Whether both are better timed as graphs, and what they take then: both, or neither.

        They are where that saves time, and where the device may wait for the host between two steps: after a flush
        that is hidden, and directly after a call, or on a busy host, it is not.
        """
        found = []
        try:
            found = [self.alone(side, graph=True) for side in sides]
        except NoGraph:
            return False, list(alone)
        saves = any(graph.us < _GRAPH * stream.us for graph, stream in zip(found, alone, strict=True))
        short = any(one.us < _SHORT_US * max(1, side.steps) for side, one in zip(sides, alone, strict=True))
        return (True, found) if saves or short else (False, list(alone))

    def compare(self, candidate: Side, baseline: Side | None, solo: Sequence[Alone], *, graph: bool = False) -> Outcome:
        """Candidate and baseline in turn; without one the candidate alone, and then there is no ratio."""
        return _Comparison(self, self._rules, candidate, baseline, solo, graph=graph).run()

    def now(self) -> float:
        """Seconds, by the judge's clock."""
        return self._now()

    def shuffled(self) -> bool:
        """The toss of a coin."""
        return self._rng.random() < 0.5

    def pick(self, count: int) -> int:
        """Any of so many."""
        return self._rng.randrange(count)

    def _least(self, side: Side, calls: int, *, empty: bool = False, graph: bool = False) -> tuple[Timed, float]:
        """The quickest of three: what delays the judge's clock only ever adds to it."""
        found = [self._block(side, calls, empty=empty, graph=graph, probes=0) for _ in range(3)]
        return min(found, key=lambda pair: pair[1])

    def _block(self, side: Side, calls: int, **asked: bool | int) -> tuple[Timed, float]:
        return self.ask(side, self.drawn(side, calls, **asked))

    def drawn(self, side: Side, calls: int, **asked: bool | int) -> Block:
        """A block whose addresses and values follow no order."""
        order = tuple((self.pick(side.rotations), self.pick(side.pools)) for _ in range(calls))
        return Block(order, **asked)  # type: ignore[arg-type]

    def ask(self, side: Side, block: Block) -> tuple[Timed, float]:
        """One block; Unmeasured where the child says what cannot be."""
        timed, seconds = side.block(block)
        calls = len(block.order)
        wrong = len(timed.cold) != calls or len(timed.warm) != (calls if block.warm else 0)
        values = (*timed.cold, *timed.warm, *timed.probes)
        if wrong or not all(math.isfinite(value) and value >= 0 for value in values):
            raise Unmeasured(State.FAILED, "its process says something that is no time")
        if timed.spilled:
            raise Unmeasured(State.FAILED, f"it wrote beside {timed.spilled} while it was timed")
        return timed, seconds


class NoGraph(Exception):
    """A side's work cannot be recorded and replayed."""


class _Comparison:
    def __init__(
        self,
        clock: Clock,
        rules: Rules,
        candidate: Side,
        baseline: Side | None,
        solo: Sequence[Alone],
        *,
        graph: bool,
    ) -> None:
        self._clock, self._rules, self._graph = clock, rules, graph
        self._sides: dict[str, Side] = {"C": candidate} | ({"B": baseline} if baseline is not None else {})
        self._solo = dict(zip(self._sides, solo, strict=True))
        self._calls = {name: _calls(alone.us, rules.most_calls) for name, alone in self._solo.items()}
        self._medians: dict[str, list[float]] = {name: [] for name in self._sides}
        self._differences: list[float] = []
        self._tainted = self._taken = self._checked = self._timed_calls = 0
        self._first: Conditions | None = None
        self._last = Conditions()

    def run(self) -> Outcome:
        until = self._clock.now() + self._rules.seconds
        found: Outcome | None = None
        for look in LOOKS:
            while len(self._differences) < look:
                if self._clock.now() > until:
                    break
                self._quad(last=len(self._differences) == look - 1)
            if len(self._differences) < look:
                break
            found = self._look()
            if self._narrow(found):
                break
        if found is None:
            if self._tainted:
                return self._contended()
            return Outcome(State.NOISY, f"the time was up after {len(self._differences)} of {LOOKS[0]} rounds")
        if self._tainted > _TAINTED * self._taken:
            return self._contended()
        return self._judged(self._unremembered(self._warm(found)))

    def _quad(self, *, last: bool) -> None:
        """ABBA or BAAB: what changes steadily meanwhile is in both sides alike."""
        order = "CBBC" if self._clock.shuffled() else "BCCB"
        names = [name for name in order if name in self._sides]
        blocks = [
            self._block(name, check=self._wanted(last) and number == names.index("C"))
            for number, name in enumerate(names)
        ]
        self._taken += 1
        if any(busy for _, busy in blocks):
            self._tainted += 1
            if self._tainted >= 8 and self._tainted > _TAINTED * self._taken:
                raise Unmeasured(State.CONTENDED, self._contended().message)
            return
        logs = {
            name: [math.log(timed) for n, (timed, _) in zip(names, blocks, strict=True) if n == name]
            for name in self._sides
        }
        for name, (value, _) in zip(names, blocks, strict=True):
            self._medians[name].append(value)
        theirs = sum(logs.get("B", ())) / 2
        self._differences.append(theirs - sum(logs["C"]) / 2)

    def _wanted(self, last: bool) -> bool:
        """Whether this round's call is looked at: the first, the last before a look, and some between."""
        share = self._rules.checks / LOOKS[0]
        return self._checked == 0 or last or self._clock.pick(1000) < 1000 * share

    def _block(self, name: str, *, check: bool) -> tuple[float, bool]:
        side, calls = self._sides[name], self._calls[name]
        asked = self._clock.drawn(side, calls, graph=self._graph)
        if check:
            asked = replace(asked, sampled=self._clock.pick(calls))
        timed, _ = self._clock.ask(side, asked)
        if check:
            if wrong := side.check(asked):
                raise Unmeasured(State.FAILED, f"what it computed while it was timed is wrong: {wrong}")
            self._checked += 1
        if name == "C":
            self._timed_calls += calls
            self._first = self._first or timed.conditions
        self._last = timed.conditions
        return max(median(timed.cold), 1e-6), self._busy(name, timed)

    def _busy(self, name: str, timed: Timed) -> bool:
        alone, mhz = self._solo[name], timed.conditions.last_mhz
        slower = min(max(alone.mhz / mhz, 1.0), 4.0) if alone.mhz and mhz else 1.0
        return bool(timed.probes) and sum(timed.probes) / len(timed.probes) > _BUSY * slower * alone.probe

    def _look(self) -> Outcome:
        mine, theirs = self._medians["C"], self._medians.get("B", [])
        ratio, interval = 0.0, None
        if theirs:
            bounds = signed_ranks(self._differences)
            ratio = math.exp(center(self._differences))
            interval = Interval(math.exp(bounds.low), math.exp(bounds.high)) if bounds else None
        return Outcome(
            State.MEASURED,
            candidate_us=median(mine),
            candidate=median_interval(mine),
            baseline_us=median(theirs) if theirs else 0.0,
            ratio=ratio,
            interval=interval,
        )

    def _narrow(self, found: Outcome) -> bool:
        return _half(found) <= self._rules.width

    def _warm(self, found: Outcome) -> Outcome:
        values = {}
        for name, side in self._sides.items():
            asked = [
                self._clock.drawn(side, self._calls[name], graph=self._graph, warm=True) for _ in range(_WARM_BLOCKS)
            ]
            values[name] = median([median(self._clock.ask(side, one)[0].warm) for one in asked])
        first = self._first or Conditions()
        return replace(
            found,
            warm_us=values["C"],
            baseline_warm_us=values.get("B", 0.0),
            launched="graph" if self._graph else "stream",
            blocks=len(self._medians["C"]),
            calls=self._timed_calls,
            checked=self._checked,
            conditions=replace(self._last, first_mhz=first.first_mhz),
        )

    def _unremembered(self, found: Outcome) -> Outcome:
        """The same, if the candidate is as fast where it cannot have kept its results from one call to the next.

        A kernel that reaches past its memories at large sizes, or by assembly, is followed by nobody, and could.
        """
        side, least = self._sides["C"], math.inf
        for _ in range(_UNSEEN):
            if (us := side.unseen(graph=self._graph)) is None:
                return found
            least = min(least, us)
            if least <= _REMEMBERED * found.candidate_us + _REMEMBERED_US:
                return found
        text = f"it took {least:.3g} us at the least on values that it met for the first time"
        raise Unmeasured(State.FAILED, f"{text}, and {found.candidate_us:.3g} us on others: {_KEEPS}")

    def _judged(self, found: Outcome) -> Outcome:
        """A figure, or why there is none after all."""
        if (half := _half(found)) > self._rules.useless:
            text = f"after {found.blocks} blocks it is known to {half:.0%} only"
            return replace(found, state=State.NOISY, message=text)
        alone = self._solo.get("B")
        if alone is not None and found.baseline_us > _SLOWED * alone.us * self._slower(found):
            text = f"the baseline took {found.baseline_us:.3g} us beside the candidate and {alone.us:.3g} us alone"
            return replace(found, state=State.CONTENDED, message=text)
        return found

    def _slower(self, found: Outcome) -> float:
        """How much of a slowdown the clocks account for: a device that is hot is slow for both."""
        before, now = self._solo["B"].mhz, found.conditions.last_mhz
        return max(before / now, 1.0) if before and now else 1.0

    def _contended(self) -> Outcome:
        text = f"in {self._tainted} of {self._taken} rounds a known kernel took over {_BUSY} times as long as alone"
        return Outcome(State.CONTENDED, text)


def _calls(us: float, most: int) -> int:
    return min(most, max(_LEAST_CALLS, math.ceil(_BLOCK_US / max(us, 1.0))))


def _half(found: Outcome) -> float:
    """Half the interval that counts, relative to its middle."""
    bounds, middle = (found.interval, found.ratio) if found.ratio else (found.candidate, found.candidate_us)
    if bounds is None or middle <= 0:
        return math.inf
    return (bounds.high - bounds.low) / 2 / middle
