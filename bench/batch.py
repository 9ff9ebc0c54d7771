"""What `geak batch` adds to the time that models and judges need, and what it holds in memory.

    python bench/batch.py [--quick] [--json] [--write]

The model is a server on loopback that answers after a set latency and some jitter. The judges are programs that say a
verdict after a set time and use no processor for it, as those of other machines would: what is measured is how well
waiting for the one and for the other overlap, whatever else this machine does. The ideal is the longest of three: the
chain of the kernel that takes longest alone, a model's calls over its concurrency (10; there is a model for each role),
all verdicts over the judges.

* `wall_over_ideal`      64 kernels of 10 rounds at once
* `barrier_over_ours`    the same number of calls and verdicts in GEAK's own structure (generate all, test serially,
                         reflect all), with the same server and one such judge, over our time. Simulated: the calls
                         hold a short prompt, nothing is written down, and no time passes between them
* `memory_512_over_8`    the agent's largest resident set after 512 kernels of one round, over that after 8; 8 at a time
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import loop_model
import record

from geak import api
from geak.journal.events import Announced, Judged, Received
from geak.journal.store import read
from geak.models.base import Call, Message
from geak.settings import Settings
from geak.workplace import workplace

LATENCY, JITTER = 1.0, 0.25
TASKS, ROUNDS, JUDGES, VERDICT_S, CONCURRENCY = 64, 10, 8, 0.1, 10
GOALS = {"wall_over_ideal": ("<=", 1.15), "memory_512_over_8": ("<=", 1.10)}

SPEC = '"""Twice each element."""\n\nfrom geak_evaluator import Spec\n\nspec = Spec()\n'
KERNEL = """import triton
import triton.language as tl


@triton.jit
def double_kernel(x, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + at, tl.load(x + at, mask=at < n) * 2, mask=at < n)


def double(x):
    return x
