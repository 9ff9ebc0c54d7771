"""How long a verdict takes: the gate, everything, and how that compares with a fresh Python for each candidate.

    python bench/judge.py [--quick] [--json] [--write]

Over the starter specs and their kernels, whose machine code is in the cache already:

* `gate_ms`          the median verdict at the gate, by one judge, as the judge's caller sees it
* `full_s`           the median full verdict; `full_s_slowest` the slowest
* `fresh_over_gate`  medians: the same work by bench/fresh.py, which starts Python for each kernel, over `gate_ms`
* `scaling_2`        gates a second by a pool of two judges over those by a pool of one

A verdict that is not ACCEPTED ends the run: it would measure something else.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import record

from geak.judge import Judge as Client
from geak.judge import command
from geak.specs import shipped
from geak_evaluator.judge import Judge
from geak_evaluator.machine_code.cache import Cache
from geak_evaluator.oracle import SpecFile
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.schema.verdict import Status, Tier, Verdict

FRESH = Path(__file__).with_name("fresh.py")
TARGET = "gfx942"
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
        rates = {workers: _rate(pairs, workers, rounds) for workers in (1, 2)}
    figures = {
        "gate_ms": 1000 * statistics.median(gates),
        "gate_ms_p90": 1000 * statistics.quantiles(gates, n=10)[-1],
        "full_s": statistics.median(full),
        "full_s_slowest": max(full),
        "fresh_ms": 1000 * statistics.median(fresh),
        "fresh_over_gate": statistics.median(fresh) / statistics.median(gates),
        "gates_per_s": rates[1],
        "gates_per_s_2": rates[2],
        "scaling_2": rates[2] / rates[1],
    }
    known = {
        **record.facts(),
        "sandbox": level,
        "kernels": len(names),
        "rounds": rounds,
        "slowest": names[full.index(max(full))],
        "load_before": load_before,
        "load_after": os.getloadavg(),
    }
    return {name: round(value, 3) for name, value in figures.items()}, known


def _seconds(judge: Judge, pair: tuple[Path, Path], tier: Tier) -> float:
    spec, kernel = pair
    file, source = SpecFile.read(spec), kernel.read_bytes()
    began = time.perf_counter()
    verdict = judge.evaluate(file, source, targets=[TARGET], tier=tier)
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


def _rate(pairs: list[tuple[Path, Path]], workers: int, rounds: int) -> float:
    """Gates a second by a pool of so many judges, once they are up."""
    kernels = [(spec, kernel.read_text()) for spec, kernel in pairs]
    argv = [*command(), "--workers", str(workers)]
    with Client(argv) as room:
        asked = {"targets": [TARGET], "tier": Tier.GATE}
        list(room.evaluate_all(kernels[: 2 * workers], **asked))  # type: ignore[arg-type]
        began = time.perf_counter()
        for _, verdict in room.evaluate_all(kernels * rounds, **asked):  # type: ignore[arg-type]
            if not isinstance(verdict, Verdict):
                raise verdict
            _accepted(verdict)
        return rounds * len(kernels) / (time.perf_counter() - began)


def _accepted(verdict: Verdict) -> None:
    if verdict.status is not Status.ACCEPTED:
        raise SystemExit(f"not accepted: {verdict.line()}")


def main() -> None:
    chosen = record.options(__doc__, f"{', '.join(QUICK)} once, instead of all {ROUNDS} times")
    names = list(QUICK) if chosen.quick else sorted(path.stem for path in shipped().glob("*.py"))
    figures, known = measure(names, QUICK_ROUNDS if chosen.quick else ROUNDS)
    record.report("judge", figures, known, TARGETS, f"{known['kernels']} kernels", chosen)


if __name__ == "__main__":
    main()
