"""A run that is killed anywhere is gone on with, and ends as if nothing had been."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(os.geteuid() == 0, reason="once is enough: the suite runs as an ordinary user as well")

DRIVER = Path(__file__).with_name("killed_runs.py")


def killed(samples: int, rounds: int, *outcomes: str) -> dict[str, Any]:
    """What came of runs that were killed at each event in turn."""
    line = [sys.executable, str(DRIVER), str(samples), str(rounds), *outcomes]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def sequential() -> dict[str, Any]:
    return killed(1, 4, "verdict: rejected", "width: 256")


def test_a_sequential_run_ends_as_the_unkilled_one(sequential: dict[str, Any]) -> None:
    whole = sequential["whole"]
    assert len(sequential["killed"]) > 20
    assert sum(found["ends"][0] == -signal.SIGKILL for found in sequential["killed"]) == len(sequential["killed"])
    for found in sequential["killed"]:
        assert found["ends"][1] == 0, found["stop_at"]
        for what in ("candidates", "ended", "best"):
            assert found[what] == whole[what], (found["stop_at"], what)


def test_no_reply_that_came_is_bought_twice(sequential: dict[str, Any]) -> None:
    for found in sequential["killed"]:
        assert found["bought"] == sequential["whole"]["bought"], found["stop_at"]
        # A call that was announced and not answered may be sent once more; it stays counted as spent.
        assert found["calls"] == sequential["whole"]["calls"] + found["lost"]
        assert found["lost"] <= 1


@pytest.mark.slow
def test_lineages_side_by_side_lose_nothing_either() -> None:
    found = killed(2, 2, "verdict: rejected", "verdict: accepted")
    for run in found["killed"]:
        assert run["ends"] == [-signal.SIGKILL, 0], run["stop_at"]
        assert run["candidates"].keys() == found["whole"]["candidates"].keys()
        assert run["ended"] == found["whole"]["ended"]
        assert all(count == 1 for *_, count in run["bought"]), run["bought"]
