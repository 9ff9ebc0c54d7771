"""rocprof-compute (once Omniperf): it runs the replay as often as its counters need, and its table of counters is read.

Its analysis is not: it would average over launches, and its panels are formulas over these very counters.
"""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from geak_evaluator.measure.profile.tool import (
    Collected,
    Replay,
    Row,
    Runner,
    Unavailable,
    aligned,
    program,
    read,
    refusal,
    run,
)
from geak_evaluator.schema.profile import Tool

NAME: Tool = "rocprof-compute"
_PLACES = ("/opt/rocm/bin",)
_COLUMNS = {
    "Arch_VGPR": "VGPR_Count",
    "Accum_VGPR": "Accum_VGPR_Count",
    "SGPR": "SGPR_Count",
    "LDS_Per_Workgroup": "LDS_Block_Size",
    "Scratch_Per_Workitem": "Scratch_Size",
}
_CHANNEL = re.compile(r"(\w+)\[\d+\]")
_REPEATED = re.compile(r"_\d+$")


def collect(
    replay: Replay, target: str, folder: Path, *, times: int, seconds: float, runner: Runner = run
) -> Collected:
    """What rocprof-compute counts of each launch of a plan; Unavailable where it counts nothing."""
    path = program(NAME, *_PLACES)
    place = folder / "workload"
    asked = ["profile", "-n", "geak", "-p", str(place), "--no-roof"]
    argv = [path, *asked, "--", *replay.command(times, report=folder)]  # the place itself is the tool's to make
    ran = runner(argv, folder, replay.environment, seconds)
    reports = sorted(place.glob("**/pmc_perf.csv"))
    rows = [row for report in reports[:1] for row in rows_of_csv(read(report))]
    if not rows:
        raise refusal(ran, NAME)
    version = re.search(r"version:?\s+v?(\d[\w.]*)", ran.said)
    return Collected(NAME, version[1] if version else "", tuple(aligned(rows, replay.kernels, NAME)))


def rows_of_csv(text: str) -> list[Row]:
    """`pmc_perf.csv`: a line for each dispatch, a column for each counter; channels of one counter are added up."""
    found: list[tuple[int, Row]] = []
    try:
        for line in csv.DictReader(io.StringIO(text)):
            values: dict[str, float] = {}
            channels: dict[str, float] = {}
            for column, cell in line.items():
                if not cell or column in ("Kernel_Name", "Dispatch_ID"):
                    continue
                if channel := _CHANNEL.fullmatch(column):
                    channels[channel[1]] = channels.get(channel[1], 0.0) + float(cell)
                elif not (_REPEATED.search(column) and _REPEATED.sub("", column) in line):
                    values[_COLUMNS.get(column, column)] = float(cell)
            for name, value in channels.items():
                values.setdefault(f"{name}_sum", value)
            if "Start_Timestamp" in values and "End_Timestamp" in values:
                values["duration"] = (int(line["End_Timestamp"]) - int(line["Start_Timestamp"])) / 1e3
            found.append((int(line["Dispatch_ID"]), Row(line["Kernel_Name"], values)))
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise Unavailable(f"a report of {NAME} cannot be read: {error}") from None
    return [row for _, row in sorted(found, key=lambda pair: pair[0])]
