"""How kernels that are known to be good fare here: the 184 files of TritonBench-G, each run whole on its own tests.

    python bench/field.py CHECKOUT [--only NAME ...] [--targets gfx942,sm_90] [--jobs 2] [--json] [--write]

CHECKOUT is thunlp/TritonBench at the commit below. A file runs in a confined child: its tests launch its kernels
through Triton's own path, each launch is interpreted on CPU tensors, and is then cross-compiled for every target. A
file is `ok` for a target if its tests ran to their end and every kernel that they launched compiles and fits there. The
files print what they get and compare it with nothing: ok does not mean correct. Lanes that are out of bounds are left
out and noted, so that the rest of the file still runs: such a file is `out_of_bounds`, and counted apart.

Uncompiled, an autotuned kernel takes its first configuration. Where a kernel does not compile or fit, the file is run
again with that target as its device and the compiler on, so that Triton's autotuner can pass over what does not fit.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import multiprocessing
import os
import platform
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from geak_evaluator.machine_code.cache import Cache
from geak_evaluator.machine_code.compile import Compiled, Compiler
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.policy import GIB, MIB, Level, Limits
from geak_evaluator.schema import codec
from geak_evaluator.schema.machine_code import Handed, Why

DATASET = "thunlp/TritonBench@603e28a5050e8c268f6883a69709d477a272d49a"
FOLDER = Path("data", "TritonBench_G_v1")
RESULTS = Path(__file__).parent / "results"
CHILD = Path(__file__).with_name("field_child.py")
DONE = "done.jsonl"
ROLE = "geak_evaluator.children.script"
SECONDS = 60.0
"""Of processor time, for the tests of one file."""
LOWERING_S = 60.0
LIMITS = Limits(
    wall_s=5 * SECONDS + LOWERING_S, cpu_s=600, memory=6 * GIB, log_bytes=64 * MIB, reply_bytes=16 * MIB, disk_bytes=GIB
)

RAN = ("ok", "out_of_bounds")
"""Of such a file the tests ran to their end."""

Record = dict[str, Any]


def measure(
    checkout: Path, names: list[str], targets: list[str], jobs: int, keep: Path | None = None
) -> dict[str, Record]:
    """What became of each file, by its name; each worker has a sandbox of its own."""
    records = _kept(keep)
    names = [name for name in names if name not in records]
    context = multiprocessing.get_context("spawn")
    waiting: Any = context.Queue()
    done: Any = context.Queue()
    for name in [*names, *[None] * jobs]:
        waiting.put(name)
    with tempfile.TemporaryDirectory(prefix="geak-field-") as fresh:
        args = (checkout / FOLDER, targets, keep or fresh, waiting, done)
        workers = [context.Process(target=_work, args=args, daemon=True) for _ in range(jobs)]
        for worker in workers:
            worker.start()
        try:
            for _ in names:
                name, record = done.get()
                records[name] = record
                if keep:
                    with (keep / DONE).open("a") as file:
                        file.write(json.dumps([name, record]) + "\n")
                print(f"{len(records):>3} {name}: {line(record)}", file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            print("interrupted: what is not done yet is not_run", file=sys.stderr)
            for worker in workers:
                worker.terminate()
        for worker in workers:
            worker.join()
    return dict(sorted(records.items()))


def _kept(keep: Path | None) -> dict[str, Record]:
    """The files that an interrupted run has done."""
    path = keep / DONE if keep else None
    return dict(map(json.loads, path.read_text().splitlines())) if path and path.exists() else {}


def _work(folder: Path, targets: list[str], keep: Path | str, waiting: Any, done: Any) -> None:
    with Sandbox(minimum=Level.BASE) as box:
        compiler = Compiler(box, Cache(keep), workers=1)
        while (name := waiting.get()) is not None:
            started = time.perf_counter()
            record = examine(box, compiler, name, (folder / name).read_text(), targets)
            done.put((name, {**record, "seconds": round(time.perf_counter() - started, 1)}))


def examine(box: Sandbox, compiler: Compiler, name: str, source: str, targets: list[str]) -> Record:
    """What became of one file, and of its kernels on each target."""
    record = _look(box, compiler, name, source, targets[0], targets, compile=False)
    for target, verdict in record["targets"].items():
        if verdict["outcome"] in ("out_of_resources", "compile_error") and record["outcome"] in RAN:
            again = _look(box, compiler, name, source, target, [target], compile=True)
            if again["outcome"] in RAN and again["targets"][target]["outcome"] == "compiles":
                record["targets"][target] = {"outcome": "compiles", "instead_of": verdict}
    return record


def _look(
    box: Sandbox, compiler: Compiler, name: str, source: str, device: str, targets: list[str], *, compile: bool
) -> Record:
    """Runs the file with `device` as its device, and compiles what it launched for the targets."""
    job = {
        "name": name.removesuffix(".py"),
        "source": source,
        "target": device,
        "compile": compile,
        "targets": targets,
        "seconds": SECONDS,
    }
    with box.spawn(ROLE, job, limits=LIMITS) as child:
        reply = child.ask(CHILD.read_bytes())
    if not reply.ok:
        why = reply.fault.value if reply.fault else reply.body.decode(errors="replace")
        nothing = {"outcome": "unknown", "why": "the file's process ended before its kernels were handed over"}
        return {
            "outcome": "died",
            "why": f"{why}: {child.log.strip()[-500:]}",
            "targets": dict.fromkeys(targets, nothing),
        }
    said = codec.loads(reply.body)
    handed = codec.from_json(Handed, said["handed"])
    compiled = compiler.figures_of(handed)
    return {
        "outcome": said["outcome"],
        "why": said["why"][:600],
        "launches": said["launches"],
        "specialisations": len(compiled) // len(targets),
        "conflicts": said["conflicts"],
        "targets": {target: _verdict([c for c in compiled if c.target == target]) for target in targets},
    }


def _verdict(compiled: list[Compiled]) -> Record:
    """One word for all kernels of a file on one target: the worst of them."""
    failed = [(c.kernel, c.failure) for c in compiled if c.failure]
    if not failed:
        return {"outcome": "compiles"} if compiled else {"outcome": "unknown", "why": "no kernel was launched"}
    kernel, failure = next(((k, f) for k, f in failed if f.why is not Why.OUT_OF_RESOURCES), failed[0])
    word = {Why.OUT_OF_RESOURCES: "out_of_resources", Why.UNSUPPORTED: "unsupported"}.get(failure.why, "compile_error")
    return {"outcome": word, "why": f"{kernel}: {failure.message}"[:600]}


def summed(records: dict[str, Record], targets: list[str]) -> tuple[dict[str, float], dict[str, Any]]:
    """Every count by its name, and the names of the files by what became of them."""
    causes: dict[str, Any] = {"run": defaultdict(list), **{target: defaultdict(list) for target in targets}}
    good: Counter[str] = Counter()
    strayed: Counter[str] = Counter()
    for name, record in records.items():
        causes["run"][record["outcome"]].append(name)
        for target, verdict in record["targets"].items():
            causes[target][verdict["outcome"]].append(name)
            compiles = verdict["outcome"] == "compiles"
            good[target] += record["outcome"] == "ok" and compiles
            strayed[target] += record["outcome"] == "out_of_bounds" and compiles
    figures = {
        "files": len(records),
        "captured": sum(bool(record.get("launches")) for record in records.values()),
        "ran_to_the_end": sum(record["outcome"] in RAN for record in records.values()),
        **{f"compile_{target}": len(causes[target]["compiles"]) for target in targets},
        **{f"ok_{target}": good[target] for target in targets},
        **{f"ok_but_out_of_bounds_{target}": strayed[target] for target in targets},
        "files_with_conflicting_stores": sum(bool(record.get("conflicts")) for record in records.values()),
        "seconds": round(sum(record["seconds"] for record in records.values()), 1),
    }
    return figures, causes


def line(record: Record) -> str:
    """One file in one line."""
    words = [f"{target} {verdict['outcome']}" for target, verdict in record["targets"].items()]
    reasons = [record["why"], *(verdict.get("why", "") for verdict in record["targets"].values())]
    reason = next((" ".join(r.split())[:240] for r in reasons if r), "")
    return f"{record['outcome']}, {', '.join(words)}, {record['seconds']} s  {reason}".rstrip()


def table(figures: dict[str, float], causes: dict[str, Any]) -> Iterator[str]:
    """The figures as a person reads them, then how many files had which outcome."""
    for name, value in figures.items():
        yield f"{name:<32}{value:>8g}"
    for part, outcomes in causes.items():
        yield f"\n{part}: " + ", ".join(f"{len(names)} {word}" for word, names in sorted(outcomes.items()))


def _digest(folder: Path) -> str:
    """Of all files: says whether two results are about the same ones."""
    whole = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        whole.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these files alone")
    parser.add_argument("--targets", default="gfx942,sm_90", help="the first is the device that the files run on")
    parser.add_argument("--keep", type=Path, help="a folder of one's own: an interrupted run goes on from there")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--write", action="store_true", help="keep the JSON in bench/results/")
    options = parser.parse_args()
    if options.only and options.write:
        parser.error("--write keeps full runs only")
    folder, targets = options.checkout / FOLDER, options.targets.split(",")
    known = sorted(path.name for path in folder.glob("*.py"))
    names = [name for name in known if not options.only or name in options.only or name[:-3] in options.only]
    if not names:
        parser.error(f"no such files in {folder}")
    records = measure(options.checkout, names, targets, options.jobs, options.keep)
    records = {name: record for name, record in records.items() if name in names}
    figures, causes = summed(records, targets)
    record = {
        "figures": figures,
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "dataset": DATASET,
        "dataset_sha256": _digest(folder),
        "targets": targets,
        "seconds_allowed": SECONDS,
        "jobs": options.jobs,
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in ("triton", "torch", "numpy")},
        "not_run": [name for name in names if name not in records],
        "causes": causes,
        "files": records,
    }
    if options.write:
        path = RESULTS / f"field-{record['date'][:10]}.json"
        path.write_text(json.dumps(record, indent=1) + "\n")
        print(f"wrote {path}", file=sys.stderr)
    print(json.dumps(record) if options.json else "\n".join(table(figures, causes)))


if __name__ == "__main__":
    main()
