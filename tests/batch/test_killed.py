"""A dataset run that is killed in the middle, and again, ends as if nothing had been."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

DRIVER = Path(__file__).with_name("killed_batch.py")


def test_a_batch_of_32_that_is_killed_ends_as_the_unkilled_one(tmp_path: Path) -> None:
    line = [sys.executable, str(DRIVER), str(tmp_path), "32", "100", "150"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    whole, killed = found["whole"], found["killed"]
    assert whole["ends"] == [0]
    assert killed["ends"] == [-signal.SIGKILL, -signal.SIGKILL, 0], done.stderr
    assert killed["fates"] == whole["fates"]
    assert {"goal", "rounds"} == set(whole["fates"].values())
    # No reply that came is bought twice; a call that was under way may be sent once more, and stays counted.
    assert killed["bought"] == whole["bought"]
    assert all(count == 1 for *_, count in killed["bought"])
    assert killed["lost"] <= 2 * 8
