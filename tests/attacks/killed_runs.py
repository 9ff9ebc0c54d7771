"""A run that is killed at each of its events in turn and gone on with; started by test_faults_runs.py in its cage.

    python killed_runs.py SAMPLES ROUNDS OUTCOME ...

Each attempt is a process of its own, forked from this one, that kills itself; what came of it is printed as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from geak import api
from geak.journal.events import Announced, Ended, Received
from geak.journal.store import Entry, read
from geak.record import Waiting
from geak.runs import Result
from tests.loop.stage import kernel, options, spec


def attempt(place: Path, kernels: list[str], asked: dict[str, Any], stop_at: int) -> int:
    """Works on the run in a child that kills itself at that event; how the child ended."""
    child = os.fork()
    if child == 0:
        try:
            seen = 0

            def watch(what: Entry | Waiting) -> None:
                nonlocal seen
                seen += isinstance(what, Entry)
                if seen == stop_at:
                    os.kill(os.getpid(), signal.SIGKILL)

            asyncio.run(_work(place, kernels, asked, watch))
        except BaseException:
            traceback.print_exc()
            os._exit(99)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


async def _work(place: Path, kernels: list[str], asked: dict[str, Any], watch: Any) -> Result:
    path = spec(place)
    path.write_text(f"{path.read_text()}# seeds: 1\n")
    return await api.generate_async(path, **options(place, kernels, **asked), watch=watch)


def summary(folder: Path) -> dict[str, Any]:
    """What a run came to, without times, ids and what was lost."""
    run = api.load_run(folder)
    announced = {e.event.call: e.event for e in run.entries if isinstance(e.event, Announced)}
    received = [e.event for e in run.entries if isinstance(e.event, Received)]
    bought = Counter((announced[event.call].candidate, announced[event.call].role) for event in received)
    last = run.entries[-1].event
    assert isinstance(last, Ended)
    return {
        "candidates": {name: repr(candidate) for name, candidate in run.population.candidates.items()},
        "bought": sorted([*place, count] for place, count in bought.items()),
        "ended": [last.reason, last.exit_code],
        "best": (folder / "best.py").read_text().partition("# <<<")[2] if (folder / "best.py").exists() else "",
        "calls": len(announced),
        "lost": run.population.account.lost,
    }


def main() -> None:
    samples, rounds, outcomes = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    kernels = [kernel(number, outcome) for number, outcome in enumerate(outcomes)]
    asked: dict[str, Any] = {"samples": samples, "rounds": rounds, "goal": "best", "usd": None, "repairs": 1}
    if samples == 1:  # a compiler's kernel, which the tuner betters, comes first
        asked |= {"seed": "inductor", "tune": 4}
    found = []
    with tempfile.TemporaryDirectory() as base:
        whole = Path(base, "whole")
        whole.mkdir()
        assert attempt(whole, kernels, asked, 0) == 0
        events = len(read(whole / "run"))
        for stop_at in range(1, events + 1):
            place = Path(base, str(stop_at))
            place.mkdir()
            ends = [attempt(place, kernels, asked, stop_at), attempt(place, kernels, asked, 0)]
            found.append({"stop_at": stop_at, "ends": ends} | summary(place / "run"))
        print(json.dumps({"whole": summary(whole / "run"), "killed": found}))


if __name__ == "__main__":
    main()
