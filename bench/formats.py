"""Benchmarks' checkouts as tasks: what is recognised, what can run here, and whose references run.

    python bench/formats.py CHECKOUT... [--only TEXT] [--every N] [--elements N] [--keep FOLDER] [--jobs N]
                            [--minutes M] [--quick] [--json] [--write]

Each CHECKOUT is a folder that `geak specs list` takes; of one that is kept by git its commit is written down. Every
task that can run here is made a spec, and its reference is run on the spec's cases and on sizes drawn from its domain,
in the judge's sandbox (`geak.formats.registry.prepared`, which `geak generate PATH::TASK` goes through as well).

* `listing_1000_s`       a made checkout of 1,000 tasks, listed for the first time (the goal: under 5)
* `listed`, `listing_s`  tasks by their files' names, and how long that took; nothing is run
* `runnable`             those that this machine has everything for
* `run`, `references`    those that were prepared, and those of them whose reference runs
* `as_called`            of these, modules whose kernel file is given all that the benchmark's own harness gives a
                         constructor: no argument of it is settled in the spec
* `native_sizes`         of these, specs whose bench is the benchmark's own size
* `single_shape`         of these, tasks whose reference accepts no other size
* `soft`                 of these, tasks that an answer without work would pass

Of every other task the record names the cause.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import record

from geak.errors import GeakError
from geak.formats import registry
from geak.formats.base import Listed, Scale
from geak.formats.files import identifier
from geak.judge_process import command
from geak.judges import Judges
from geak.settings import ELEMENTS

QUICK = 40
_SETTLES = re.compile(r"^class Reference\(Model\):\n    def __init__", re.M)
"""How a drafted spec says what its kernels' constructors are not given."""
DONE = "done.jsonl"
Record = dict[str, Any]


async def examine(there: registry.Checkout, listed: Listed, folder: Path, judges: Judges, scale: Scale) -> Record:
    """What became of one task."""
    try:
        task = await there.format(listed).task(listed, folder, judges, scale)
        about = await judges.describe(task.spec)
    except GeakError as error:
        why = str(error).replace(f"{there.root}/", "")  # where a checkout lies is no matter of its benchmark's
        return {"outcome": type(error).__name__, "why": why}
    return {
        "outcome": "runs",
        "cases": len(about.spec.cases),
        "bench": len(about.spec.bench),
        "contract": about.spec.contract,
        "as_called": about.spec.contract == "module" and not _SETTLES.search(task.spec.read_text("utf-8")),
        "oracle": about.spec.oracle,
        "single_shape": task.single_shape,
        "soft": task.soft,
        "findings": sorted({one.rule for one in task.findings.findings}) if task.findings else [],
    }


async def run(there: registry.Checkout, chosen: argparse.Namespace, folder: Path) -> dict[str, Record]:
    """The record of each task that can run here, by so many judges at a time."""
    done = folder / DONE
    records: dict[str, Record] = dict(map(json.loads, done.read_text().splitlines())) if done.exists() else {}
    tasks = [t for t in there.tasks if not registry.why_not(t) and chosen.only in t.name]
    todo = iter([t for t in tasks[:: QUICK if chosen.quick else chosen.every] if t.name not in records])
    ends = time.monotonic() + 60 * chosen.minutes

    async def work(judges: Judges) -> None:
        for listed in todo:
            if time.monotonic() > ends:
                return
            started = time.perf_counter()
            place = folder / identifier(listed.name)
            place.mkdir(exist_ok=True)
            told = await examine(there, listed, place, judges, Scale(chosen.elements))
            told["seconds"] = round(time.perf_counter() - started, 1)
            records[listed.name] = told
            with done.open("a") as file:
                file.write(json.dumps([listed.name, told]) + "\n")
            words = " ".join(str(told.get("why", "")).split())[:200]
            print(f"{len(records):>4} {listed.name}: {told['outcome']} {told['seconds']} s {words}", file=sys.stderr)

    async with Judges([command()] * chosen.jobs) as judges:
        await asyncio.gather(*(work(judges) for _ in range(chosen.jobs)))
    return records


