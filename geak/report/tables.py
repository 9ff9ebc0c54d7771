"""What is known of one kernel in figures, a table each: compiled, estimated, measured."""

from __future__ import annotations

from dataclasses import dataclass

from geak.population import Candidate
from geak.words import flat
from geak_evaluator.schema.machine_code import Figures
from geak_evaluator.schema.timing import WORDS, State, named, speedup, time
from geak_evaluator.schema.verdict import Verdict


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


def speed(candidate: Candidate | None) -> tuple[str, str, str]:
    """How fast it is: a name, a value, a remark."""
    found = None if candidate is None else speedup(candidate.timings)
    if found is None:
        timed = candidate is not None and candidate.timings
        return ("Speed", "not measured", "no figure of it may be quoted" if timed else "no device timed it")
    ends = f"{found.interval.low:.2f} to {found.interval.high:.2f}"
    return ("Speed, measured", f"{found.ratio:.2f}x", f"{ends} over {named(found.baseline)}, {flat(found.device)}")


def times(candidate: Candidate | None) -> tuple[TimeRow, ...]:
    """A row for each case and baseline that it was timed beside."""
    rows = []
    for one in candidate.timings if candidate is not None else ():
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


def figures(verdict: Verdict | None) -> tuple[FigureRow, ...]:
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


def estimates(verdict: Verdict | None) -> tuple[tuple[str, str, str, str], ...]:
    """Target, case, time and what bounds it, of each case that was estimated."""
    rows = []
    for one in verdict.estimates if verdict is not None else ():
        took = one.trouble or f"{one.us:.3g} us ({one.low:.3g} to {one.high:.3g})"
        rows.append((one.target, flat(str(one.case)), flat(took), "" if one.trouble else one.bound))
    return tuple(rows)
