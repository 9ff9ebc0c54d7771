"""How far estimates are from recorded times: TritonBench-G's kernels, as they were timed on an A100.

    python bench/estimate.py CHECKOUT [--keep FOLDER] [--mi300x FOLDER] [--fit] [--jobs 2] [--quick] [--json] [--write]

CHECKOUT is thunlp/TritonBench at the commit below. Each kernel is called in a confined child with the inputs that it
was timed with, on a described A100; what its launches ask for is counted on some of their programs, and their machine
code is compiled. Of an autotuned kernel several configurations are counted, and the fastest by its estimate is taken.
The counts are kept in a folder, so that the model can be fitted without counting again. Some of the kernels need a
Triton that still has block pointers: 3.6.

The kernels were split by operation beforehand (estimate_families.py); `--fit` looks at one half alone and prints what
constants it would choose. What follows is of the other half:

* `held_factor`       the median factor between an estimate and the time, whichever is larger; `_low` and `_high` hold
                      nine of ten medians of resampled operations
* `held_factor_long`  the same of times over 50 microseconds, where launching no longer matters
* `held_factor_light` what the speed-of-light bound and the cost of a launch alone would give, for comparison
* `held_within`       the share of times that lie within their interval
* `mi300x_*`          the same of GEAK-eval's times of an MI300X (its branch openevolve), where `--mi300x` names them
* `pairs_*`           of two kernels of one operation at one size: where the times differ by over 10 %, how many the
                      estimates put in order, call equal, or reverse; where they do not, how many are told apart
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import multiprocessing
import os
import random
import statistics
import sys
import tempfile
import time
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import record
from estimate_families import family, held_out

from geak_evaluator.estimate.devices import DEVICES, Reached, known_of
from geak_evaluator.estimate.model import launch, total
from geak_evaluator.machine_code.cache import Cache
from geak_evaluator.machine_code.compile import Compiler
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.policy import GIB, MIB, Level, Limits
from geak_evaluator.schema import codec
from geak_evaluator.schema.estimate import Estimate, Traffic, Work, surely_faster
from geak_evaluator.schema.machine_code import Figures, Handed
from geak_evaluator.schema.spec import Case

DATASET = "thunlp/TritonBench@603e28a5050e8c268f6883a69709d477a272d49a"
KERNELS = Path("data", "TritonBench_G_v1")
TIMED = Path("performance_metrics", "perf_G")
CHILD = Path(__file__).with_name("estimate_child.py")
ROLE = "geak_evaluator.children.script"
TARGET = "sm_80"
ROWS, QUICK_ROWS = 7, 3
SECONDS = 4.0
"""Of processor time, for counting one size."""
LIMITS = Limits(
    wall_s=600,
    cpu_s=600,
    memory=7 * GIB,
    address_space=False,
    log_bytes=64 * MIB,
    reply_bytes=64 * MIB,
    disk_bytes=GIB,
)
QUICK = ("add_value", "softmax_triton1", "relu_triton_kernel", "vector_addition", "swiglu_fwd")
DIFFERENT = math.log(1.1)
LONG_US = 50.0
GOALS = {"held_factor": ("<=", 1.4), "pairs_reversed": ("<=", 0.0)}
_BOUNDS = {"launch": (0.3, 2.0), "blend": (1.5, 8.0), "waits": (0.2, 3.0), "begin": (0.1, 3.0), "meets": (0.005, 0.5)}
_FORMATS = {"float16": "fp16", "bfloat16": "bf16", "float32": "fp32", "float64": "fp64"}

Steps = list[tuple[Work, Figures | None]]


@dataclass(frozen=True)
class Row:
    """One kernel at one size, and the time that was recorded of it."""

    kernel: str
    shapes: str
    us: float
    alternatives: list[Steps]
    """One for each configuration that was counted."""
    target: str = TARGET

    def estimate(self, reached: Reached | None = None) -> Estimate:
        """The best of its configurations, as an autotuner would have it."""
        case = Case({"shapes": self.shapes})
        made = [
            total(self.target, case, [launch(self.target, *s, reached) for s in steps], "", reached)
            for steps in self.alternatives
        ]
        return min(made, key=lambda one: one.us)

    def error(self, reached: Reached | None = None) -> float:
        """The logarithm of what an estimate is to the time."""
        return math.log(self.estimate(reached).us / self.us)


# -- counting --


def collect(checkout: Path, keep: Path, names: list[str], jobs: int, rows: int) -> None:
    """Counts what is not counted yet, each worker in a sandbox of its own."""
    missing = [name for name in names if not (keep / f"{name}.json").exists()]
    if not missing:
        return
    context = multiprocessing.get_context("spawn")
    waiting: Any = context.Queue()
    for name in [*missing, *[None] * jobs]:
        waiting.put(name)
    workers = [context.Process(target=_work, args=(checkout, keep, rows, waiting)) for _ in range(jobs)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def _work(checkout: Path, keep: Path, rows: int, waiting: Any) -> None:
    (keep / "machine-code").mkdir(exist_ok=True)
    with Sandbox(minimum=Level.BASE) as box:
        compiler = Compiler(box, Cache(keep / "machine-code"), workers=1)
        while (name := waiting.get()) is not None:
            started = time.perf_counter()
            counted = count(box, compiler, checkout, name, rows)
            (keep / f"{name}.json").write_text(json.dumps(counted))
            lost = [row["trouble"] for row in counted["rows"] if "trouble" in row]
            said = counted["trouble"] or f"{len(counted['rows'])} counts, {len(lost)} without: {lost[:1]}"
            print(f"{name} {time.perf_counter() - started:.0f} s: {said}"[:200], file=sys.stderr, flush=True)


def count(box: Sandbox, compiler: Compiler, checkout: Path, name: str, rows: int) -> dict[str, Any]:
    """What one kernel's launches ask for at each size, and their machine code."""
    timed = json.loads((checkout / TIMED / "golden_results" / f"{name}.json").read_text())
    job = {
        "name": name,
        "source": (checkout / KERNELS / f"{name}.py").read_text(),
        "timed": (checkout / TIMED / "golden_metrics" / f"{name}_perf.py").read_text(),
        "rows": [(number, shapes(timed[number])) for number in _chosen(timed, rows)],
        "count": len(timed),
        "seconds": SECONDS,
    }
    with box.spawn(ROLE, job, limits=LIMITS) as child:
        reply = child.ask(CHILD.read_bytes())
    if not reply.ok:
        why = reply.fault.value if reply.fault else reply.body.decode(errors="replace")[:500]
        return {"trouble": why, "rows": [], "codes": []}
    said = codec.loads(reply.body, limit=LIMITS.reply_bytes)
    codes = []
    for handed in said["lowered"]:
        (made,) = compiler.figures_of(codec.from_json(Handed, handed))
        codes.append({"figures": codec.to_json(made.figures), "failure": codec.to_json(made.failure)})
    made_rows = [
        {**row, "ms": timed[row["number"]]["ms"], "shapes": shapes(timed[row["number"]])} for row in said["rows"]
    ]
    return {"trouble": "", "rows": made_rows, "codes": codes}


