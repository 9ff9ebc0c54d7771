"""Judges on a Ray cluster: a node that is lost costs nothing; what cannot be used is said in a sentence."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from geak.errors import MachineError, UsageError
from geak_evaluator.schema.wire import VERSION
from tests.batch.stage import batch, dataset

installed = importlib.util.find_spec("ray") is not None
WHY = "Ray is not installed: pip install 'geak[ray]'"


def test_without_ray_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    dataset(tmp_path, "")
    with pytest.raises(UsageError, match=r"needs Ray, which is not installed: pip install 'geak\[ray\]'"):
        batch(tmp_path, executor="ray")


def test_a_cluster_s_address_wants_its_executor(tmp_path: Path) -> None:
    dataset(tmp_path, "")
    with pytest.raises(UsageError, match="--address is where a Ray cluster is, and wants --executor ray"):
        batch(tmp_path, address="127.0.0.1:1")


@pytest.mark.skipif(not installed, reason=WHY)
@pytest.mark.parametrize("address", ["nonsense", ":6379", "127.0.0.1:", "127.0.0.1:99999", "ray://127.0.0.1:10001"])
def test_an_address_that_is_none(tmp_path: Path, address: str) -> None:
    dataset(tmp_path, "")
    with pytest.raises(UsageError) as caught:
        batch(tmp_path, executor="ray", address=address)
    assert str(caught.value) == (
        f"--address {address!r} is no HOST:PORT, nor auto (the cluster that this machine belongs to)"
    )


@pytest.mark.skipif(not installed, reason=WHY)
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "what answers at {} is no Ray cluster; "),
        (None, "nothing answers at {} in 0.2 seconds; "),
    ],
)
def test_an_address_where_something_else_answers_or_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: bytes | None, said: str
) -> None:
    monkeypatch.setattr("geak.cluster._REACH", 0.2 if words is None else 60.0)
    dataset(tmp_path, "")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"

        def answer() -> None:
            there, _ = server.accept()
            with there, contextlib.suppress(ConnectionResetError):
                if words is not None:
                    there.sendall(words)
                while there.recv(1024):
                    pass

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(MachineError) as caught:
            batch(tmp_path, executor="ray", address=address)
        thread.join()
    assert str(caught.value).startswith(said.format(address))


@pytest.mark.slow
@pytest.mark.skipif(not installed, reason=WHY)
def test_an_address_at_which_nothing_listens_through_the_command(tmp_path: Path) -> None:
    dataset(tmp_path, "")
    line = [sys.executable, "-m", "geak", "batch", str(tmp_path / "specs"), "--executor", "ray", "--out", "run"]
    done = subprocess.run(
        [*line, "--address", "127.0.0.1:1"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == MachineError.exit_code
    assert done.stderr == (
        "error: nothing answers at 127.0.0.1:1 (connection refused); `ray status` says whether a cluster runs, "
        "--address where it is\n"
    )


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What became of several dataset runs over one cluster, in a process of their own."""
    place = tmp_path_factory.mktemp("ray")
    driver = Path(__file__).with_name("ray_cluster.py")
    done = subprocess.run([sys.executable, str(driver), str(place)], capture_output=True, text=True, check=False)
    assert (place / "found.json").exists(), done.stderr[-4000:] + done.stdout[-2000:]
    return dict(json.loads((place / "found.json").read_text()))


@pytest.mark.slow
@pytest.mark.skipif(not installed, reason=WHY)
def test_a_node_that_is_killed_loses_nothing_and_nothing_is_judged_twice(found: dict[str, Any]) -> None:
    killed = found["killed"]
    assert (killed["code"], set(killed["fates"].values()), len(killed["fates"])) == (0, {"goal"}, 7), killed
    assert killed["nodes"] == 2
    assert killed["twice"] == [[1, 6], [2, 1]], "the candidate of the lost node is judged again, once"
    assert (killed["judged"], killed["verdicts"], killed["bought"]) == ([1], 14, [1])


@pytest.mark.slow
@pytest.mark.skipif(not installed, reason=WHY)
def test_each_judge_has_a_gpu_of_its_own_and_verdicts_come_one_by_one(found: dict[str, Any]) -> None:
    assert found["killed"]["devices"] == ["0", "0", "1"], "two on the first node, one on the other"
    assert found["killed"]["streamed"]


@pytest.mark.slow
@pytest.mark.skipif(not installed, reason=WHY)
def test_a_worker_with_another_version_is_refused_in_a_sentence(found: dict[str, Any]) -> None:
    said = found["version"]
    assert said["code"] == MachineError.exit_code
    assert said["said"] == (
        f"a worker of the cluster has GEAK {said['version']} (wire {VERSION}), and here is 0.0.1 (wire {VERSION}); "
        "install the same on all"
    )


@pytest.mark.slow
@pytest.mark.skipif(not installed, reason=WHY)
def test_workers_that_judge_otherwise_or_cannot_start_a_judge_are_refused_in_a_sentence(found: dict[str, Any]) -> None:
    assert found["unlike"]["code"] == found["nothing"]["code"] == MachineError.exit_code
    assert found["unlike"]["said"].startswith("the cluster's workers do not judge alike: one has judge ")
    assert found["nothing"]["said"] == "the judge could not be started: no-such-judge: No such file or directory"


@pytest.mark.slow
@pytest.mark.skipif(not installed, reason=WHY)
def test_what_ends_two_workers_in_turn_is_given_up_and_the_others_go_on(found: dict[str, Any]) -> None:
    assert found["ends"]["fates"] == {"k00": "rounds", "k01": "goal"}, found["ends"]
    assert found["ends_asked"] == 2
    (why,) = found["ends_why"]
    assert why.startswith("two workers in turn were lost over this; the second: ")
