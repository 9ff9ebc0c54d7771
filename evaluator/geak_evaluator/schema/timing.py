"""A timing: one case of a kernel measured on a device beside a baseline, with an interval; never an estimate."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable
from dataclasses import dataclass

from geak_evaluator.schema.energy import energy
from geak_evaluator.schema.spec import Case

CONFIDENCE = 0.95
"""How often an interval covers the truth, at the least (docs/measure.md says by which method)."""


class State(str, enum.Enum):
    """What a measurement came to. Only `measured` has a figure that may be quoted."""

    MEASURED = "measured"
    NOISY = "noisy"
    """The interval is too wide to say anything, after all the time there was."""
    CONTENDED = "contended"
    """Something else ran on the device, or the baseline was slower beside the candidate than alone."""
    BELOW_FLOOR = "below_floor"
    """Faster than the device can be: refused, whatever the reason."""
    TOO_BIG_HERE = "too_big_here"
    """The case does not fit the device's memory."""
    FAILED = "failed"
    """It went wrong, or what it computed while timed was wrong."""


@dataclass(frozen=True)
class Extras:
    """What is measured besides a kernel's own time, each at a price; all of it where nobody asks for less."""

    references: tuple[str, ...] = ("eager", "compile", "max-autotune", "library")
    """Which of these there may be: each is timed alone, and the kernel beside the fastest."""
    calls: bool = True
    """One call after another as their user makes them."""
    energy: bool = True
    counters: bool = True
    """What the vendor's profiler counts: a replay for each group of counters."""


EVERYTHING = Extras()


@dataclass(frozen=True)
class Interval:
    """Two bounds, between which the truth lies at CONFIDENCE."""

    low: float
    high: float


@dataclass(frozen=True)
class Conditions:
    """What the device was like while it was timed: read, never set; None where it does not tell."""

    first_mhz: float | None = None
    """The cores' clock before the first timed block."""
    last_mhz: float | None = None
    memory_mhz: float | None = None
    watts: float | None = None
    celsius: float | None = None
    """The hottest that was seen."""


@dataclass(frozen=True)
class Timing:
    """One case of one kernel on one device, beside one baseline; medians in microseconds."""

    case: Case
    device: str
    """Its product name, as its driver says it: "AMD Instinct MI300X"."""
    target: str
    """The described target that it is; a time counts for no other."""
    baseline: str = ""
    """"original", "eager", "compile", "max-autotune", "library"; nothing where there was none to beat."""
    state: State = State.MEASURED
    message: str = ""
    """Why there is no figure, or what a reader should know of it."""
    candidate_us: float = 0.0
    """One carrying out of the plan on cold caches, between two events on the device."""
    candidate: Interval | None = None
    """Where the median of that lies."""
    baseline_us: float = 0.0
    ratio: float = 0.0
    """Baseline over candidate, from pairs of neighbouring blocks: above 1 the candidate is faster."""
    interval: Interval | None = None
    """Where the ratio lies."""
    warm_us: float = 0.0
    """The same on caches that have just held all of it; 0 where not measured."""
    baseline_warm_us: float = 0.0
    call_us: float = 0.0
    """The call as its user makes it, wrapper and launches, by the judge's own clock; 0 where not measured."""
    baseline_call_us: float = 0.0
    sol_us: float = 0.0
    """The speed-of-light bound of its own counted traffic and operations on this device: estimated; 0 if unknown."""
    launched: str = "stream"
    """"stream": step by step; "graph": both sides recorded once and replayed, where launching would hide all else."""
    configuration: str = ""
    """Of an autotuned kernel: the one that won before the clock."""
    baseline_configuration: str = ""
    """The same of an original that is autotuned: it is timed at its best as well."""
    blocks: int = 0
    """Timed blocks of each side that count."""
    calls: int = 0
    """Timed calls of the candidate in them."""
    checked: int = 0
    """How many of the candidate's timed calls had their outputs compared; none of them was wrong."""
    conditions: Conditions = Conditions()
    joules: float | None = None
    """Of one call of the candidate, measured over many without a pause; the whole board's, where a sensor tells."""
    baseline_joules: float | None = None

    @property
    def counts(self) -> bool:
        """Whether its ratio may be quoted."""
        return self.state is State.MEASURED and self.interval is not None

    @property
    def surely_faster(self) -> bool:
        """Whether the whole interval lies above 1."""
        return self.counts and self.interval is not None and self.interval.low > 1

    @property
    def share(self) -> float:
        """Of the speed of light, by the slow end of the interval; 0 where either is unknown."""
        if self.state is not State.MEASURED or not self.sol_us:
            return 0.0
        return self.sol_us / (self.candidate.high if self.candidate else self.candidate_us)

    @property
    def brief(self) -> str:
        """The timing as a person reads it."""
        if self.state is not State.MEASURED:
            why = f": {self.message}" if self.message else ""
            return f"{self.device}: {WORDS[self.state]}{why} [{self.case}]"
        line = f"{self.device} measured {time(self.candidate_us)}"
        if self.interval is not None:
            line = (
                f"{_ratio(self.ratio, self.interval)} over {named(self.baseline)}, measured on {self.device}: "
                f"{time(self.candidate_us)} against {time(self.baseline_us)}"
            )
        if self.warm_us:
            line += f", warm {time(self.warm_us)}"
        if self.call_us:
            line += f", called {time(self.call_us)}"
        if self.joules is not None:
            line += f", {energy(self.joules)} a call"
        if self.sol_us > self.candidate_us / 100:
            line += f", {self.sol_us / self.candidate_us:.0%} of the estimated speed of light"
        return f"{line} [{self.case}]"