def shapes(timed: dict[str, Any]) -> list[list[int]]:
    """The tensors that a time was recorded with."""
    return [item for item in timed["input_size"] if isinstance(item, list) and item]


def _chosen(timed: list[dict[str, Any]], rows: int) -> list[int]:
    """Some of the sizes: the smallest, the largest, and those that others of an operation will choose as well."""
    if len(timed) <= rows:
        return list(range(len(timed)))
    keys = [zlib.crc32(json.dumps(sorted(map(str, shapes(one)))).encode()) for one in timed]
    every = -(-len(timed) // rows)
    return sorted({0, len(timed) - 1, *(number for number, key in enumerate(keys) if key % every == 0)})


# -- what was counted --


def known(keep: Path, names: list[str]) -> list[Row]:
    """Every size of every kernel that could be counted."""
    return [row for name in names for row in _rows(name, json.loads((keep / f"{name}.json").read_text()))]


def _rows(name: str, counted: dict[str, Any]) -> Iterator[Row]:
    codes = [codec.from_json(Figures, one["figures"]) if one["figures"] else None for one in counted["codes"]]
    unfit = {n for n, one in enumerate(counted["codes"]) if (one["failure"] or {}).get("why") == "out_of_resources"}
    sizes: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in counted["rows"]:
        if "trouble" not in row and not any(step.get("code") in unfit for step in row["steps"]):
            sizes[row["number"]].append(row)
    for rows in sizes.values():
        made = [[_step(step, codes) for step in row["steps"]] for row in rows]
        whole = [steps for steps in made if any(s.programs for s, _ in steps) and all(s.traced for s, _ in steps)]
        if whole and any("work" in step for step in rows[0]["steps"]):
            yield Row(name, json.dumps(rows[0]["shapes"]), 1000 * rows[0]["ms"], whole)


def _step(step: dict[str, Any], codes: list[Figures | None]) -> tuple[Work, Figures | None]:
    if "work" in step:
        return codec.from_json(Work, step["work"]), codes[step["code"]]
    read, written = (Traffic(n, n / 32, n / 128, n, n) for n in (float(step["read"]), float(step["written"])))
    dots = {_FORMATS.get(name, name): float(value) for name, value in step.get("dots", {}).items()}
    grid = (max(1, math.ceil(written.asked / 16384)), 1, 1)
    return Work(step["op"], grid, 1, read, written, dots, turns=1.0, longest=1.0), None


def elsewhere(rows: list[Row], folder: Path) -> list[Row]:
    """The same launches, with the times that an MI300X took for them; their machine code there was not looked at."""
    found = []
    for row in rows:
        path = folder / f"{row.kernel}.json"
        timed = json.loads(path.read_text()) if path.exists() else []
        times = [1000 * one["ms"] for one in timed if json.dumps(shapes(one)) == row.shapes]
        bare = [[(work, None) for work, _ in steps] for steps in row.alternatives]
        found += [replace(row, us=us, alternatives=bare, target="gfx942") for us in times[:1]]
    return found


# -- figures --


def measure(rows: list[Row]) -> tuple[record.Figures, dict[str, Any]]:
    """Every figure by its name, and the factor of each kernel that is not held out or is."""
    held, fitted = ([row for row in rows if held_out(row.kernel) is side] for side in (True, False))
    figures: record.Figures = {"kernels": len({row.kernel for row in rows}), "times": len(rows)}
    for label, half in (("fitted", fitted), ("held", held)):
        if half:
            errors = [row.error() for row in half]
            figures[f"{label}_times"] = len(half)
            figures[f"{label}_operations"] = len({family(row.kernel) for row in half})
            figures[f"{label}_factor"] = _factor(errors)
            figures[f"{label}_bias"] = math.exp(statistics.median(errors))
            figures[f"{label}_within"] = statistics.mean(_inside(row) for row in half)
    if held:
        figures["held_factor_long"] = _factor(row.error() for row in held if row.us > LONG_US)
        figures["held_factor_light"] = _factor(map(_light, held))
        figures["held_factor_low"], figures["held_factor_high"] = _resampled(held)
        figures |= pairs(held)
    factors = defaultdict(list)
    for row in rows:
        factors[row.kernel].append(round(math.exp(row.error()), 3))
    halves = {name: {"held_out": held_out(name), "estimated_over_recorded": found} for name, found in factors.items()}
    return {name: round(float(value), 3) for name, value in figures.items()}, halves


def _factor(errors: Iterable[float]) -> float:
    return math.exp(statistics.median(map(abs, errors)))


def _light(row: Row) -> float:
    launched = known_of(row.target)[0].launch * DEVICES[row.target].launch
    return math.log((row.estimate().sol + launched) / row.us)


def _inside(row: Row) -> bool:
    made = row.estimate()
    return made.low <= row.us <= made.high


def _resampled(rows: list[Row], times: int = 1000) -> tuple[float, float]:
    """An interval for the median factor: operations are drawn, not times, which are not independent."""
    errors = defaultdict(list)
    for row in rows:
        errors[family(row.kernel)].append(abs(row.error()))
    rng, names = random.Random(0), sorted(errors)
    medians = []
    for _ in range(times):
        drawn = [error for name in rng.choices(names, k=len(names)) for error in errors[name]]
        medians.append(math.exp(statistics.median(drawn)))
    medians.sort()
    return medians[times // 20], medians[-times // 20]


def pairs(rows: list[Row]) -> record.Figures:
    """Kernels of one operation at one size, two by two: what the estimates say of them, and what the times."""
    found: record.Figures = dict.fromkeys(
        ("pairs_differ", "pairs_right", "pairs_called_equal", "pairs_reversed", "pairs_equal", "pairs_told_apart"), 0.0
    )
    groups = defaultdict(list)
    for row in rows:
        groups[family(row.kernel), row.shapes].append((row, row.estimate()))
    for group in groups.values():
        for (a, of_a), (b, of_b) in itertools.combinations(group, 2):
            said = surely_faster(of_b, of_a) - surely_faster(of_a, of_b)
            ratio = math.log(a.us / b.us)
            if abs(ratio) > DIFFERENT:
                found["pairs_differ"] += 1
                word = "pairs_called_equal" if not said else "pairs_right" if said * ratio > 0 else "pairs_reversed"
                found[word] += 1
            else:
                found["pairs_equal"] += 1
                found["pairs_told_apart"] += said != 0
    return found


# -- fitting --


def fit(rows: list[Row]) -> Reached:
    """The constants at which the half that is not held out errs least: each in turn, a little up or down."""

    def loss(reached: Reached) -> float:
        return statistics.mean(min(abs(row.error(reached)), 1.4) for row in rows)

    best = known_of(rows[0].target)[0]
    least = loss(best)
    for step in (1.3, 1.12, 1.05):
        moved = True
        while moved:
            moved = False
            for field, way in itertools.product(fields(Reached), (step, 1 / step)):
                low, high = _BOUNDS.get(field.name, (0.001, 1.0))
                tried = replace(best, **{field.name: min(max(getattr(best, field.name) * way, low), high)})
                if (found := loss(tried)) < least - 1e-5:
                    best, least, moved = tried, found, True
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument(
        "--keep", type=Path, help="a folder of one's own for the counts; what is there is not counted again"
    )
    parser.add_argument("--mi300x", type=Path, help="the folder of an MI300X's times, in the same form")
    parser.add_argument("--fit", action="store_true", help="print the constants that the half for fitting asks for")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="a few kernels at a few sizes")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--write", action="store_true", help="keep the JSON in bench/results/")
    chosen = parser.parse_args()
    if chosen.quick and chosen.write:
        parser.error("--write keeps full runs only")
    names = sorted(path.stem for path in (chosen.checkout / TIMED / "golden_results").glob("*.json"))
    names = [name for name in names if not chosen.quick or name in QUICK]
    if not names:
        parser.error(f"no recorded times in {chosen.checkout / TIMED}")
    with tempfile.TemporaryDirectory(prefix="geak-estimate-") as fresh:
        keep = chosen.keep or Path(fresh)
        keep.mkdir(parents=True, exist_ok=True)
        collect(chosen.checkout, keep, names, chosen.jobs, QUICK_ROWS if chosen.quick else ROWS)
        rows = known(keep, names)
        lost = [name for name in names if name not in {row.kernel for row in rows}]
    others = elsewhere(rows, chosen.mi300x) if chosen.mi300x else []
    if chosen.fit:
        for some in filter(None, (rows, others)):
            print(some[0].target, fit([row for row in some if not held_out(row.kernel)]))
        return
    figures, halves = measure(rows)
    if others:
        more, of_others = measure(others)
        figures |= {f"mi300x_{name}": value for name, value in more.items()}
        halves = {"A100": halves, "MI300X": of_others}
    facts = record.facts() | {"load_after": os.getloadavg(), "sandbox": "base", "dataset": DATASET, "not_counted": lost}
    record.report(
        "estimate", figures, facts | {"found": halves}, GOALS, "estimated against recorded times of an A100", chosen
    )


if __name__ == "__main__":
    main()
