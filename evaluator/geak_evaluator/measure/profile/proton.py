"""Proton, Triton's own profiler: it serves both vendors and asks for no permission, and it knows durations alone.

The replay starts it in its own process, with a scope around each launch of the plan; its file is a tree in JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from geak_evaluator.measure.profile.tool import (
    Collected,
    Replay,
    Runner,
    Unavailable,
    name_of,
    read,
    refusal,
    run,
)
from geak_evaluator.schema.profile import Metric, Tool

NAME: Tool = "proton"
SCOPE = "launch-"
"""A scope's name, before the number of the plan's launch."""
WRITTEN = "proton.hatchet"
_TIME = re.compile(r"time \((ns|us|ms|s)\)")
_US = {"ns": 1e-3, "us": 1.0, "ms": 1e3, "s": 1e6}


def collect(
    replay: Replay, target: str, folder: Path, *, times: int, seconds: float, runner: Runner = run
) -> Collected:
    """How long each launch of a plan took on the average; Unavailable where nothing is known."""
    ran = runner(replay.command(times, proton=folder / "proton"), folder, replay.environment, seconds)
    text = read(folder / WRITTEN)
    if ran.code or not text:
        raise refusal(ran, NAME)
    launches = launches_of(text, replay.kernels)
    version = re.search(r"^triton (\S+)$", ran.out, re.MULTILINE)
    return Collected(NAME, f"of triton {version[1]}" if version else "", tuple(launches))


def launches_of(text: str, kernels: Sequence[str]) -> list[dict[str, float]]:
    """The tree: below each of our scopes the kernels that ran in it, with their number and their time together."""
    try:
        roots = json.loads(text)
        found: list[dict[str, float]] = [{} for _ in kernels]
        for place, node in _scopes(roots):
            if place >= len(found) or name_of(node["frame"]["name"]) != kernels[place]:
                continue
            for key, value in node["metrics"].items():
                if (match := _TIME.match(key)) and node["metrics"].get("count"):
                    found[place]["duration"] = float(value) * _US[match[1]] / float(node["metrics"]["count"])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise Unavailable(f"the file of {NAME} cannot be read: {error}") from None
    if lost := [kernels[place] for place, values in enumerate(found) if not values]:
        raise Unavailable(f"{NAME} saw nothing of kernel {lost[0]}: what ran is not the plan")
    return found


def _scopes(nodes: Any, place: int | None = None) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Every frame inside one of our scopes, with the scope's number; the last root is about devices, not a frame."""
    for node in nodes:
        if "frame" not in node:
            continue
        name = node["frame"]["name"]
        inside = int(name.removeprefix(SCOPE)) if re.fullmatch(f"{SCOPE}\\d+", name) else place
        if place is not None:
            yield place, node
        yield from _scopes(node.get("children", ()), inside)


def metrics(values: Mapping[str, float]) -> list[Metric]:
    """What Proton knows of one launch."""
    return [Metric("duration", values["duration"], "us", NAME, "time / count")] if "duration" in values else []
