"""How kernels that are known to be good fare under the judge: the tasks of benchmarks that are Triton files with tests.

    python bench/known_good.py CHECKOUT... [--judge COMMAND] [--quick] [--json] [--write] [--keep FOLDER]
                               [--jobs N] [--only NAME ...] [--formats NAME,...] [--minutes N] [--name NAME]
                               [--again OUTCOME] [--since RECORD] [--unlike CHECKOUT]
    python bench/known_good.py --figures RECORD

CHECKOUT is a checkout of thunlp/TritonBench, AMD-AGI/AgentKernelArena or AMD-AGI/GEAK-eval. Each task is made a spec
(its test is watched in the sandbox, its own kernel tried at each size), then its own kernel is judged in full under it,
for every target. A kernel that the default policy refuses for work outside Triton is judged under `mixed`, then `open`,
and the record says which let it pass. A task that asks for PyTorch to be replaced has no kernel: its reference is run.

The order is by a digest of the names, so that what an interrupted run has done is a fair sample; `--keep` goes on
there. `--judge` starts a judge with another Triton; its hello says which, and the record holds it. `--since` takes over
what an earlier record has accepted for every target; each task has the commit at which it was run. `--unlike` leaves
out the files whose code another checkout has as well: GEAK's revised TritonBench-G is mostly TritonBench's.

A file of TritonBench has a task for each function that its tests call: `files_all_*` counts those of which every task
is accepted for a target, `files_any_*` those of which one is, under whatever policy; with `_pure` behind it under the
default one alone. `--figures` counts anew what a record holds, and writes nothing else of it.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import hashlib
import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from record import RESULTS, facts, now, revision

from geak.errors import GeakError, SpecError
from geak.formats.arena import Arena
from geak.formats.base import Format, Listed, Scale
from geak.formats.tritonbench import GeakRocm, TritonBenchG, TritonBenchT
from geak.judge_process import command, words
from geak.judges import Judges
from geak_evaluator.schema.verdict import Cause, Policy, Status, Verdict

FORMATS: tuple[Format, ...] = (TritonBenchG(), TritonBenchT(), GeakRocm(), Arena())
TARGETS = ("gfx942", "sm_90")
DONE = "done.jsonl"

Record = dict[str, Any]


async def examine(one: Format, listed: Listed, judges: Judges, scale: Scale) -> Record:
    """What became of one task."""
    started = time.perf_counter()
    record: Record = {"format": listed.format, "category": listed.category, "difficulty": listed.difficulty}
    if listed.why_not:
        return {**record, "outcome": "not_runnable", "why": listed.why_not}
    with tempfile.TemporaryDirectory(prefix="geak-known-") as folder:
        try:
            task = await one.task(listed, Path(folder), judges, scale)
            about = await judges.describe(task.spec)
            record["cases"] = len(about.spec.cases)
            record |= {"single_shape": task.single_shape, "soft": bool(task.soft)}
            if not task.original:
                record["outcome"] = "reference_runs"
            else:
                record |= await _judged(task.spec, task.original, judges)
        except GeakError as error:
            record |= {"outcome": "no_spec", "why": _without_places(error)[:600]}
    return {**record, "seconds": round(time.perf_counter() - started, 1), "at": now(), "revision": revision()}


async def _judged(spec: Path, kernel: str, judges: Judges) -> Record:
    """The verdict for all targets under the strictest policy that it is accepted under."""
    try:
        return await _under_policies(spec, kernel, judges, TARGETS)
    except SpecError:  # an original that one target alone is no original for
        alone = [await _alone(spec, kernel, judges, target) for target in TARGETS]
        if not any(one["accepted"] for one in alone):
            raise
    first = next(one for one in alone if one["accepted"])
    outcomes = {target: one["targets"][target] for target, one in zip(TARGETS, alone, strict=True)}
    return first | {"accepted": [t for one in alone for t in one["accepted"]], "targets": outcomes}


async def _alone(spec: Path, kernel: str, judges: Judges, target: str) -> Record:
    try:
        return await _under_policies(spec, kernel, judges, (target,))
    except SpecError as error:
        return {"accepted": [], "targets": {target: {"outcome": "original", "why": _without_places(error)[:400]}}}


def _without_places(error: Exception) -> str:
    """What it says, with files by their names: where they lay is this machine's."""
    return re.sub(r"(?<![\w.])/(?:[\w.+-]+/)+", "", str(error))


