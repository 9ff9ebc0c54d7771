"""bench/gpu.py without a GPU: its shards, what it keeps, and all of its control flow on a simulated device."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import subprocess
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from geak_evaluator.schema.profile import Counters, Metric, Profile
from geak_evaluator.schema.spec import Case
from geak_evaluator.schema.timing import Timing

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
    assert "MISSED repeat:matmul                the case does not fit" in out
    assert "ok     kernel:softmax" in out


def hurried(gpu: ModuleType, place: Path, *, seconds: float) -> tuple[int, list[str], Any]:
    """Steps of which the first is ended by the watch; the code, what was begun, and the shard."""
    begun: list[str] = []
    kept = shard(gpu, place)

    def step(name: str) -> Any:
        return name, lambda: begun.append(name) or {"us": 1.0}

    @contextlib.contextmanager
    def watch(left: float) -> Iterator[list[bool]]:
        ended: list[bool] = []
        yield ended
        ended += [True] * (begun == ["kernel:long"])

    todo = [step("kernel:long"), step("kernel:short")]
    return gpu.work(kept, todo, NEVER, seconds=seconds, watch=watch), begun, shard(gpu, place)


def test_a_step_that_was_ended_is_the_first_of_the_next_time(gpu: ModuleType, tmp_path: Path) -> None:
    code, begun, kept = hurried(gpu, tmp_path, seconds=480)
    assert (code, begun) == (4, ["kernel:long", "kernel:short"])
    assert (list(kept.known["steps"]), kept.known["unfinished"]) == (["kernel:short"], ["kernel:long"])
    asked: list[str] = []
    todo = [(name, lambda name=name: asked.append(name) or {}) for name in ("kernel:new", "kernel:long")]
    assert gpu.work(kept, todo, NEVER) == 0
    assert asked == ["kernel:long", "kernel:new"]
    assert shard(gpu, tmp_path).known["unfinished"] == []


def test_a_step_that_had_all_of_the_time_and_was_ended_is_missed(gpu: ModuleType, tmp_path: Path) -> None:
    code, _, kept = hurried(gpu, tmp_path, seconds=0)
    assert code == 1
    assert kept.known["steps"]["kernel:long"]["missed"] == ["it did not finish in 0 s"]


def test_the_watch_ends_what_a_step_waits_for(gpu: ModuleType) -> None:
    class Made:
        over = threading.Event()

        def end(self) -> None:
            self.over.set()

    with gpu.watched(Made(), 0.0) as ended:
        assert Made.over.wait(60)
    assert ended == [True]
    with gpu.watched(Made(), 3600.0) as ended:
        pass
    assert ended == []


def test_a_process_of_a_step_is_ended_with_all_that_it_started(gpu: ModuleType, tmp_path: Path) -> None:
    class Room:
        killed = 0
        hello = types.SimpleNamespace(present=())

        def kill(self) -> None:
            self.killed += 1

    room = Room()
    made = gpu.gpu_steps.Steps(room, [], tmp_path, 1.0)
    with gpu.watched(made, 0.2):
        code, _, _ = made._ran(["sh", "-c", "sleep 600 & wait"])
    assert (code, room.killed) == (-9, 1)


def test_a_profiler_that_may_not_count_is_absent_and_one_that_may_is_compared(gpu: ModuleType, tmp_path: Path) -> None:
    case = Case({"N": 4})

    class Room:
        hello = types.SimpleNamespace(present=("sm_90",))
        profiled = Profile("softmax", case, "sm_90", trouble="ncu: NVIDIA's driver keeps performance counters")

        def profile(self, spec: Path, kernel: Path, *, target: str, tool: str) -> Profile:
            assert (target, tool) == ("sm_90", "ncu")
            return self.profiled

        def evaluate(self, spec: Path, kernel: Path, **asked: Any) -> Any:
            return types.SimpleNamespace(timings=(Timing(case, "NVIDIA H200", "sm_90", candidate_us=220.0),))

    made = gpu.gpu_steps.Steps(Room(), [], tmp_path, 1.0)
    told = made.profiler("softmax")
    assert told == {"absent": "ncu: NVIDIA's driver keeps performance counters"}
    assert gpu.line("profiler:softmax", told).startswith("absent profiler:softmax             ncu: ")
    metric = Metric("duration", 100.0, "us", "ncu", "gpu__time_duration.sum")
    Room.profiled = Profile(
        "softmax", case, "sm_90", launches=(Counters("a", 0, (metric,)), Counters("b", 1, (metric,)))
    )
    told = made.profiler("softmax")
    assert (told["ncu_us"], told["ratio"], told["missed"]) == (200.0, pytest.approx(1.1), [])
    metric = Metric("duration", 110.0, "us", "ncu", "gpu__time_duration.sum")
    Room.profiled = Profile("softmax", case, "sm_90", launches=(Counters("a", 0, (metric,)),))
    assert made.profiler("softmax")["missed"] == ["220 us by us, 110 us by ncu"]


def test_the_devices_tests_are_steps_and_need_pytest(gpu: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "test_the_device_goes_on_after_a_fault" in gpu.gpu_steps.tests()
    made = gpu.gpu_steps.Steps(types.SimpleNamespace(hello=types.SimpleNamespace(present=())), [], ROOT, 1.0)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert made.test("test_the_device_goes_on_after_a_fault") == {"absent": "pytest is not installed here"}


_BARE = """
import runpy, sys
for name in "typer click rich httpx2 openai anthropic jinja2 yaml dotenv tenacity pytest".split():
    sys.modules[name] = None
sys.argv = [sys.argv[1], "--out", sys.argv[2]]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_nothing_that_the_agent_installs_is_needed(tmp_path: Path) -> None:
    """The judge's own packages and the standard library: a vendor's container has no more."""
    argv = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT / 'bench')!r})\n{_BARE}"]
    hidden = {"ROCR_VISIBLE_DEVICES": "", "CUDA_VISIBLE_DEVICES": "", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(
        [*argv, str(ROOT / "bench/gpu.py"), str(tmp_path)], capture_output=True, text=True, env=hidden
    )
    assert done.returncode == 3, done.stderr
    assert done.stderr.startswith("there is no GPU here")


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
        "doctor|launch|repeat|cheat:(remembers|side)|kernel:|profiler|test:test_triton",
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
        "profiler:softmax",
        "test:test_triton_measures_the_same",
    }
    assert steps["doctor"]["launched"] == "simulated gfx942"
    assert steps["test:test_triton_measures_the_same"]["absent"] == "it is for a real device"
    assert "there is no GPU here" in steps["profiler:softmax"]["absent"]
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
