"""One profile out of several tools: each is asked in turn, and what one cannot say another may."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from geak_evaluator.measure.profile import amd_counters, ncu, proton, reading, rocprof, rocprof_compute
from geak_evaluator.measure.profile.tool import Collected, Lost, Replay, Runner, Unavailable, run
from geak_evaluator.schema.device import Vendor
from geak_evaluator.schema.estimate import Work
from geak_evaluator.schema.profile import METRICS, Absent, Counters, Metric, Tool, ToolReport

Choice = Literal["auto", "proton", "rocprof", "ncu"]
TIMES, SECONDS = 6, 120.0
"""How often the plan is replayed in one run of a tool, and how long such a run may take."""

_COLLECT: dict[Tool, Callable[..., Collected]] = {
    "proton": proton.collect,
    "rocprofv3": rocprof.collect,
    "rocprof-compute": rocprof_compute.collect,
    "ncu": ncu.collect,
}
_ONLY_AMD = frozenset(
    {
        *("fabric_read", "fabric_written", "scalar_busy", "matrix_operations", "stall_wait", "stall_issue"),
        *("scalar_registers", "scratch_bytes"),
    }
)
_ONLY_NVIDIA = frozenset(
    {"dram_share", "issue", "spill_bytes", "stall_memory", "stall_barrier", "stall_math", "stall_queue"}
)


@dataclass(frozen=True)
class Taken:
    """What the tools said together."""

    launches: tuple[Counters, ...]
    tools: tuple[ToolReport, ...]
    lost: str = ""
    """Why the device must be tested before it is used again."""


def of_vendor(vendor: Vendor) -> tuple[str, ...]:
    """The metrics that a vendor's counters can show."""
    without = _ONLY_NVIDIA if vendor == "amd" else _ONLY_AMD
    return tuple(name for name in METRICS if name not in without)


def asked(choice: Choice, vendor: Vendor) -> tuple[tuple[Tool, ...], ...]:
    """Which tools are asked, in order; of those in one bracket the second only where the first says nothing."""
    amd: tuple[Tool, ...] = ("rocprofv3", "rocprof-compute")
    counters: tuple[Tool, ...] = amd if vendor == "amd" else ("ncu",)
    if choice == "auto":
        return ("proton",), counters
    return {"proton": (("proton",),), "rocprof": (amd,), "ncu": (("ncu",),)}[choice]


def take(
    replay: Replay,
    works: Sequence[Work],
    *,
    vendor: Vendor,
    target: str,
    product: str = "",
    choice: Choice = "auto",
    times: int = TIMES,
    seconds: float = SECONDS,
    runner: Runner = run,
) -> Taken:
    """Counters of each launch of a plan; a tool that is missing or refused is a sentence in its report."""
    found: list[list[Metric]] = [[] for _ in replay.kernels]
    absent: list[list[Absent]] = [[] for _ in replay.kernels]
    reports: list[ToolReport] = []
    lost = ""
    for bracket in asked(choice, vendor):
        for name in bracket:
            with tempfile.TemporaryDirectory(prefix="geak-profile-", ignore_cleanup_errors=True) as folder:
                try:
                    said = _COLLECT[name](replay, target, Path(folder), times=times, seconds=seconds, runner=runner)
                except Unavailable as error:
                    reports.append(ToolReport(name, trouble=str(error)))
                    lost = lost or (str(error) if isinstance(error, Lost) else "")
                    continue
            reports.append(ToolReport(name, said.version))
            for place, values in enumerate(said.launches):
                metrics, missing = _named(said, values, target)
                known = {metric.name for metric in found[place]}
                found[place] += [metric for metric in metrics if metric.name not in known]
                absent[place] += missing
            break
    troubles = "; ".join(f"{report.tool}: {report.trouble}" for report in reports if report.trouble)
    launches = [
        _launch(place, kernel, found[place], absent[place], vendor, troubles)
        for place, kernel in enumerate(replay.kernels)
    ]
    return Taken(tuple(_read(one, target, product, works) for one in launches), tuple(reports), lost)


def _named(said: Collected, values: Mapping[str, float], target: str) -> tuple[list[Metric], list[Absent]]:
    if said.tool == "proton":
        return proton.metrics(values), []
    if said.tool == "ncu":
        return ncu.metrics(values, said.refused)
    return amd_counters.metrics(values, target, said.tool, said.refused)


def _launch(
    place: int, kernel: str, found: list[Metric], absent: list[Absent], vendor: Vendor, troubles: str
) -> Counters:
    order = {name: number for number, name in enumerate(METRICS)}
    known = {metric.name for metric in found}
    why = {one.name: one.why for one in absent if one.name not in known}
    for name in of_vendor(vendor):
        if name not in known:
            why.setdefault(name, troubles or "no tool that was asked counts it")
    return Counters(
        kernel,
        place,
        tuple(sorted(found, key=lambda metric: order[metric.name])),
        tuple(Absent(name, why[name]) for name in order if name in why),
    )


def _read(known: Counters, target: str, product: str, works: Sequence[Work]) -> Counters:
    if not known.metrics:
        return known
    work = works[known.launch] if known.launch < len(works) else None
    known = replace(known, roofline=reading.roofline(known, target, work, product))
    return replace(known, bottlenecks=reading.bottlenecks(known, target, work))
