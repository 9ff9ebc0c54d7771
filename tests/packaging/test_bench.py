"""The sandbox's benchmark runs, and its object has what the results are read by."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest
from workshop import ROOT


@pytest.mark.slow
def test_a_quick_run_as_json() -> None:
    argv = [sys.executable, str(ROOT / "bench" / "sandbox.py"), "--quick", "--json"]
    record = json.loads(subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout)
    figures = record["figures"]
    assert 0 < figures["fork_ms"] < figures["evaluate_ms"] < figures["fresh_ms"]
    assert math.isclose(figures["fresh_over_fork"], figures["fresh_ms"] / figures["fork_ms"], rel_tol=0.01)
    assert figures["process_growth"] == figures["file_growth"] == figures["judge_descriptor_growth"] == 0
    assert record["sandbox"] in ("base", "confined", "isolated")
    assert record["missing"] == {}, "without torch it would measure nothing"
    assert {"date", "cpu", "kernel", "python", "torch", "triton", "load_before", "load_after"} <= set(record)


def test_only_full_runs_are_kept() -> None:
    argv = [sys.executable, str(ROOT / "bench" / "sandbox.py"), "--quick", "--write"]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 2
    assert "--write keeps full runs only" in done.stderr
