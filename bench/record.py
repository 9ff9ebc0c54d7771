"""What every benchmark here keeps beside its figures, and how a person reads them."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from geak_evaluator import __version__

RESULTS = Path(__file__).parent / "results"

Figures = dict[str, float]
Targets = Mapping[str, tuple[str, float]]


def facts() -> dict[str, Any]:
    """The machine and what is installed on it."""
    return {
        "date": now(),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        **{name: _version(name) for name in ("torch", "triton", "numpy")},
        "geak": __version__,
    }


def now() -> str:
    """The hour, as records say it."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def revision() -> str:
    """The commit that this is a checkout of; empty where git does not say."""
    asked = ("git", "-C", str(Path(__file__).parent), "rev-parse", "--short=9", "HEAD")
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


def missed(figures: Figures, targets: Targets) -> list[str]:
    """The targets that were not met, of those that could be measured."""
    bad = {"<": lambda a, b: a >= b, "<=": lambda a, b: a > b, ">=": lambda a, b: a < b}
    return [name for name, (sign, bound) in targets.items() if name in figures and bad[sign](figures[name], bound)]


def table(figures: Figures, known: dict[str, Any], targets: Targets, what: str) -> str:
    """The figures as a person reads them."""
    machine = f"{known['cpu']}, {known['cores']} cores, Linux {known['kernel']}, load {known['load_after'][0]:.1f}"
    software = ", ".join(f"{name} {known[name]}" for name in ("python", "torch", "triton"))
    lines = [machine, f"{software}; sandbox {known['sandbox']}; {what}", ""]
    wrong = missed(figures, targets)
    for name, value in figures.items():
        sign, bound = targets.get(name, ("", 0.0))
        verdict = f"{sign} {bound:g}  {'MISSED' if name in wrong else 'met'}" if sign else ""
        lines.append(f"{name:<26}{value:>12.2f}   {verdict}".rstrip())
    return "\n".join(lines)


def options(doc: str | None, quick: str) -> argparse.Namespace:
    """The options that every benchmark has."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--write", action="store_true", help="keep the JSON in bench/results/")
    chosen = parser.parse_args()
    if chosen.quick and chosen.write:
        parser.error("--write keeps full runs only")
    return chosen


def report(
    name: str, figures: Figures, known: dict[str, Any], targets: Targets, what: str, chosen: argparse.Namespace
) -> None:
    """Keeps the record where that is asked for, and prints it."""
    record = {"figures": figures, "missed": missed(figures, targets), **known}
    if chosen.write:
        path = RESULTS / f"{name}-{known['date'][:10]}.json"
        path.write_text(json.dumps(record, indent=2) + "\n")
        print(f"wrote {path}", file=sys.stderr)
    print(json.dumps(record) if chosen.json else table(figures, known, targets, what))


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
