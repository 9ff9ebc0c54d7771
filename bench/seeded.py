"""The seeds of a spec in turn, until the judge accepts one: what the benchmarks of first kernels have in common."""

from __future__ import annotations

import argparse
import json
import os
import queue
import re
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import record

from geak.errors import JudgeError, SpecError, UsageError
from geak.judge import Judge
from geak.judge_process import command
from geak_evaluator.schema.verdict import Cause, Policy, Status, Tier, Verdict

TARGETS = ("gfx942", "sm_90")
DONE = "done.jsonl"

Record = dict[str, Any]


def tried(judge: Judge, spec: Path, policies: tuple[Policy, ...] = (Policy.PURE, Policy.MIXED)) -> Record:
    """What became of one spec: its seeds under the first policy, and under the next where a library is needed."""
    told: Record = {"outcome": "not_described", "why": "", "seeds": {}, "tried": [], "compiled": []}
    try:
        judge.describe(spec)
        for policy in policies:
            if _under(judge, spec, policy, told):
                break
    except (SpecError, UsageError) as error:
        told["why"] = str(error)
    return told


def _under(judge: Judge, spec: Path, policy: Policy, told: Record) -> bool:
    """Tries the seeds of one policy; whether another policy is of no use."""
    found = judge.seed(spec, target=TARGETS[0])
    told["seeds"][policy.value] = len(found.seeds)
    if not found.seeds:
        if not told["tried"]:
            told |= {"outcome": "no_seed", "why": found.trouble}
        return "librar" not in found.trouble
    verdicts = []
    for one in found.seeds:
        started = time.perf_counter()
        verdict = judge.evaluate(spec, one.source, targets=TARGETS, tier=Tier.FULL, policy=policy)
        said = {"seed": one.name, "policy": policy.value, "verdict": verdict.line()[:400]}
        told["tried"].append(said | {"seconds": round(time.perf_counter() - started, 1)})
        verdicts.append(verdict)
        if verdict.status is Status.ACCEPTED:
            break
    accepted = verdicts[-1].status is Status.ACCEPTED
    best = verdicts[-1] if accepted else verdicts[0]
    codes = {code.target: code for code in best.code}
    for target in TARGETS:
        if target not in codes:  # a kernel that is not accepted may compile all the same
            gate = judge.evaluate(spec, found.seeds[0].source, targets=(target,), tier=Tier.GATE, policy=policy)
            codes |= {code.target: code for code in gate.code}
    told |= {
        "outcome": best.status.value,
        "policy": policy.value,
        "cause": _cause(best),
        "why": "" if accepted else best.line()[:600],
        "compiled": [target for target in TARGETS if target in codes and codes[target].cause is None],
    }
    return accepted or _cause(best) != Cause.FOREIGN_WORK.value


def _cause(verdict: Verdict) -> str:
    decided = verdict.failure or verdict.misfit
    return decided.cause.value if decided is not None and decided.cause is not None else ""


