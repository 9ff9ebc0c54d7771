"""A profile is of the plan that the judge recorded: replayed by the judge's own door, on a simulated device."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from geak_evaluator import profiling
from geak_evaluator.judge import Judge
from geak_evaluator.measure import planfile, replaying
from geak_evaluator.measure.energy import Counted
from geak_evaluator.measure.lease import lease, suspect, suspicion
from geak_evaluator.oracle import SpecFile
from geak_evaluator.sandbox import landlock
from geak_evaluator.schema.device import Gpu
from geak_evaluator.schema.plan import Plan
from geak_evaluator.schema.profile import Profile
from tests.measure import fakes

SPEC = b'''"""Twice each element of the rows that are asked for."""
from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"N": Axis(1, 4096)},
    inputs={"x": Tensor("N"), "at": Tensor("N", "int32", fill="permutation(N)")},
    outputs=Tensor("N"),
    cases=[{"N": 33}],
    bench=[{"N": 512}],
)


def reference(x, at):
    return 2 * x[at.long()]
'''
KERNEL = b"""import torch
import triton
import triton.language as tl


@triton.jit
def gather(x, at, y, n, BLOCK: tl.constexpr):
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    row = tl.load(at + place, mask=place < n, other=0)
    tl.store(y + place, tl.load(x + row, mask=place < n), mask=place < n)


@triton.jit
def twice(y, n, BLOCK: tl.constexpr):
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + place, tl.load(y + place, mask=place < n) * 2, mask=place < n)


def rows(x, at):
    y = torch.empty_like(x)
    grid = (triton.cdiv(x.numel(), 256),)
    gather[grid](x, at, y, x.numel(), BLOCK=256)
    twice[grid](y, x.numel(), BLOCK=256)
    return y
"""
MI300X = Gpu("amd", "GPU-21b6d61638a86f8c", name="AMD Instinct MI300X", arch="gfx942", target="gfx942", units=304)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GEAK_LEASES", str(tmp_path / "leases"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return tmp_path


def profiled(judge: Judge, place: Path, **more: object) -> Profile:
    file = SpecFile(place / "rows.py", SPEC)
    asked = {"target": "gfx942", "gpus": [MI300X], "device": "simulated"} | more
    return profiling.profile(judge, file, KERNEL, **asked)  # type: ignore[arg-type]


@pytest.mark.slow
def test_counters_of_each_launch_of_the_plan(judge: Judge, place: Path) -> None:
    fakes.rocprof_compute(place, kernels=("gather", "twice"))
    found = profiled(judge, place, choice="rocprof")
    assert [(one.tool, one.trouble) for one in found.tools] == [
        ("rocprofv3", "rocprofv3 is not installed here"),
        ("rocprof-compute", ""),
    ]
    assert found.trouble == ""
    assert (found.device, found.uuid, found.target) == ("AMD Instinct MI300X", MI300X.uuid, "gfx942")
    assert [launch.kernel for launch in found.launches] == ["gather", "twice"]
    first = found.launches[0]
    assert first.value("duration") == 20.0
    assert first.value("l2_hit") == 75.0
    assert {"lds_conflicts", "stall_wait"} <= {one.metric for one in first.bottlenecks}
    assert first.roofline is not None
    assert first.roofline.counted
    assert found.estimate is not None
    assert found.figures
    assert found.notes == ("energy is not known: a simulated device draws no power",)


def test_a_profiler_must_count_the_plan_and_nothing_else(
    judge: Judge, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = [sys.executable, "-IS", "-c", "pass", "--times", "6"]
    monkeypatch.setattr(planfile.Replayer, "command", lambda *_, **__: quick)
    fakes.rocprofv3(place, kernels=("gather",))
    found = profiled(judge, place, choice="rocprof")
    assert not found.measured
    assert "what rocprofv3 counted is not the plan" in found.trouble
    fakes.rocprofv3(place, kernels=("gather", "twice"))
    found = profiled(judge, place, choice="rocprof")
    assert found.trouble == ""
    assert [launch.kernel for launch in found.launches] == ["gather", "twice"]


@pytest.mark.skipif(landlock.abi() == 0, reason="this kernel has no Landlock")
def test_what_replays_can_write_to_its_own_folder_alone(place: Path) -> None:
    (place / "plan").mkdir()
    own, other, secret = place / "plan/own", Path.home() / ".geak-must-not-be-there", place / "secret"
    secret.write_text("a key")
    # Below /tmp profilers write, so what must not be written lies elsewhere.
    script = f"""
import pathlib, socket
from geak_evaluator.measure.replaying import _confine
_confine(pathlib.Path({str(place / "plan")!r}), [])
pathlib.Path({str(own)!r}).write_text("mine")
socket.socket().bind(("127.0.0.1", 0))
for tried in (lambda: open({str(other)!r}, "w"), lambda: open("/proc/1/environ"), lambda: open("/root/.netrc", "a")):
    try:
        tried()
    except PermissionError:
        continue
    except FileNotFoundError:
        continue
    print("not confined")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert own.read_text() == "mine"
    assert not other.exists()