async def _under_policies(spec: Path, kernel: str, judges: Judges, targets: tuple[str, ...]) -> Record:
    refused: dict[str, str] = {}
    for policy in (Policy.PURE, Policy.MIXED, Policy.OPEN):
        verdict = await judges.evaluate(spec, kernel, targets=targets, policy=policy)
        failure = verdict.failure
        if verdict.status is not Status.REJECTED or failure is None or not _about_policy(verdict):
            break
        refused[policy.value] = failure.message[:300]
    outcomes = {target: _outcome(verdict, target) for target in targets}
    refusing = {code.target for code in verdict.code if code.cause is not None}
    if not refusing and verdict.failure is not None and verdict.failure.cause in _COMPILING:
        refusing = {verdict.target}  # the one that the plan was captured for
    others = [target for target in targets if target not in refusing]
    if verdict.status is not Status.ACCEPTED and refusing and others:  # which says nothing of the other
        [other] = others
        outcomes[other] = _outcome(await judges.evaluate(spec, kernel, targets=(other,), policy=policy), other)
    good = [target for target, found in outcomes.items() if found["outcome"] == "accepted"]
    return {"outcome": "judged", "policy": policy.value, "refused": refused, "accepted": good, "targets": outcomes}


_COMPILING = (Cause.COMPILE_ERROR, Cause.OUT_OF_RESOURCES, Cause.UNSUPPORTED)


def _about_policy(verdict: Verdict) -> bool:
    cause = verdict.failure.cause if verdict.failure is not None else None
    return cause is Cause.FOREIGN_WORK


def _outcome(verdict: Verdict, target: str) -> Record:
    """One word for a target."""
    code = next((code for code in verdict.code if code.target == target), None)
    if code is not None and code.cause is not None:
        return {"outcome": code.cause.value, "why": code.message[:400]}
    failure = verdict.failure
    if failure is None:
        return {"outcome": "accepted" if verdict.status is Status.ACCEPTED else verdict.status.value}
    return {"outcome": failure.cause.value if failure.cause else verdict.status.value, "why": failure.message[:400]}


def ordered(found: list[tuple[Format, Listed]]) -> list[tuple[Format, Listed]]:
    """An order that has nothing to do with names, formats or files: a beginning of it is a fair sample."""
    return sorted(found, key=lambda one: hashlib.sha256(f"{one[1].format}/{one[1].name}".encode()).digest())


def summed(records: dict[str, Record], recognised: dict[str, int]) -> dict[str, Any]:
    """Counts by format."""
    groups: dict[str, dict[str, Record]] = defaultdict(dict)
    for key, record in records.items():
        groups[_group(record, key)][key] = record
    figures: dict[str, Any] = {"recognised": recognised}
    for name, group in sorted(groups.items()):
        ran = list(group.values())
        figures[name] = {
            "run": len(ran),
            "not_runnable": sum(r["outcome"] == "not_runnable" for r in ran),
            "specs_made": sum(r["outcome"] in ("judged", "reference_runs") for r in ran),
            "references_run": sum(r["outcome"] == "reference_runs" for r in ran),
            "single_shape": sum(bool(r.get("single_shape")) for r in ran),
            **{f"accepted_{t}": sum(t in r.get("accepted", ()) for r in ran) for t in TARGETS},
            **{
                f"accepted_{t}_{p.value}": sum(t in r.get("accepted", ()) and r["policy"] == p.value for r in ran)
                for t in TARGETS
                for p in Policy
            },
            **_by_file(group),
            "causes": {
                t: dict(Counter(r.get("targets", {}).get(t, {"outcome": r["outcome"]})["outcome"] for r in ran))
                for t in TARGETS
            },
        }
    return figures


def _by_file(group: dict[str, Record]) -> dict[str, int]:
    """The same by files, which may have several tasks: `format/G/file` and `format/G/file/function`."""
    files: dict[str, list[Record]] = defaultdict(list)
    for key, record in group.items():
        files["/".join(key.split("/")[:3])].append(record)
    counts = {"files": len(files)}
    for target in TARGETS:
        for behind, policies in (("", tuple(Policy)), ("_pure", (Policy.PURE,))):
            good = [[_passed(record, target, policies) for record in those] for those in files.values()]
            counts[f"files_all_{target}{behind}"] = sum(map(all, good))
            counts[f"files_any_{target}{behind}"] = sum(map(any, good))
    return counts


def _passed(record: Record, target: str, policies: tuple[Policy, ...]) -> bool:
    return target in record.get("accepted", ()) and record["policy"] in policies


def counted_anew(path: Path) -> dict[str, Any]:
    """The figures of a record that is there, from its own tasks; its file is written with them."""
    record = json.loads(path.read_text())
    record["figures"] = summed(record["tasks"], record["figures"]["recognised"])
    path.write_text(json.dumps(record, indent=1) + "\n")
    figures: dict[str, Any] = record["figures"]
    return figures


def before(path: Path) -> dict[str, Record]:
    """What an earlier record has accepted for every target."""
    old = json.loads(path.read_text())
    known = {"at": old["date"], "revision": old.get("revision", "")}
    return {key: known | task for key, task in old["tasks"].items() if task.get("accepted") == list(TARGETS)}


def _group(record: Record, key: str) -> str:
    return (
        f"{record['format']} {record['category']}".strip() if record["format"] == Arena.name else str(record["format"])
    )


def alike(file: Path, other: Path) -> bool:
    """Whether a checkout has a file of that name and with the same code."""
    return any(_code(file) == _code(twin) for twin in other.glob(f"**/{file.parent.name}/{file.name}"))