def figures(there: registry.Checkout, seconds: float, found: dict[str, Record]) -> record.Figures:
    """Every count by its name."""
    runs = [one for one in found.values() if one["outcome"] == "runs"]
    return {
        "listed": float(len(there.tasks)),
        "listing_s": round(seconds, 3),
        "runnable": float(sum(not registry.why_not(task) for task in there.tasks)),
        "run": float(len(found)),
        "references": float(len(runs)),
        "as_called": float(sum(one["as_called"] for one in runs)),
        "native_sizes": float(sum(one["bench"] > 0 for one in runs)),
        "single_shape": float(sum(one["single_shape"] for one in runs)),
        "soft": float(sum(bool(one["soft"]) for one in runs)),
    }


def causes(found: dict[str, Record]) -> dict[str, list[str]]:
    """The names of those whose reference did not run, by why; what differs in names and numbers alone is one cause."""
    by_cause: dict[str, list[str]] = defaultdict(list)
    for name, told in found.items():
        if told["outcome"] != "runs":
            plain = re.sub(r"\S*/\S+", "", " ".join(told["why"].replace(name, "").split()))
            by_cause[f"{told['outcome']}: {re.sub(r'[0-9]+', 'N', plain)[:160]}"].append(name)
    return dict(sorted(by_cause.items(), key=lambda item: -len(item[1])))


def thousand() -> float:
    """Seconds to list a checkout of 1,000 tasks that nobody has looked at before."""
    with tempfile.TemporaryDirectory(prefix="geak-formats-") as place:
        for number in range(1, 1001):
            level = Path(place) / f"KernelBench/level{number % 4 + 1}"
            level.mkdir(parents=True, exist_ok=True)
            (level / f"{number}_Task.py").write_text(_TASK)
        started = time.perf_counter()
        assert len(registry.checkout(place).tasks) == 1000
        return time.perf_counter() - started


_TASK = "import torch\n\n\nclass Model(torch.nn.Module):\n    pass\n\n\ndef get_inputs():\n    return []\n" * 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path, nargs="+")
    parser.add_argument("--only", default="", help="tasks whose names hold this text")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="each Nth task")
    parser.add_argument("--elements", type=int, default=ELEMENTS, help="of the inputs of a case, about")
    parser.add_argument("--keep", type=Path, help="a folder of one's own: an interrupted run goes on from there")
    parser.add_argument("--jobs", type=int, default=1, help="judges at a time")
    parser.add_argument("--minutes", type=float, default=1e6, help="nothing is begun after so many")
    parser.add_argument("--quick", action="store_true", help=f"each {QUICK}th task")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--write", action="store_true", help="keep the JSON in bench/results/, a file a checkout")
    chosen = parser.parse_args()
    kept: Record = {**record.facts(), "elements": chosen.elements, "only": chosen.only, "checkouts": {}}
    kept["listing_1000_s"] = round(thousand(), 3)
    for path in chosen.checkout:
        started = time.perf_counter()
        there = registry.checkout(path)
        seconds = time.perf_counter() - started
        with tempfile.TemporaryDirectory(prefix="geak-formats-") as fresh:
            folder = (chosen.keep or Path(fresh)) / path.name
            folder.mkdir(parents=True, exist_ok=True)
            found = asyncio.run(run(there, chosen, folder))
        cannot = Counter(why for task in there.tasks if (why := registry.why_not(task)))
        kept["checkouts"][path.name] = {
            "commit": there.commit,
            "formats": Counter(task.format for task in there.tasks),
            "figures": figures(there, seconds, found),
            "cannot": cannot,
            "duplicates": there.duplicates,
            "causes": causes(found),
            "tasks": found,
        }
    if chosen.write:
        for name, one in kept["checkouts"].items():
            result = record.RESULTS / f"formats-{name}-{kept['date'][:10]}.json"
            result.write_text(json.dumps({**kept, "checkouts": {name: one}}, indent=1) + "\n")
            print(f"wrote {result}", file=sys.stderr)
    if chosen.json:
        print(json.dumps(kept))
        return
    print(f"listing_1000_s    {kept['listing_1000_s']:>10g}")
    for name, one in kept["checkouts"].items():
        print(f"{name} {one['commit'][:12]}")
        for figure, value in one["figures"].items():
            print(f"  {figure:<16}{value:>10g}")
        for cause, those in one["causes"].items():
            print(f"  {len(those)} {cause}\n    {', '.join(those)}")


if __name__ == "__main__":
    main()
