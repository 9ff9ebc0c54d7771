"""Nsight Compute: one run under `ncu --csv --page raw`, whose table has a column for each metric and a row of units."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from geak_evaluator.measure.profile.tool import (
    Collected,
    Replay,
    Row,
    Runner,
    Unavailable,
    aligned,
    program,
    refusal,
    run,
)
from geak_evaluator.schema.profile import METRICS, Absent, Metric, Tool

NAME: Tool = "ncu"
_PLACES = ("/usr/local/cuda/bin", "/opt/nvidia/nsight-compute")

_STALLS = {
    "stall_memory": "long_scoreboard",
    "stall_lds": "short_scoreboard",
    "stall_barrier": "barrier",
    "stall_math": "math_pipe_throttle",
    "stall_queue": "lg_throttle",
}
ONE: dict[str, str] = {
    "duration": "gpu__time_duration.sum",
    "dram_read": "dram__bytes_read.sum",
    "dram_written": "dram__bytes_write.sum",
    "dram_share": "dram__throughput.avg.pct_of_peak_sustained_elapsed",
    "l2_bytes": "lts__t_bytes.sum",
    "l2_hit": "lts__t_sector_hit_rate.pct",
    "l1_hit": "l1tex__t_sector_hit_rate.pct",
    "coalescing": "smsp__sass_average_data_bytes_per_sector_mem_global_op_ld.pct",
    "occupancy": "sm__warps_active.avg.pct_of_peak_sustained_active",
    "waves": "smsp__warps_launched.sum",
    "instructions": "smsp__inst_executed.sum",
    "issue": "smsp__issue_active.avg.pct_of_peak_sustained_active",
    "lanes": "smsp__thread_inst_executed_per_inst_executed.pct",
    "vector_busy": "sm__inst_executed_pipe_fma.avg.pct_of_peak_sustained_active",
    "matrix_busy": "sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_active",
    "memory_busy": "sm__inst_executed_pipe_lsu.avg.pct_of_peak_sustained_active",
    **{name: f"smsp__warp_issue_stalled_{cause}_per_warp_active.pct" for name, cause in _STALLS.items()},
    "registers": "launch__registers_per_thread",
    "lds_bytes": "launch__shared_mem_per_block",
}
"""Metrics that are one of its own."""
CONFLICTS = (
    "l1tex__data_bank_conflicts_pipe_lsu_mem_shared.sum",
    "l1tex__data_pipe_lsu_wavefronts_mem_shared.sum",
)
SPILLS = ("l1tex__t_bytes_pipe_lsu_mem_local_op_ld.sum", "l1tex__t_bytes_pipe_lsu_mem_local_op_st.sum")
ALL = (*ONE.values(), *CONFLICTS, *SPILLS)

_SCALES = {
    **dict.fromkeys(("ns", "nsecond"), 1e-3),
    **dict.fromkeys(("ms", "msecond"), 1e3),
    **dict.fromkeys(("s", "second"), 1e6),
    **dict.fromkeys(("Kbyte", "Kbyte/block"), 1e3),
    "Mbyte": 1e6,
    "Gbyte": 1e9,
}
"""Units that `--print-units base` does not spare, as multiples of ours."""
_UNFOUND = re.compile(r"Failed to find metric (?:regex:)?\^?\(?(\S+?)[)\s$]*$", re.MULTILINE)


def collect(
    replay: Replay, target: str, folder: Path, *, times: int, seconds: float, runner: Runner = run
) -> Collected:
    """What ncu counts of each launch of a plan; Unavailable where it counts nothing."""
    path = program(NAME, *_PLACES)
    refused: dict[str, str] = {}
    names = list(ALL)
    for _ in range(2):
        ran = runner(_argv(path, names, replay, times), folder, replay.environment, seconds)
        unknown = [name for name in _UNFOUND.findall(ran.said) if name in names]
        if not unknown:
            break
        refused |= dict.fromkeys(unknown, "ncu knows no such metric on this device")
        names = [name for name in names if name not in unknown]
    rows = rows_of_csv(ran.out)
    if not rows:
        raise refusal(ran, NAME)
    launches = aligned(rows, replay.kernels, NAME)
    return Collected(NAME, _version(path, folder, replay.environment, runner), tuple(launches), refused)


def _argv(path: str, names: Sequence[str], replay: Replay, times: int) -> list[str]:
    kernels = "|".join(dict.fromkeys(replay.kernels))
    return [
        *(path, "--csv", "--page", "raw", "--print-units", "base", "--metrics", ",".join(names)),
        *("--kernel-name-base", "function", "--kernel-name", f"regex:^({kernels})$"),
        # Clocks are left as they are: what is shown beside a time must be of the clocks of that time.
        *("--target-processes", "all", "--clock-control", "none", "--config-file", "off"),
        *replay.command(times),
    ]


def rows_of_csv(text: str) -> list[Row]:
    """The raw page: lines of ncu's own, a line of names, a line of units, a line for each launch."""
    lines = text.splitlines()
    begin = next((number for number, line in enumerate(lines) if line.startswith('"ID",')), None)
    if begin is None:
        return []
    body = [line for line in lines[begin:] if line.startswith('"')]
    try:
        table = list(csv.reader(io.StringIO("\n".join(body))))
    except csv.Error as error:
        raise Unavailable(f"the table of {NAME} cannot be read: {error}") from None
    names, *rest = table
    units = dict(zip(names, rest.pop(0), strict=False)) if rest and not rest[0][0] else {}
    found = []
    for line in rest:
        cells = dict(zip(names, line, strict=False))
        values = {n: v for n in names if n in ALL and (v := _number(cells.get(n, ""), units.get(n, ""))) is not None}
        found.append(Row(cells.get("Kernel Name", ""), values))
    return found


def _number(cell: str, unit: str) -> float | None:
    """A figure in our unit; None for "n/a" and for what is no number."""
    try:
        value = float(cell.replace(",", ""))
    except ValueError:
        return None
    return value * _SCALES.get(unit, 1.0)


def metrics(values: Mapping[str, float], why: Mapping[str, str]) -> tuple[list[Metric], list[Absent]]:
    """Metrics from what ncu counted of one launch."""
    found: list[Metric] = []
    absent: list[Absent] = []

    def take(name: str, counters: tuple[str, ...], value: float | None) -> None:
        missing = next((counter for counter in counters if counter not in values), None)
        if missing is not None:
            absent.append(Absent(name, why.get(missing, f"ncu gave no number for {missing}")))
        elif value is None:
            absent.append(Absent(name, f"{counters[-1]} was 0"))
        else:
            found.append(Metric(name, value, METRICS[name].unit, NAME, ", ".join(counters)))

    for name, counter in ONE.items():
        take(name, (counter,), values.get(counter, 0.0))
    lost, all_of = (values.get(counter, 0.0) for counter in CONFLICTS)
    take("lds_conflicts", CONFLICTS, lost / (all_of - lost) if all_of > lost else 0.0 if not lost else None)
    take("spill_bytes", SPILLS, sum(values.get(counter, 0.0) for counter in SPILLS))
    return found, absent


def _version(path: str, folder: Path, environment: Mapping[str, str], runner: Runner) -> str:
    try:
        said = runner([path, "--version"], folder, environment, 20).said
    except Unavailable:
        return ""
    found = re.search(r"Version\s+(\d[\w.]*)", said)
    return found[1] if found else ""
