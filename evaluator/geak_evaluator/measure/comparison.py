"""Two sides timed in turn on one device, until an interval is narrow enough or the time is up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from geak_evaluator.measure.clock import BUSY, Clock
from geak_evaluator.measure.rules import Alone, Outcome, Side, Unmeasured
from geak_evaluator.measure.statistics import LOOKS, center, median, median_interval, signed_ranks
from geak_evaluator.schema.measuring import Timed
from geak_evaluator.schema.timing import Conditions, Interval, State

_LEAST_CALLS = 5
_BLOCK_US = 4000.0
"""What the timed work of a block should come to."""
_WARM_BLOCKS = 3
_TAINTED = 1 / 3
"""So many rounds may be put aside, a known kernel being slow in them, before the device counts as in use."""
_SLOWED = 1.15
"""The baseline took so much longer beside the candidate than alone."""
_UNSEEN, _REMEMBERED, _REMEMBERED_US = 4, 1.3, 5.0
"""First calls on new values, and how much longer the quickest of them may take than the others."""
_KEEPS = "it keeps results, or its time hangs on more than what kind of values they are"


def compare(
    clock: Clock, candidate: Side, baseline: Side | None, solo: Sequence[Alone], *, graph: bool = False
) -> Outcome:
    """Candidate and baseline in turn; without one the candidate alone, and then there is no ratio."""
    return _Comparison(clock, candidate, baseline, solo, graph=graph).run()


class _Comparison:
    def __init__(
        self,
        clock: Clock,
        candidate: Side,
        baseline: Side | None,
        solo: Sequence[Alone],
        *,
        graph: bool,
    ) -> None:
        self._clock, self._rules, self._graph = clock, clock.rules, graph
        self._sides: dict[str, Side] = {"C": candidate} | ({"B": baseline} if baseline is not None else {})
        self._solo = dict(zip(self._sides, solo, strict=True))
        self._calls = {name: _calls(alone.us, self._rules.most_calls) for name, alone in self._solo.items()}
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
        return bool(timed.probes) and sum(timed.probes) / len(timed.probes) > BUSY * slower * alone.probe

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
        text = f"in {self._tainted} of {self._taken} rounds a known kernel took over {BUSY} times as long as alone"
        return Outcome(State.CONTENDED, text)


def _calls(us: float, most: int) -> int:
    return min(most, max(_LEAST_CALLS, math.ceil(_BLOCK_US / max(us, 1.0))))


def _half(found: Outcome) -> float:
    """Half the interval that counts, relative to its middle."""
    bounds, middle = (found.interval, found.ratio) if found.ratio else (found.candidate, found.candidate_us)
    if bounds is None or middle <= 0:
        return math.inf
    return (bounds.high - bounds.low) / 2 / middle