def test_a_replay_may_read_what_a_profiler_has_its_driver_load(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NVIDIA's is loaded when CUDA starts, which is after the replay has confined itself."""
    read: list[str] = []

    def restrict(readable: Iterable[str], *others: object, **more: object) -> int:
        read.extend(readable)
        return 1

    tool = fakes.program(place, "ncu", "")
    (place / "bin").mkdir()
    (place / "bin/ncu").symlink_to(tool)
    monkeypatch.setenv("PATH", f"{place}/bin:{os.environ['PATH']}")
    monkeypatch.setattr(replaying, "prctl", lambda *_: 0)
    monkeypatch.setattr(landlock, "restrict", restrict)
    replaying._confine(place, [])
    assert {"/opt/nvidia", os.path.realpath(tool.parent)} <= set(read)


@pytest.mark.skipif(landlock.abi() == 0, reason="this kernel has no Landlock")
def test_a_replay_writes_into_a_tools_folder_wherever_that_lies(place: Path) -> None:
    """Here as if no temporary folder were one that every profiler writes to."""
    for folder in ("plan", "report", "other"):
        (place / folder).mkdir()
    about = planfile.PlanFile("gfx942", Plan(()), ())
    planfile.write(place / "plan", about, b"", {})
    script = f"""
import pathlib, sys
from geak_evaluator.measure import replaying
replaying._TEMPORARY = ()
confine = replaying._confine
def then_write(*given):
    confine(*given)
    for name in ("plan", "report", "other"):
        try:
            pathlib.Path({str(place)!r}, name, "written").write_text("x")
        except PermissionError:
            print("shut", name)
    sys.exit()
replaying._confine = then_write
replaying.main(sys.argv[1:])
"""
    replay = planfile.Replayer(place / "plan", about, {})
    words = replay.command(1, report=place / "report")
    given = words[words.index("replay") + 1 :]
    done = subprocess.run([sys.executable, "-c", script, *given], capture_output=True, text=True, check=True)
    assert done.stdout == "shut other\n"
    assert (place / "report/written").exists()


def test_a_device_that_is_anothers(judge: Judge, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiling, "_WAIT_S", 0.0)
    with lease([MI300X]):
        found = profiled(judge, place, choice="rocprof")
    assert "is leased to another process" in found.trouble
    assert found.estimate is not None


def test_a_device_that_was_reset_is_suspect_afterwards(
    judge: Judge, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = "if '--version' in argv:\n    sys.exit()\nsys.exit('amdgpu: GPU reset begin!')"
    fakes.program(place / "bin", "rocprofv3", body)
    found = profiled(judge, place, choice="rocprof")
    assert "rocprofv3: the device's driver was reset while it ran" in found.trouble
    assert suspicion(MI300X) == "the device's driver was reset while it ran"


def test_a_device_that_does_not_recover(judge: Judge, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suspect(MI300X, "the device's driver was reset while it ran")
    monkeypatch.setattr(profiling, "fault", lambda gpu: "it adds numbers up to 0 whose sum is 7")
    found = profiled(judge, place, choice="rocprof")
    assert (
        "does not work: it adds numbers up to 0 whose sum is 7 (before that: the device's driver was" in found.trouble
    )


@pytest.mark.parametrize(
    ("gpu", "words"),
    [
        (
            dataclasses.replace(MI300X, name="AMD Instinct MI250X", arch="gfx90a", target="gfx90a"),
            "the GPU here is AMD Instinct MI250X (gfx90a), and gfx942 was asked for",
        ),
        (dataclasses.replace(MI300X, usable=False, nodes=("/dev/kfd",)), "this user cannot open /dev/kfd"),
    ],
)
def test_a_device_that_will_not_do(judge: Judge, place: Path, gpu: Gpu, words: str) -> None:
    found = profiled(judge, place, gpus=[gpu])
    assert words in found.trouble
    assert "cuda" not in found.trouble.lower()


def written(judge: Judge, place: Path) -> planfile.PlanFile:
    """The plan on disk, as a profile writes it."""
    kept: list[planfile.PlanFile] = []

    def keep(replay: planfile.Replayer, *_: object, **__: object) -> profiling.Taken:
        (place / "plan").mkdir()
        for file in replay.folder.iterdir():
            if file.is_file():
                (place / "plan" / file.name).write_bytes(file.read_bytes())
        kept.append(replay.about)
        return profiling.Taken((), ())

    profiled(judge, place, taking=keep)
    return kept[0]


def test_the_door(
    judge: Judge, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(replaying, "_confine", lambda *_: None)  # it would stay confined
    about = written(judge, place)
    assert [step.kernel for step in about.plan.launches] == ["gather", "twice"]
    folder = place / "plan"
    assert replaying.main([str(folder), "--device", "simulated", "--times", "2"]) == 0
    assert capsys.readouterr().out.startswith("triton ")
    text = (folder / "plan.json").read_text()
    (folder / "plan.json").write_text(text.replace('"bytes":2048', '"bytes":99999999999'))
    assert replaying.main([str(folder), "--device", "simulated"]) == 3
    assert "geak-replay: the case does not fit: it needs 95,367 MiB" in capsys.readouterr().err
    (folder / "plan.json").write_text("{}")
    assert replaying.main([str(folder), "--device", "simulated"]) == 3
    assert "cannot be replayed" in capsys.readouterr().err


def test_energy_of_calls_without_a_pause() -> None:
    class Board:
        source, period_s, step, total, asked = "a counter", 1e-4, 1e-6, 100.0, 0

        def joules(self) -> float:
            return self.total

    class Metal:
        waited = 0

        def synchronize(self) -> None:
            self.waited += 1

    board, metal, calls = Board(), Metal(), []

    def once() -> None:
        calls.append(1)
        board.total += 0.5

    found = replaying.run_for(metal, once, Counted(board), 0.01)  # type: ignore[arg-type]
    assert found.calls == len(calls) == 32 * metal.waited
    assert found.joules == pytest.approx(0.5)
