"""A device has one holder at a time, over processes; one that dies holds nothing, and a suspect is tested first."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from geak_evaluator.measure.lease import Busy, Seat, Unfit, lease, lease_any, suspect, suspicion
from geak_evaluator.schema.device import Gpu

A, B = (Gpu("amd", f"GPU-000000000000000{n}", n, name=f"card {n}") for n in (1, 2))
_EVALUATOR = str(Path(__file__).parents[2] / "evaluator")
_HOLD = f"""
import sys; sys.path.insert(0, {_EVALUATOR!r})
from geak_evaluator.measure.lease import lease
from geak_evaluator.schema.device import Gpu
with lease([Gpu("amd", uuid) for uuid in sys.argv[1:]]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def leases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GEAK_LEASES", str(tmp_path / "leases"))
    return tmp_path / "leases"


@contextmanager
def another_process(*gpus: Gpu) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-IS", "-c", _HOLD, *(gpu.uuid for gpu in gpus)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_device_that_another_process_holds() -> None:
    with (
        another_process(A) as holder,
        pytest.raises(Busy, match=rf"card 1 \[{A.uuid}\] is leased to another process \(process {holder.pid}\)"),
        lease([A]),
    ):
        pass


def test_a_dead_holder_holds_nothing() -> None:
    with another_process(A) as holder:
        holder.kill()
        holder.wait()
        with lease([A]):
            pass


def test_whoever_waits_gets_it() -> None:
    with another_process(A) as holder:
        assert holder.stdin is not None
        holder.stdin.close()  # it lets go now, or a little later
        with lease([A], wait_s=60):
            pass


def test_all_or_none() -> None:
    with another_process(B):
        with pytest.raises(Busy), lease([A, B]):
            pass
        with lease([A]):  # was let go
            pass


def test_whichever_is_free() -> None:
    with another_process(A), lease_any([A, B]) as gpu:
        assert gpu is B


def test_none_is_free() -> None:
    with another_process(A, B), pytest.raises(Busy, match="card 2"), lease_any([A, B]):
        pass


def test_a_suspect_is_tested_before_it_is_used_again() -> None:
    suspect(A, "it did not answer for 60 s")
    asked: list[Gpu] = []

    def broken(gpu: Gpu) -> str:
        asked.append(gpu)
        return "a sum of known numbers is wrong"

    with pytest.raises(Unfit, match=r"is wrong \(before that: it did not answer for 60 s\)"), lease([A], test=broken):
        pass
    assert asked == [A]
    with lease_any([A, B], test=broken) as gpu:
        assert gpu is B
    with lease([A], test=lambda gpu: ""):
        assert suspicion(A) == ""


def test_what_works_is_not_tested_each_time() -> None:
    with lease([A], test=lambda gpu: "never asked"):
        pass


def test_a_folder_that_leads_elsewhere_is_not_used(leases: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    leases.symlink_to(tmp_path / "other")
    with pytest.raises(Busy, match="is no folder of its own"), lease([A]):
        pass


def test_a_file_that_leads_elsewhere_is_not_followed(leases: Path, tmp_path: Path) -> None:
    with lease([A]):
        pass
    (file,) = leases.glob("*.lease")
    file.unlink()
    target = tmp_path / "precious"
    target.write_text("mine")
    file.symlink_to(target)
    with pytest.raises(OSError, match="symbolic"), lease([A]):
        pass
    assert target.read_text() == "mine"
    assert os.stat(leases).st_mode & 0o1777 == 0o1777


_SIT = f"""
import sys; sys.path.insert(0, {_EVALUATOR!r})
from geak_evaluator.measure.lease import Seat
from geak_evaluator.schema.device import Gpu
seat = Seat([Gpu("amd", uuid) for uuid in sys.argv[1:]])
print(seat.gpu.uuid, flush=True)
sys.stdin.read()
"""


def test_judges_spread_over_devices_by_themselves() -> None:
    """They know nothing of each other; one that dies gives its place back."""
    argv = [sys.executable, "-IS", "-c", _SIT, A.uuid, B.uuid]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"{A.uuid}\n"
        mine, third, fourth, fifth = (Seat([A, B]) for _ in range(4))
        assert [one.gpu for one in (mine, third, fourth, fifth)] == [B, A, B, A]
        with lease([A]), lease([B]):
            pass  # a place is no lease
        process.kill()
        process.wait()
    assert Seat([A, B]).gpu == A
    mine.leave()
    assert Seat([A, B]).gpu == B
    for one in (third, fourth, fifth):
        one.leave()


def test_a_judge_with_no_folder_for_leases_has_the_first_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GEAK_LEASES", str(tmp_path / "file"))
    assert Seat([A, B]).gpu == A
