"""rocprofv3 of ROCm 6.2 and later: a run for each group of counters, and its CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from geak_evaluator.measure.profile import amd_counters
from geak_evaluator.measure.profile.tool import (
    Collected,
    Lost,
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

NAME: Tool = "rocprofv3"
_PLACES = ("/opt/rocm/bin",)
_COLUMNS = ("VGPR_Count", "Accum_VGPR_Count", "SGPR_Count", "LDS_Block_Size", "Scratch_Size")


def collect(
    replay: Replay, target: str, folder: Path, *, times: int, seconds: float, runner: Runner = run
) -> Collected:
    """What rocprofv3 counts of each launch of a plan; Unavailable where it counts nothing."""
    path = program(NAME, *_PLACES)
    version = _version(path, folder, replay.environment, runner)
    launches: list[dict[str, float]] = [{} for _ in replay.kernels]
    refused: dict[str, str] = {}
    trouble = ""
    for number, names in enumerate(amd_counters.groups(target)):
        place = folder / f"group{number}"
        place.mkdir()
        try:
            found = _group(path, replay, place, names, times, seconds, runner)
        except Lost:
            raise
        except Unavailable as error:  # of one group: the others are asked all the same
            trouble = trouble or str(error)
            refused |= {name: str(error) for name in names if name not in refused}
            continue
        for launch, values in zip(launches, found, strict=True):
            # The first group's duration: the others count other things at the same time.
            launch.update({name: value for name, value in values.items() if name not in launch})
    if not any(launches):
        raise Unavailable(trouble or f"{NAME} counted nothing")
    known = {name for launch in launches for name in launch}
    return Collected(NAME, version, tuple(launches), {n: why for n, why in refused.items() if n not in known})


def _group(
    path: str, replay: Replay, folder: Path, names: Iterable[str], times: int, seconds: float, runner: Runner
) -> list[dict[str, float]]:
    asked = ["--pmc", *names, "--output-format", "csv", "-d", str(folder), "-o", "geak"]
    ran = runner([path, *asked, "--", *replay.command(times, report=folder)], folder, replay.environment, seconds)
    reports = sorted(folder.glob("**/*counter_collection.csv"))
    rows = [row for report in reports for row in rows_of_csv(read(report))]
    if not rows:
        for report in sorted(folder.glob("**/*results.json")):
            rows += rows_of_json(read(report))
    if not rows:
        raise refusal(ran, NAME)
    return aligned(rows, replay.kernels, NAME)


def rows_of_csv(text: str) -> list[Row]:
    """`*_counter_collection.csv`: a line for each dispatch and counter; versions differ in their other columns."""
    found: dict[tuple[int, int], tuple[str, dict[str, float]]] = {}
    csv.field_size_limit(min(sys.maxsize, 1 << 20))
    try:
        for line in csv.DictReader(io.StringIO(text)):
            key = (int(line["Process_Id"]), int(line["Dispatch_Id"]))
            values = found.setdefault(key, (line["Kernel_Name"], {}))[1]
            counter = line["Counter_Name"]
            values[counter] = values.get(counter, 0.0) + float(line["Counter_Value"])
            values.update({name: float(line[name]) for name in _COLUMNS if line.get(name)})
            if line.get("Start_Timestamp") and line.get("End_Timestamp"):
                values["duration"] = (int(line["End_Timestamp"]) - int(line["Start_Timestamp"])) / 1e3
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise Unavailable(f"a report of {NAME} cannot be read: {error}") from None
    return [Row(kernel, values) for _, (kernel, values) in sorted(found.items())]


def rows_of_json(text: str) -> list[Row]:
    """`*_results.json`: dispatches with counters by number, kernels and counters named apart."""
    try:
        tools = json.loads(text)["rocprofiler-sdk-tool"]
        return [row for tool in tools for row in _rows(tool)]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise Unavailable(f"a report of {NAME} cannot be read: {error}") from None


def _rows(tool: Mapping[str, Any]) -> Iterator[Row]:
    counters = {one["id"]["handle"]: one["name"] for one in tool["counters"]}
    kernels = {one["kernel_id"]: one["formatted_kernel_name"] for one in tool["kernel_symbols"]}
    took = {}
    for record in tool.get("buffer_records", {}).get("kernel_dispatch", ()):
        number = record["dispatch_info"]["dispatch_id"]
        took[number] = (record["end_timestamp"] - record["start_timestamp"]) / 1e3
    records = tool["callback_records"]["counter_collection"]
    for record in sorted(records, key=lambda one: one["dispatch_data"]["dispatch_info"]["dispatch_id"]):
        info = record["dispatch_data"]["dispatch_info"]
        values: dict[str, float] = {}
        for one in record["records"]:
            name = counters[one["counter_id"]["handle"]]
            values[name] = values.get(name, 0.0) + float(one["value"])
        for name, key in (
            ("VGPR_Count", "arch_vgpr_count"),
            ("Accum_VGPR_Count", "accum_vgpr_count"),
            ("SGPR_Count", "sgpr_count"),
            ("LDS_Block_Size", "lds_block_size_v"),
        ):
            if key in record:
                values[name] = float(record[key])
        values["Scratch_Size"] = float(info["private_segment_size"])
        data = record["dispatch_data"]
        if "start_timestamp" in data and "end_timestamp" in data:
            values["duration"] = (data["end_timestamp"] - data["start_timestamp"]) / 1e3
        elif info["dispatch_id"] in took:
            values["duration"] = took[info["dispatch_id"]]
        yield Row(kernels[info["kernel_id"]], values)


def _version(path: str, folder: Path, environment: Mapping[str, str], runner: Runner) -> str:
    try:
        said = runner([path, "--version"], folder, environment, 20).said
    except Unavailable:
        return ""
    found = re.search(r"version:?\s+([\w.]+)", said) or re.search(r"\b(\d+\.\d+\.\d+)\b", said)
    return found[1] if found else ""
