"""The clock: asks sides for blocks of calls, draws all that could be guessed, and reads its own time beside.

A side is a process that carries out a plan, or calls a reference. This module runs in the judge, and believes a side's
events only as far as the judge's own clock bears them out.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence

from geak_evaluator.measure.rules import Alone, NoGraph, Rules, Side, Unmeasured
from geak_evaluator.measure.statistics import median
from geak_evaluator.schema.measuring import Block, Timed
from geak_evaluator.schema.timing import State

_CALIBRATION = 4
_CALLS = 8
_TRIES = 3
"""How often the idle device is looked at: one that has just been woken is slow at first."""
BUSY = 1.25
"""The calibrated kernel took so much longer than alone: somebody else was at work."""
_UNTOLD_SHARE, _UNTOLD_US = 1.5, 60.0
"""How much more the judge's clock may see of each call than the device's events tell."""
_GRAPH = 0.9
"""A graph must save so much to be used."""
_SHORT_US = 30.0
"""Of each step: what the host may take to ask for it. Whatever is shorter than its asking is timed as a graph."""


class Clock:
    """Times sides by rules; every draw comes from a generator that nobody else sees."""

    def __init__(
        self, rules: Rules, rng: random.Random | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.rules, self._now = rules, now
        self._rng = rng or random.SystemRandom()

    def alone(self, side: Side, *, graph: bool = False) -> Alone:
        """A side by itself: how long it takes, what the idle device is like, and whether its events tell the truth."""
        self._block(side, _CALIBRATION, graph=graph, probes=0)  # compiles, and wakes the device up
        for _ in range(_TRIES):
            empty = self._block(side, 4 * _CALIBRATION, empty=True, probes=8)[0]
            if sum(empty.probes) <= BUSY * min(empty.probes) * len(empty.probes):
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
