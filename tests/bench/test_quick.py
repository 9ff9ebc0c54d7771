"""The benchmarks start and end: their figures are for a quiet machine, and are not looked at here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["loop", "batch", "judge", "starter"])
def test_a_quick_run_gives_its_figures(name: str) -> None:
    command = [sys.executable, str(BENCH / f"{name}.py"), "--quick", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=BENCH.parent, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["figures"]