"""


def settings(url: str, rounds: int, seconds: float) -> Settings:
    """What every kernel is asked; a model for each role, behind one server."""
    table = {"kind": "openai-compatible", "base_url": url, "concurrency": CONCURRENCY}
    tables = {
        role: table | {"model": f"loopback-{role}", "price": {"input": 0, "output": 0}}
        for role in ("generator", "reflector", "optimizer")
    }
    judge = f"{sys.executable} {Path(__file__).with_name('batch_judge.py')} {seconds}"
    return Settings(
        generator_model="generator",
        reflector_model="reflector",
        optimizer_model="optimizer",
        models=tables,
        rounds=rounds,
        goal="best",
        target=("gfx942",),
        usd=None,
        judge=(judge,) * JUDGES,
        environment={},
    )


def dataset(base: Path, count: int) -> Path:
    folder = base / f"specs{count}"
    folder.mkdir(exist_ok=True)
    for number in range(count):
        (folder / f"k{number:03}.py").write_text(f"{SPEC}# {number}\n")
    return folder


async def ours(base: Path, tasks: int, rounds: int) -> tuple[float, float]:
    """How long a whole batch takes, from its first kernel to its last; and the processor time of the agent."""
    with loop_model.serving_apart(KERNEL, LATENCY, JITTER) as url:
        began: list[float] = []
        used = time.process_time()
        result = await api.batch_async(
            dataset(base, tasks),
            settings=settings(url, rounds, VERDICT_S),
            jobs=tasks,
            out=base / "run",
            watch=lambda what: began.append(time.perf_counter()),
        )
    assert result.exit_code == 0, result.message
    return began[-1] - began[0], time.process_time() - used


def ideal(folder: Path) -> tuple[float, dict[str, Any]]:
    """The longest of chain, models and judges, at the mean latency, for what the journals say was asked."""
    chains: list[float] = []
    by_model: Counter[str] = Counter()
    verdicts = failed = 0
    for run in sorted(folder.glob("kernels/*/*")):
        events = [entry.event for entry in read(run)]
        made = {event.call: event.model for event in events if isinstance(event, Announced)}
        asked = Counter(made[event.call] for event in events if isinstance(event, Received))
        judged = sum(isinstance(event, Judged) for event in events)
        failed += len(made) - asked.total()
        chains.append(asked.total() * LATENCY + judged * VERDICT_S)
        by_model += asked
        verdicts += judged
    parts = {
        "chain_s": max(chains),
        "models_s": max(by_model.values()) * LATENCY / CONCURRENCY,
        "judges_s": verdicts * VERDICT_S / JUDGES,
    }
    return max(parts.values()), {"calls": by_model.total(), "verdicts": verdicts, "failed_calls": failed} | {
        k: round(v, 2) for k, v in parts.items()
    }


async def barrier(base: Path, tasks: int, rounds: int) -> float:
    """Generate all, test one after another, reflect on all; then the next round."""
    spec = dataset(base, tasks) / "k000.py"
    with loop_model.serving_apart(KERNEL, LATENCY, JITTER) as url:
        chosen = settings(url, rounds, VERDICT_S)
        async with workplace(chosen) as place:

            async def ask(role: Any) -> str:
                async with place.paces[place.models[role].name].slot():
                    return (await place.models[role].ask(Call((Message("user", "a question"),), role))).text

            async def test(written: list[str]) -> None:
                for source in written:
                    await place.judges.evaluate(spec, source)

            started = time.perf_counter()
            for number in range(rounds):
                if number:
                    await asyncio.gather(*(ask("optimizer") for _ in range(tasks)))
                written = await asyncio.gather(*(ask("generator") for _ in range(tasks)))
                await test(written)
                if number < rounds - 1:
                    await asyncio.gather(*(ask("reflector") for _ in range(tasks)))
            await test(written)  # the final tier
            return time.perf_counter() - started


def memory(count: int) -> float:
    """The largest resident set in MiB of a process that ran so many kernels, eight at a time."""
    line = [sys.executable, __file__, "--memory", str(count)]
    return float(subprocess.run(line, capture_output=True, text=True, check=True).stdout)


def remember(count: int) -> None:
    """One such process."""
    with tempfile.TemporaryDirectory() as base, loop_model.serving_apart(KERNEL, 0.0) as url:
        result = api.batch(dataset(Path(base), count), settings=settings(url, 1, 0.0), jobs=8, out=Path(base, "run"))
    assert result.exit_code == 0, result.message
    # Not getrusage's: what the parent held when it started this process counts there.
    held = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    print(int(held.split()[1]) / 1024)


def measure(quick: bool) -> tuple[record.Figures, dict[str, Any]]:
    """Every figure by its name, and what has to be known to read them."""
    tasks, rounds = (8, 3) if quick else (TASKS, ROUNDS)
    known: dict[str, Any] = {"load_before": os.getloadavg(), "latency_s": LATENCY, "jitter_s": JITTER}
    known |= {"tasks": tasks, "rounds": rounds, "judges": JUDGES, "verdict_s": VERDICT_S, "concurrency": CONCURRENCY}
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        wall, used = asyncio.run(ours(base, tasks, rounds))
        best, parts = ideal(base / "run")
        serial = asyncio.run(barrier(base, tasks, rounds))
    few, many = memory(8), memory(24 if quick else 512)
    figures: record.Figures = {
        "wall_over_ideal": wall / best,
        "barrier_over_ours": serial / wall,
        "memory_512_over_8": many / few,
    }
    known |= parts | {
        "wall_s": round(wall, 2),
        "ideal_s": round(best, 2),
        "agent_cpu_s": round(used, 2),
        "barrier_s": round(serial, 2),
    }
    known |= {
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
        "memory_8_mib": round(few, 1),
        "memory_512_mib": round(many, 1),
    }
    return figures, record.facts() | known | {"sandbox": "none: scripted judges", "load_after": os.getloadavg()}


def main() -> None:
    if sys.argv[1:2] == ["--memory"]:
        remember(int(sys.argv[2]))
        return
    chosen = record.options(__doc__, "eight kernels of three rounds, and 24 for 512")
    figures, known = measure(chosen.quick)
    what = f"a model that answers in {LATENCY:g} ± {JITTER:g} s, {JUDGES} scripted judges of {VERDICT_S:g} s"
    record.report("batch", figures, known, GOALS, what, chosen)


if __name__ == "__main__":
    sys.exit(main())
