"""How long a confined child takes to be ready, how that compares with a fresh interpreter, and what 1,000 leave behind.

    python bench/sandbox.py [--quick] [--json] [--write]

`fork_ms` runs from the request for a child to the first line of foreign code in it, with torch and triton loaded;
`fresh_ms` from the start of a new interpreter, which imports the same, to the same line. Both ends read one clock that
every process shares. Medians; the fresh ones are spread over the whole run, so that both see the same machine.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import record

from geak_evaluator.sandbox.box import PRELOAD, Sandbox
from geak_evaluator.sandbox.policy import Level

ROLE = "geak_evaluator.children.script"
STAMP = "__import__('time').clock_gettime_ns(1)"  # CLOCK_MONOTONIC
FIRST_LINE = f"answer = str({STAMP}).encode()".encode()

CHILDREN, QUICK_CHILDREN = 1000, 200
FRESH, QUICK_FRESH = 20, 5
WARM_UP = 30
"""Children before the first look: a process's first requests grow it, and that is no leak."""

TARGETS = {
    "fork_ms": ("<", 15.0),
    "fresh_over_fork": (">=", 60.0),
    # Zero, but for the page or two that an allocator takes now and then: a true leak shows in every child.
    "judge_rss_growth_kib": ("<", 1024.0),
    "zygote_rss_growth_kib": ("<", 1024.0),
    "zygote_pss_growth_kib": ("<", 1024.0),
    "judge_descriptor_growth": ("<=", 0.0),
    "zygote_descriptor_growth": ("<=", 0.0),
    "process_growth": ("<=", 0.0),
    "file_growth": ("<=", 0.0),
}


@dataclass(frozen=True)
class Holdings:
    """What the judge and its warm process hold at one moment, as the host sees them; None where it may not look."""

    judge_rss_kib: int | None
    zygote_rss_kib: int | None
    zygote_pss_kib: int | None
    """Anonymous pages only: the files of torch are shared with whoever else has it loaded."""
    judge_descriptors: int | None
    zygote_descriptors: int | None
    processes: int
    files: int

    @classmethod
    def now(cls, box: Sandbox, root: Path) -> Holdings:
        guardian = box.processes[0]
        below = list(_descendants(guardian))
        zygote = below[0]
        return cls(
            judge_rss_kib=_kib("/proc/self/status", "VmRSS:"),
            zygote_rss_kib=_kib(f"/proc/{zygote}/status", "VmRSS:"),
            zygote_pss_kib=_kib(f"/proc/{zygote}/smaps_rollup", "Pss_Anon:"),
            judge_descriptors=_descriptors("self"),
            zygote_descriptors=_descriptors(zygote),
            processes=1 + len(below),
            files=len(list(root.iterdir())),
        )

    def growth(self, before: Holdings) -> dict[str, float]:
        """The difference, of what could be read both times."""
        was = asdict(before)
        names = {"processes": "process_growth", "files": "file_growth"}
        grown = {}
        for field, value in asdict(self).items():
            stem, _, unit = field.rpartition("_")
            name = names.get(field) or (f"{stem}_growth_kib" if unit == "kib" else f"{field[:-1]}_growth")
            if value is not None and was[field] is not None:
                grown[name] = float(value - was[field])
        return grown


def measure(children: int, fresh: int) -> tuple[dict[str, float], dict[str, Any]]:
    """Every figure by its name, and what has to be known to read them."""
    load_before = os.getloadavg()
    started = time.perf_counter()
    forks, whole, fresh_ms = [], [], []
    with Sandbox(minimum=Level.BASE) as box:
        start_s = time.perf_counter() - started
        modules = [name for name in PRELOAD if name not in box.missing]
        _fresh(modules)  # fills the disk's cache
        for _ in range(WARM_UP):
            _child(box)
        with box.spawn(ROLE) as child:
            root = Path(child.workdir).parent
        before = Holdings.now(box, root)
        for block in range(fresh):
            fresh_ms.append(_fresh(modules))
            for _ in range(children * (block + 1) // fresh - children * block // fresh):
                fork_ms, evaluate_ms = _child(box)
                forks.append(fork_ms)
                whole.append(evaluate_ms)
        after = Holdings.now(box, root)
        level, leaks, missing = box.level.value, box.report.leaks, box.missing
    tenth = max(1, len(forks) // 10)
    figures = {
        "fork_ms": statistics.median(forks),
        "fork_ms_p90": statistics.quantiles(forks, n=10)[-1],
        "fresh_ms": statistics.median(fresh_ms),
        "fresh_over_fork": statistics.median(fresh_ms) / statistics.median(forks),
        "evaluate_ms": statistics.median(whole),
        "start_s": start_s,
        "fork_ms_first_tenth": statistics.median(forks[:tenth]),
        "fork_ms_last_tenth": statistics.median(forks[-tenth:]),
        **after.growth(before),
    }
    facts = {
        **record.facts(),
        "sandbox": level,
        "leaks": list(leaks),
        "missing": missing,
        "children": children,
        "fresh": fresh,
        "load_before": load_before,
        "load_after": os.getloadavg(),
        "before": asdict(before),
        "after": asdict(after),
    }
    return {name: round(value, 3) for name, value in figures.items()}, facts


def _child(box: Sandbox) -> tuple[float, float]:
    """Milliseconds to the first foreign line, and to the child's end."""
    asked = time.monotonic_ns()
    with box.spawn(ROLE) as child:
        reply = child.ask(FIRST_LINE)
    ended = time.monotonic_ns()
    if not reply.ok:
        raise SystemExit(f"a child did not answer ({reply.fault}): {child.log}")
    return (int(reply.body) - asked) / 1e6, (ended - asked) / 1e6


def _fresh(modules: list[str]) -> float:
    """Milliseconds until a new interpreter has imported the same and reaches the same line."""
    code = f"import sys; sys.path[:] = {sys.path!r}\nimport {', '.join(modules)}\nprint({STAMP})"
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS")}
    asked = time.monotonic_ns()
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | threads, stdout=subprocess.PIPE, check=True)
    return (int(done.stdout) - asked) / 1e6


def _descendants(pid: int) -> Iterator[int]:
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # Bytes: a process may call itself what is no text.
            parent = int(stat.read_bytes().rpartition(b")")[2].split()[1])
            parents.setdefault(parent, []).append(int(stat.parent.name))
        except OSError:
            continue  # it ended while we looked
    todo = [pid]
    while todo:
        found = parents.get(todo.pop(0), [])
        yield from found
        todo += found


def _kib(path: str, field: str) -> int | None:
    try:
        lines = Path(path).read_text(errors="replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith(field)), None)


def _descriptors(pid: int | str) -> int | None:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return None


def main() -> None:
    chosen = record.options(__doc__, f"{QUICK_CHILDREN} children instead of {CHILDREN}")
    figures, known = measure(*((QUICK_CHILDREN, QUICK_FRESH) if chosen.quick else (CHILDREN, FRESH)))
    record.report("sandbox", figures, known, TARGETS, f"{known['children']} children", chosen)


if __name__ == "__main__":
    main()