def options(doc: str | None, quick: str) -> argparse.ArgumentParser:
    """The options of both benchmarks."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="a folder of one's own: an interrupted run goes on from there")
    parser.add_argument("--since", type=Path, help="a record of before: what it has accepted is not run again, except")
    parser.add_argument("--anew", default=None, metavar="REGEX", help="names to run again all the same")
    parser.add_argument("--jobs", type=int, default=2, help="judges at a time")
    parser.add_argument("--minutes", type=float, default=1e6, help="nothing is begun after so many")
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--write", action="store_true", help="keep the JSON in bench/results/")
    return parser


def all_of(names: list[str], examine: Callable[[Judge, str], Record], chosen: argparse.Namespace) -> dict[str, Record]:
    """The record of each name, by so many judges at a time; what is not begun when time is up is left out."""
    if chosen.keep:
        chosen.keep.mkdir(exist_ok=True)
    path = chosen.keep / DONE if chosen.keep else None
    records: dict[str, Record] = dict(map(json.loads, path.read_text().splitlines())) if path and path.exists() else {}
    if chosen.since:
        records = before(chosen.since, chosen.anew) | records
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    for name in names:
        if name not in records:
            waiting.put(name)
    lock, ends, revision = threading.Lock(), time.monotonic() + 60 * chosen.minutes, record.revision()

    def work() -> None:
        while time.monotonic() < ends:
            with Judge(command()) as judge:
                if not one_by_one(judge):
                    return

    def one_by_one(judge: Judge) -> bool:
        """Works until there is nothing left, or the judge has ended and another is needed."""
        while time.monotonic() < ends:
            try:
                name = waiting.get_nowait()
            except queue.Empty:
                return False
            started, ended = time.perf_counter(), False
            try:
                told = examine(judge, name)
            except JudgeError as error:
                told = {"outcome": "no_answer", "why": str(error), "seeds": {}, "tried": [], "compiled": []}
                ended = True
            told |= {"seconds": round(time.perf_counter() - started, 1), "at": record.now(), "revision": revision}
            with lock:
                records[name] = told
                if path:
                    with path.open("a") as file:
                        file.write(json.dumps([name, told]) + "\n")
                print(f"{len(records):>3} {name}: {line(told)}", file=sys.stderr, flush=True)
            if ended:
                return True
        return False

    workers = [threading.Thread(target=work) for _ in range(chosen.jobs)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return {name: records[name] for name in names if name in records}


def before(path: Path, anew: str | None) -> dict[str, Record]:
    """What an earlier record says was accepted, but for the names that are to be run anew."""
    old = json.loads(path.read_text())
    return {
        name: {"at": old["date"], "revision": old.get("revision", "")} | told
        for name, told in old["files"].items()
        if told["outcome"] == Status.ACCEPTED.value and not (anew and re.search(anew, name))
    }


def line(told: Record) -> str:
    """One record in one line."""
    last = told["tried"][-1] if told["tried"] else {"seed": "", "policy": ""}
    words = (told["outcome"], last["policy"], last["seed"], *told["compiled"], f"{told['seconds']} s")
    return f"{', '.join(filter(None, words))}  {' '.join(told['why'].split())[:240]}".rstrip()


def counts(records: dict[str, Record]) -> dict[str, float]:
    """Every count by its name."""
    every = list(records.values())
    accepted = [r for r in every if r["outcome"] == Status.ACCEPTED.value]
    return {
        "emitted": float(sum(any(r["seeds"].values()) for r in every)),
        "accepted": float(len(accepted)),
        **{f"accepted_{p.value}": float(sum(r["policy"] == p.value for r in accepted)) for p in list(Policy)[:2]},
        **{f"compiled_{target}": float(sum(target in r["compiled"] for r in every)) for target in TARGETS},
    }


def causes(records: dict[str, Record]) -> dict[str, list[str]]:
    """The names of those without an accepted kernel, by why; what differs in names and numbers alone is one cause."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, told in records.items():
        if told["outcome"] != Status.ACCEPTED.value:
            found[_why(told)].append(name)
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def _why(told: Record) -> str:
    if told["outcome"] in ("rejected", "undecided"):
        return f"{told['outcome']}: {told['cause']}"
    plain = re.sub(r"\S*/\S+\.py(, line \d+)?: ", "", " ".join(told["why"].split()))
    return f"{told['outcome']}: " + re.sub(r"\d+", "N", plain)[:160]


def report(
    name: str,
    figures: record.Figures,
    more: Record,
    names: list[str],
    found: dict[str, Record],
    goals: record.Targets,
    chosen: argparse.Namespace,
) -> None:
    """Keeps the record where that is asked for, and prints it: the figures, then the causes with whom they befell."""
    figures |= counts(found)
    why = causes(found)
    kept = {
        "figures": figures,
        "missed": record.missed(figures, goals),
        **record.facts(),
        "load_after": os.getloadavg(),
        **more,
        "targets": TARGETS,
        "jobs": chosen.jobs,
        "revisions": dict(Counter(told["revision"] for told in found.values())),
        "not_run": [name for name in names if name not in found],
        "causes": why,
        "files": found,
    }
    if chosen.write:
        path = record.RESULTS / f"{name}-{kept['date'][:10]}.json"
        path.write_text(json.dumps(kept, indent=1) + "\n")
        print(f"wrote {path}", file=sys.stderr)
    if chosen.json:
        print(json.dumps(kept))
        return
    for figure, value in figures.items():
        print(f"{figure:<24}{value:>8g}")
    for cause, those in why.items():
        print(f"\n{len(those)} {cause}\n    {', '.join(those)}")