WORDS = {
    State.MEASURED: "measured",
    State.NOISY: "too noisy to say",
    State.CONTENDED: "the device was in use by something else",
    State.BELOW_FLOOR: "refused: faster than the device can be",
    State.TOO_BIG_HERE: "too big for its memory",
    State.FAILED: "not measured",
}


@dataclass(frozen=True)
class Speedup:
    """All bench cases of a kernel over one baseline: the weighted geometric mean, and the worst case."""

    baseline: str
    device: str
    ratio: float
    interval: Interval
    worst: float
    """The smallest ratio of any case."""
    worst_case: Case
    cases: int

    @property
    def surely_faster(self) -> bool:
        """Whether the whole interval lies above 1."""
        return self.interval.low > 1

    @property
    def brief(self) -> str:
        """As a verdict's first line says it."""
        several = f", worst case {self.worst:.2f}x" if self.cases > 1 else ""
        return (
            f"{_ratio(self.ratio, self.interval)} over {named(self.baseline)}, measured on {self.device}"
            f"{f', {self.cases} cases' if self.cases > 1 else ''}{several}"
        )


def speedup(timings: Iterable[Timing], *, baseline: str = "") -> Speedup | None:
    """What measurements say together; None where one of them has no figure: a mean over the lucky ones is no figure.

    Of several baselines it is the one that is hardest to beat, unless one is named.
    """
    timings = tuple(timings)
    if any(not one.baseline and one.state is not State.MEASURED for one in timings):
        return None  # that case did not come as far as having one
    every = [one for one in timings if one.baseline and (not baseline or one.baseline == baseline)]
    by_name = {one.baseline: [o for o in every if o.baseline == one.baseline] for one in every}
    found = [_together(name, group) for name, group in by_name.items()]
    known = [one for one in found if one is not None]
    if len(known) < len(found):
        return None
    return min(known, key=lambda one: one.ratio, default=None)


def share_of_light(timings: Iterable[Timing]) -> float:
    """Of the speed of light, the weighted geometric mean over all cases, by the slow ends; 0 where one is unknown."""
    by_case: dict[str, Timing] = {}
    for one in timings:  # beside another baseline it was measured again: the slower word counts
        known = by_case.get(str(one.case))
        if known is None or one.share < known.share:
            by_case[str(one.case)] = one
    found = list(by_case.values())
    if not found or not all(one.share > 0 for one in found):
        return 0.0
    total = sum(one.case.weight for one in found)
    return math.exp(sum(one.case.weight * math.log(one.share) for one in found) / total)


def _together(baseline: str, timings: list[Timing]) -> Speedup | None:
    total = sum(one.case.weight for one in timings)
    center = low = high = 0.0
    for one in timings:
        if not one.counts or one.interval is None:
            return None
        share = one.case.weight / total
        middle = math.log(one.ratio)
        center += share * middle
        # Cases are measured one after another and err on their own.
        low += (share * (middle - math.log(one.interval.low))) ** 2
        high += (share * (math.log(one.interval.high) - middle)) ** 2
    worst = min(timings, key=lambda one: one.ratio)
    bounds = Interval(math.exp(center - math.sqrt(low)), math.exp(center + math.sqrt(high)))
    return Speedup(baseline, worst.device, math.exp(center), bounds, worst.ratio, worst.case, len(timings))


def named(baseline: str) -> str:
    """A baseline as a person calls it."""
    return {
        "original": "the original",
        "eager": "eager torch",
        "compile": "torch.compile",
        "max-autotune": "torch.compile max-autotune",
        "library": "the library's call",
    }.get(baseline, baseline)


def time(us: float) -> str:
    """Microseconds as a person reads them."""
    if us >= 1e6:
        return f"{us / 1e6:.3g} s"
    return f"{us / 1000:.3g} ms" if us >= 1000 else f"{us:.3g} us"


def _ratio(ratio: float, interval: Interval) -> str:
    return f"{ratio:.2f}x ({interval.low:.2f} to {interval.high:.2f})"
