"""How long a verdict takes: the gate, everything, and how that compares with a fresh Python for each candidate.

    python bench/judge.py [--quick] [--json] [--write]

Over the starter specs and their kernels:

* `full_s`           the median full verdict for the targets that `geak eval` asks for by itself, each compiled for the
                     first time; `full_s_slowest` the slowest
* `gate_ms`          the median verdict at the gate for the first of them, by one judge, as its caller sees it; by now
                     the machine code is in the cache
* `fresh_over_gate`  medians: the same work by bench/fresh.py, which starts Python for each kernel, over `gate_ms`
* `scaling_2`        gates a second by two judges on two processors over those by one that is kept to one of them (on
                     two it is slower: whichever it turns to has to wake up first); both are up and warm, and take
                     turns, so that they see the same machine; the median of the rounds, `scaling_2_least` the least

A verdict that is not ACCEPTED ends the run: it would measure something else. Nor is a figure recorded that cannot be:
one round may say a little over 2 by luck, and where all do the machine was another.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import record

from geak.judge import Judge as Client
from geak.judge_process import command
from geak.settings import DEFAULT_TARGETS
from geak.specs import shipped
from geak_evaluator.judge import Judge
from geak_evaluator.machine_code.cache import Cache
from geak_evaluator.oracle import SpecFile
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.schema.verdict import Status, Tier, Verdict

FRESH = Path(__file__).with_name("fresh.py")
ASKED = DEFAULT_TARGETS
TARGET = ASKED[0]
QUICK = ("softmax", "matmul", "rope", "argmax")
ROUNDS, QUICK_ROUNDS = 3, 1
TARGETS = {
    "gate_ms": ("<", 300.0),
    "full_s": ("<", 10.0),
    "fresh_over_gate": (">=", 8.0),
    "scaling_2": (">=", 1.7),
}


def measure(names: list[str], rounds: int) -> tuple[record.Figures, dict[str, Any]]:
    """Every figure by its name, and what has to be known to read them."""
    load_before = os.getloadavg()
    folder = shipped()
    pairs = [(folder / f"{name}.py", folder / "kernels" / f"{name}.py") for name in names]
    with tempfile.TemporaryDirectory() as place, Sandbox() as box:
        os.environ["XDG_CACHE_HOME"] = place
        cache = Path(place, "geak", "machine-code")
        judge = Judge(box, cache=Cache(cache))
        full = [_seconds(judge, pair, Tier.FULL) for pair in pairs]  # fills the cache too
        gates: list[float] = []
        fresh: list[float] = []
        for number in range(rounds):
            for pair in pairs:
                gates.append(_seconds(judge, pair, Tier.GATE))
                if number == 0:  # between gates, so that both see the same machine
                    fresh.append(_fresh(pair, cache))
        level = box.level.value
        with contextlib.ExitStack() as started:
            rooms: dict[int, Client] = {}
            for workers in (1, 2):
                with _kept_to(workers):
                    rooms[workers] = started.enter_context(Client([*command(), "--workers", str(workers)]))
            rates = _rates([(spec, kernel.read_text()) for spec, kernel in pairs], rooms, rounds)
    scalings = [two / one for one, two in zip(rates[1], rates[2], strict=True)]
    figures = {
        "gate_ms": 1000 * statistics.median(gates),
        "gate_ms_p90": 1000 * statistics.quantiles(gates, n=10)[-1],
        "full_s": statistics.median(full),
        "full_s_slowest": max(full),
        "fresh_ms": 1000 * statistics.median(fresh),
        "fresh_over_gate": statistics.median(fresh) / statistics.median(gates),
        "gates_per_s": statistics.median(rates[1]),
        "gates_per_s_2": statistics.median(rates[2]),
        "scaling_2": statistics.median(scalings),
        "scaling_2_least": min(scalings),
    }
    known = {
        **record.facts(),
        "sandbox": level,
        "kernels": len(names),
        "rounds": rounds,
        "targets": ASKED,
        "slowest": names[full.index(max(full))],
        "load_before": load_before,
        "load_after": os.getloadavg(),
    }
    return {name: round(value, 3) for name, value in figures.items()}, known


def _seconds(judge: Judge, pair: tuple[Path, Path], tier: Tier) -> float:
    spec, kernel = pair
    file, source = SpecFile.read(spec), kernel.read_bytes()
    began = time.perf_counter()
    verdict = judge.evaluate(file, source, targets=list(ASKED if tier is Tier.FULL else ASKED[:1]), tier=tier)
    took = time.perf_counter() - began
    _accepted(verdict)
    return took


def _fresh(pair: tuple[Path, Path], cache: Path) -> float:
    argv = [sys.executable, str(FRESH), *map(str, pair), TARGET, str(cache)]
    began = time.perf_counter()
    done = subprocess.run(argv, stdout=subprocess.PIPE, check=True, text=True)
    took = time.perf_counter() - began
    if not done.stdout.startswith("ACCEPTED"):
        raise SystemExit(f"not accepted by {FRESH.name}: {done.stdout}")
    return took


@contextlib.contextmanager
def _kept_to(count: int) -> Iterator[None]:
    """What is started within runs on so many of this process's processors."""
    every = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(every)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, every)


def _rates(kernels: list[tuple[Path, str]], rooms: Mapping[int, Client], rounds: int) -> dict[int, list[float]]:
    """Gates a second by each pool, round by round, once everything that it does has been done before."""
    for room in rooms.values():
        _gates_per_s(room, kernels)
    found: dict[int, list[float]] = {workers: [] for workers in rooms}
    for number in range(rounds):
        for workers in sorted(rooms, reverse=number % 2 == 1):
            found[workers].append(_gates_per_s(rooms[workers], kernels))
    return found


def _gates_per_s(room: Client, kernels: list[tuple[Path, str]]) -> float:
    began = time.perf_counter()
    for _, verdict in room.evaluate_all(kernels, targets=[TARGET], tier=Tier.GATE):
        if not isinstance(verdict, Verdict):
            raise verdict
        _accepted(verdict)
    return len(kernels) / (time.perf_counter() - began)


def impossible(figures: record.Figures, cores: int) -> str:
    """Why these figures cannot be true; nothing where they can."""
    most, least = min(2, cores), figures["scaling_2_least"]
    if least <= most:
        return ""
    return (
        f"scaling_2 is {least:g} at the least, and two judges on {cores} core{'s' * (cores != 1)} do at most {most} "
        "times what one does: the machine was slower while one worked. "
        "Nothing is recorded; run it again on a quiet machine"
    )


def _accepted(verdict: Verdict) -> None:
    if verdict.status is not Status.ACCEPTED:
        raise SystemExit(f"not accepted: {verdict.line()}")


def main() -> None:
    chosen = record.options(__doc__, f"{', '.join(QUICK)} once, instead of all {ROUNDS} times")
    names = list(QUICK) if chosen.quick else sorted(path.stem for path in shipped().glob("*.py"))
    figures, known = measure(names, QUICK_ROUNDS if chosen.quick else ROUNDS)
    if why := impossible(figures, known["cores"]):
        if chosen.write:
            raise SystemExit(why)
        print(why, file=sys.stderr)
    record.report("judge", figures, known, TARGETS, f"{known['kernels']} kernels", chosen)


if __name__ == "__main__":
    main()