def _code(file: Path) -> str:
    try:
        return ast.dump(ast.parse(file.read_bytes()))
    except (SyntaxError, ValueError):
        return f"{file} {file.stat().st_size}"


def commit(checkout: Path) -> str:
    """Which state of the benchmark it is."""
    try:
        said = subprocess.run(
            ["git", "-C", str(checkout), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
        return said.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


async def measure(options: argparse.Namespace) -> tuple[dict[str, Record], list[Listed], Any]:
    """All tasks, as far as the time goes."""
    found = [(f, t) for path in options.checkouts for f in FORMATS if f.recognises(path) for t in f.tasks(path)]
    wanted = options.formats.split(",") if options.formats else None
    found = [(f, t) for f, t in found if wanted is None or t.format in wanted]
    found = [(f, t) for f, t in found if not options.only or t.name in options.only]
    found = [(f, t) for f, t in found if options.unlike is None or not alike(t.file, options.unlike)]
    keep = options.keep / DONE if options.keep else None
    records: dict[str, Record] = {}
    if keep and keep.exists():
        records = dict(map(json.loads, keep.read_text().splitlines()))
        records = {key: record for key, record in records.items() if record["outcome"] != options.again}
    if options.since:
        records = before(options.since) | records
    left = [(f, t) for f, t in ordered(found) if f"{t.format}/{t.name}" not in records]
    left = left[:6] if options.quick else left
    argv = words(options.judge) if options.judge else command()
    until = time.monotonic() + 60 * options.minutes
    async with Judges([argv] * options.jobs) as judges:
        waiting = iter(left)

        async def work() -> None:
            for one, listed in waiting:
                if time.monotonic() > until:
                    return
                key = f"{listed.format}/{listed.name}"
                records[key] = record = await examine(one, listed, judges, Scale())
                if keep:
                    with keep.open("a") as file:
                        file.write(json.dumps([key, record]) + "\n")
                print(f"{len(records):>4} {key}: {line(record)}", file=sys.stderr, flush=True)

        await asyncio.gather(*[work() for _ in range(options.jobs)])
        hello = judges.hello
    known = {f"{t.format}/{t.name}" for _, t in found}
    return {k: r for k, r in sorted(records.items()) if k in known}, [t for _, t in found], hello


def line(record: Record) -> str:
    """One task in one line."""
    words_ = [f"{t} {r['outcome']}" for t, r in record.get("targets", {}).items()]
    why = record.get("why") or next((r["why"] for r in record.get("targets", {}).values() if r.get("why")), "")
    return (
        f"{record['outcome']} {record.get('policy', '')} {', '.join(words_)} {record.get('seconds', 0)} s {why[:200]}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkouts", type=Path, nargs="*", metavar="CHECKOUT")
    parser.add_argument("--figures", type=Path, metavar="RECORD", help="count anew what a record holds; nothing is run")
    parser.add_argument("--judge", help="how a judge is started, where it is not this Python's")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these tasks alone")
    parser.add_argument("--formats", help="these formats alone, separated by commas")
    parser.add_argument("--keep", type=Path, help="a folder of one's own: an interrupted run goes on from there")
    parser.add_argument("--again", metavar="OUTCOME", help="run what was kept with this outcome once more")
    parser.add_argument("--since", type=Path, metavar="RECORD", help="what it has accepted is not run again")
    parser.add_argument("--unlike", type=Path, metavar="CHECKOUT", help="leave out what is the same code there")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=1e6, help="begin no task after so many")
    parser.add_argument("--name", default="known-good", help="of the record")
    parser.add_argument("--quick", action="store_true", help="six tasks")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--write", action="store_true", help="keep the JSON in bench/results/")
    options = parser.parse_args()
    if bool(options.checkouts) == bool(options.figures):
        parser.error("name the checkouts whose tasks are to be run, or with --figures a record to be counted anew")
    if options.figures:
        print(json.dumps(counted_anew(options.figures), indent=None if options.json else 1))
        return
    if options.write and (options.quick or options.only):
        parser.error("--write keeps full runs only")
    records, listed, hello = asyncio.run(measure(options))
    about = facts()
    record = {
        "figures": summed(records, dict(Counter(one.format for one in listed))),
        **about,
        "revision": revision(),
        "revisions": dict(Counter(task.get("revision", "") for task in records.values())),
        "judge": {"python": hello.python, **hello.packages},
        "commits": {path.name: commit(path) for path in options.checkouts},
        "targets": TARGETS,
        "unlike": commit(options.unlike) if options.unlike else None,
        "not_run": [f"{t.format}/{t.name}" for t in listed if f"{t.format}/{t.name}" not in records],
        "tasks": records,
    }
    if options.write:
        path = RESULTS / f"{options.name}-{record['date'][:10]}.json"
        path.write_text(json.dumps(record, indent=1) + "\n")
        print(f"wrote {path}", file=sys.stderr)
    print(json.dumps(record if options.json else record["figures"], indent=None if options.json else 1))


if __name__ == "__main__":
    main()
