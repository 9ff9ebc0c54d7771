"""Judges on a Ray cluster: a node that is lost costs nothing; what cannot be used is said in a sentence."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from geak.errors import MachineError, UsageError
from tests.batch.stage import batch, dataset

installed = importlib.util.find_spec("ray") is not None


def test_without_ray_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    dataset(tmp_path, "")
    with pytest.raises(UsageError, match=r"needs Ray, which is not installed: pip install 'geak\[ray\]'"):
        batch(tmp_path, executor="ray")


def test_a_cluster_s_address_wants_its_executor(tmp_path: Path) -> None:
    dataset(tmp_path, "")
    with pytest.raises(UsageError, match="--address is where a Ray cluster is, and wants --executor ray"):
        batch(tmp_path, address="127.0.0.1:1")


@pytest.mark.slow
@pytest.mark.skipif(not installed, reason="Ray is not installed: pip install 'geak[ray]'")
def test_an_address_at_which_nothing_answers(tmp_path: Path) -> None:
    code = "import sys; sys.argv[1:] = sys.argv[1:]; from geak.cli import main; main()"
    dataset(tmp_path, "")
    line = [sys.executable, "-c", code, "batch", str(tmp_path / "specs"), "--executor", "ray", "--out", "run"]
    done = subprocess.run(
        [*line, "--address", "127.0.0.1:1"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == MachineError.exit_code
    assert done.stderr == (
        "error: nothing answers at 127.0.0.1:1 (connection refused); `ray status` says whether a cluster runs, "
        "--address where it is\n"
    )


@pytest.mark.slow
@pytest.mark.skipif(not installed, reason="Ray is not installed: pip install 'geak[ray]'")
def test_a_node_that_is_killed_loses_nothing_and_nothing_is_judged_twice(tmp_path: Path) -> None:
    driver = Path(__file__).with_name("ray_cluster.py")
    done = subprocess.run([sys.executable, str(driver), str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads(done.stdout)  # whatever Ray has to say is not said there
    assert found["code"] == 0, found
    assert set(found["fates"].values()) == {"goal"}
    assert found["nodes"] == 2
    assert found["twice"] == 1, "the candidate of the lost node is judged again, once"
    assert (found["judged"], found["verdicts"], found["bought"]) == ([1], 12, [1])
