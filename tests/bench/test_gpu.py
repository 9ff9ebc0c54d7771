"""bench/gpu.py without a GPU: its shards, what it keeps, and all of its control flow on a simulated device."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NEVER, LONG_AGO = 1e18, 0.0


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    return importlib.import_module("gpu")


def shard(gpu: ModuleType, place: Path, number: int = 1, count: int = 1) -> Any:
    return gpu.Shard.of(place, "AMD Instinct MI300X", number, count)


def test_what_is_done_is_left_out_the_next_time(gpu: ModuleType, tmp_path: Path) -> None:
    asked: list[str] = []

    def step(name: str) -> Any:
        def run() -> dict[str, Any]:
            asked.append(name)
            return {"us": 1.5}

        return name, run

    todo = [step("doctor"), step("launch"), step("kernel:softmax")]
    assert gpu.work(shard(gpu, tmp_path), todo, LONG_AGO) == 4
    assert asked == ["doctor", "launch"]
    assert gpu.work(shard(gpu, tmp_path), todo, NEVER) == 0
    assert asked == ["doctor", "launch", "kernel:softmax"]
    (file,) = tmp_path.iterdir()
    assert file.name.startswith("gpu-amd-instinct-mi300x-2")
    known = json.loads(file.read_text())
    assert known["device"] == "AMD Instinct MI300X"
    assert known["steps"]["kernel:softmax"]["us"] == 1.5


def test_a_step_that_goes_wrong_costs_no_other(
    gpu: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> dict[str, Any]:
        raise gpu.gpu_steps.NotHere("the case does not fit")

    todo = [("repeat:matmul", broken), ("kernel:softmax", lambda: {"us": 1.0})]
    assert gpu.work(shard(gpu, tmp_path), todo, NEVER) == 1
    out = capsys.readouterr().out
    assert "MISSED repeat:matmul               the case does not fit" in out
    assert "ok     kernel:softmax" in out


def test_nothing_is_tried_where_the_sandbox_does_not_hold(gpu: ModuleType, tmp_path: Path) -> None:
    todo = [("doctor", lambda: {"missed": ["sandbox base"]}), ("launch", lambda: pytest.fail("it was tried"))]
    assert gpu.work(shard(gpu, tmp_path), todo, NEVER) == 1


def test_shards_keep_files_of_their_own(gpu: ModuleType, tmp_path: Path) -> None:
    for number in (1, 2):
        gpu.work(shard(gpu, tmp_path, number, 2), [(f"kernel:{number}", dict)], NEVER)
    names = sorted(path.name[-11:] for path in tmp_path.iterdir())
    assert names == ["-1of2.json", "-2of2.json"] or [name[-10:] for name in names] == ["-1of2.json", "-2of2.json"]
    assert set(shard(gpu, tmp_path, 2, 2).known["steps"]) == {"kernel:2"}


@pytest.mark.parametrize("text", ["0/2", "3/2", "x", "1"])
def test_a_shard_that_is_none(gpu: ModuleType, text: str) -> None:
    with pytest.raises(SystemExit) as error:
        gpu.main(["--shard", text])
    assert error.value.code == 2


SPEC = '''"""Softmax over rows."""
import torch

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 64), "N": Axis(1, 128)},
    inputs={"x": Tensor("M, N")},
    outputs=Tensor("M, N"),
    cases=[{"M": 3, "N": 17}],
    bench=[{"M": 4, "N": 128}],
)


def reference(x):
    return torch.softmax(x, -1)
'''
KERNEL = """import torch
import triton
import triton.language as tl


@triton.jit
def _rows(x, y, n, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    row = tl.load(x + tl.program_id(0) * n + at, mask=at < n, other=-float("inf"))
    row = tl.exp(row - tl.max(row, 0))
    tl.store(y + tl.program_id(0) * n + at, row / tl.sum(row, 0), mask=at < n)


def softmax(x):
    y = torch.empty_like(x)
    _rows[(x.shape[0],)](x, y, x.shape[1], BLOCK=triton.next_power_of_2(x.shape[1]))
    return y
"""


@pytest.mark.slow
def test_all_of_it_on_a_simulated_device(tmp_path: Path) -> None:
    (tmp_path / "specs/kernels").mkdir(parents=True)
    (tmp_path / "specs/softmax.py").write_text(SPEC)
    (tmp_path / "specs/kernels/softmax.py").write_text(KERNEL)
    argv = [
        sys.executable,
        str(ROOT / "bench/gpu.py"),
        "--device",
        "simulated:gfx942",
        "--specs",
        str(tmp_path / "specs"),
    ]
    argv += [
        "--out",
        str(tmp_path),
        "--only",
        "doctor|launch|repeat|cheat:(remembers|side)|kernel",
        "--minutes",
        "60",
        "--seconds",
        "600",
    ]
    done = subprocess.run(argv, capture_output=True, text=True)
    (file,) = tmp_path.glob("*.json")
    steps = json.loads(file.read_text())["steps"]
    assert {name: found.get("missed", []) for name, found in steps.items() if found.get("missed")} == {}, done.stdout
    assert done.returncode == 0, done.stderr
    assert set(steps) == {
        "doctor",
        "launch",
        "repeat:softmax",
        "cheat:side_stream",
        "cheat:remembers",
        "kernel:softmax",
    }
    assert steps["kernel:softmax"]["us"] > 0
    assert steps["launch"]["how"] == "simulated gfx942"


def test_without_a_gpu_it_ends_with_one_sentence(tmp_path: Path) -> None:
    argv = [sys.executable, str(ROOT / "bench/gpu.py"), "--out", str(tmp_path)]
    hidden = {"ROCR_VISIBLE_DEVICES": "", "CUDA_VISIBLE_DEVICES": "", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(argv, capture_output=True, text=True, env=hidden)
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith("there is no GPU here that this user may open")
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.glob("*.json")) == []
