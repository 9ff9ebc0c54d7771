"""What the loop adds to the time that models and judges need, and whether its prompts stay short.

    python bench/loop.py [--quick] [--json] [--write]

Models are a server on loopback that answers after a set latency; judges are the real ones. For each figure the ideal is
the longer of the longest chain (a run's calls at that latency, and its verdicts at the time that one takes alone) and
the processor time of all verdicts over the cores.

* `wall_over_ideal_1`    one run alone
* `wall_over_ideal_16`   16 runs at once, over one set of models and judges
* `tokens_40_over_2`     tokens that a question holds in the last rounds of 40, over those of the second round
"""

from __future__ import annotations

import asyncio
import os
import resource
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import loop_model
import record

from geak.journal.events import Announced, Judged, Received
from geak.journal.store import read
from geak.judge import Judge
from geak.runs import begin
from geak.settings import Settings
from geak.tasks import Task
from geak.workplace import workplace
from geak_evaluator.schema.verdict import Tier

LATENCY = 1.0
ROUNDS_1, ROUNDS_16, RUNS = 8, 8, 16
GOALS = {"wall_over_ideal_1": ("<=", 1.10), "wall_over_ideal_16": ("<=", 1.10), "tokens_40_over_2": ("<=", 1.25)}

SPEC = '''"""Twice each element of a vector."""

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(axes={"N": Axis(1, 65536)}, inputs={"x": Tensor("N")}, outputs=Tensor("N"), cases=[{"N": 781}])


def reference(x):
    return x * 2
'''
KERNEL = """import torch
import triton
import triton.language as tl


@triton.jit
def double_kernel(x, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + at, tl.load(x + at, mask=at < n) * 2, mask=at < n)


def double(x):
    y = torch.empty_like(x)
    double_kernel[(triton.cdiv(x.numel(), 256),)](x, y, x.numel(), BLOCK=256)
    return y
"""


@dataclass(frozen=True)
class Alone:
    """What a verdict takes when nothing else runs: seconds, and those of processor time."""

    wall: dict[Tier, float]
    cpu: dict[Tier, float]


def alone(spec: Path, repeats: int) -> Alone:
    """Measured with one judge, its cache warm."""
    wall: dict[Tier, float] = {}
    cpu: dict[Tier, float] = {}
    for tier in (Tier.FULL, Tier.FINAL):
        times, idle = [], 0.0
        for count in (0, repeats):
            before = _children()
            with Judge() as judge:
                for number in range(count + 1):  # one to warm it up
                    started = time.perf_counter()
                    verdict = judge.evaluate(spec, f"{KERNEL}\n# {number}\n", targets=("gfx942",), tier=tier)
                    assert verdict.line().startswith("ACCEPTED"), verdict.line()
                    times.append(time.perf_counter() - started)
            spent = _children() - before
            if count:
                cpu[tier] = (spent - idle) / count
            idle = spent
        wall[tier] = statistics.median(times[2:])
    return Alone(wall, cpu)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def wall(settings: Settings, spec: Path, base: Path, runs: int) -> tuple[float, list[Path]]:
    """How long so many runs take together, and their folders; judges and models are open before."""
    folders = [base / f"{runs}-{number}" for number in range(runs)]
    async with workplace(replace(settings, samples=runs)) as place:
        place = replace(place, settings=settings)
        await asyncio.gather(*(place.judges.describe(spec) for _ in range(place.judges.leases)))
        started = time.perf_counter()
        results = await asyncio.gather(*(begin(Task(spec), place, out=folder) for folder in folders))
        taken = time.perf_counter() - started
    assert all(result.exit_code == 0 for result in results), results[0].message
    return taken, folders


def ideal(folders: list[Path], one: Alone, latency: float, cores: int) -> float:
    """The longer of the longest chain and the processors' share."""
    chains, cpu = [], 0.0
    for folder in folders:
        events = [entry.event for entry in read(folder)]
        tiers = [event.tier for event in events if isinstance(event, Judged)]
        calls = sum(isinstance(event, Received) for event in events)
        chains.append(calls * latency + sum(one.wall[tier] for tier in tiers))
        cpu += sum(one.cpu[tier] for tier in tiers)
    return max(*chains, cpu / cores) if len(chains) > 1 else max(chains[0], cpu / cores)


def flatness(folder: Path) -> float:
    """Tokens that a round's questions hold in the last quarter of a run, over those of its second round."""
    announced: dict[int, Announced] = {}
    by_round: dict[int, int] = defaultdict(int)
    for entry in read(folder):
        if isinstance(entry.event, Announced):
            announced[entry.event.call] = entry.event
        elif isinstance(entry.event, Received):
            turn = int(announced[entry.event.call].candidate.partition(".")[2])
            by_round[turn] += entry.event.usage.input
    last = [by_round[turn] for turn in by_round if max(by_round) * 3 // 4 < turn < max(by_round)]
    return statistics.mean(last) / by_round[2]


def measure(quick: bool) -> tuple[record.Figures, dict[str, Any]]:
    """Every figure by its name, and what has to be known to read them."""
    known: dict[str, Any] = {"load_before": os.getloadavg(), "latency_s": LATENCY}
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as base:
        spec = Path(base, "double.py")
        spec.write_text(SPEC)
        one = alone(spec, 2 if quick else 20)
        known |= {f"{tier.value}_alone_s": round(one.wall[tier], 3) for tier in one.wall}
        known |= {f"{tier.value}_cpu_s": round(one.cpu[tier], 3) for tier in one.cpu}
        figures: record.Figures = {}
        for runs, rounds in ((1, ROUNDS_1), (2 if quick else RUNS, 2 if quick else ROUNDS_16)):
            with loop_model.serving(KERNEL, LATENCY) as url:
                taken, folders = asyncio.run(wall(_settings(url, rounds), spec, Path(base, "walls"), runs))
            best = ideal(folders, one, LATENCY, cores)
            figures[f"wall_over_ideal_{1 if runs == 1 else RUNS}"] = taken / best
            known |= {f"wall_{runs}_s": round(taken, 2), f"ideal_{runs}_s": round(best, 2)}
        with loop_model.serving(KERNEL, 0.0) as url:
            _, folders = asyncio.run(wall(_settings(url, 8 if quick else 40), spec, Path(base, "flat"), 1))
        figures["tokens_40_over_2"] = flatness(folders[0])
        with Judge() as judge:
            known["sandbox"] = judge.hello.sandbox
    return figures, record.facts() | known | {"load_after": os.getloadavg()}


def _settings(url: str, rounds: int) -> Settings:
    tables = {
        role: {"kind": "openai-compatible", "model": f"loopback-{role}", "base_url": url, "concurrency": 64}
        for role in ("generator", "reflector", "optimizer")
    }
    free = {"price": {"input": 0, "output": 0}}
    return Settings(
        generator_model="generator",
        reflector_model="reflector",
        optimizer_model="optimizer",
        models={name: table | free for name, table in tables.items()},
        rounds=rounds,
        goal="best",
        target=("gfx942",),
        environment={},
    ).settled()


def main() -> None:
    chosen = record.options(__doc__, "two runs for sixteen, fewer rounds")
    figures, known = measure(chosen.quick)
    record.report("loop", figures, known, GOALS, f"models answer in {LATENCY:g} s", chosen)


if __name__ == "__main__":
    sys.exit(main())
