"""bench/gpu.py without a GPU: its shards, what it keeps, and all of its control flow on a simulated device."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import sys
import threading
import time
import types
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from geak_evaluator.oracle import SpecFile
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.schema.profile import Counters, Metric, Profile
from geak_evaluator.schema.spec import Case
from geak_evaluator.schema.timing import State, Timing
from geak_evaluator.tune.reading import read
from tests.gpu import checks
from tests.gpu.place import Place

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


def test_a_folder_for_results_that_is_new_is_made(gpu: ModuleType, tmp_path: Path) -> None:
    assert gpu.work(shard(gpu, tmp_path / "a" / "new" / "folder"), [("kernel:softmax", dict)], NEVER) == 0
    assert len(list((tmp_path / "a/new/folder").iterdir())) == 1


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
    code = gpu.work(kept, todo, time.monotonic() + 100, seconds=seconds, watch=watch)
    return code, begun, shard(gpu, place)


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
    made = gpu.gpu_steps.Steps(room, "", tmp_path, 1.0)
    with gpu.watched(made, 0.2):
        code, _, _ = made._ran(["sh", "-c", "sleep 600 & wait"])
    assert (code, room.killed) == (-9, 1)


def test_what_is_being_ended_is_not_closed_meanwhile(gpu: ModuleType, tmp_path: Path) -> None:
    """A sandbox that two threads close at once would close what is no longer its own."""
    begun, closed = threading.Event(), threading.Event()
    found: list[bool] = []

    class Box:
        busy = False

        def close(self) -> None:
            self.busy = True
            begun.set()
            closed.wait(0.2)
            self.busy = False

    box = Box()
    room = types.SimpleNamespace(hello=types.SimpleNamespace(present=()), kill=lambda: None)
    made = gpu.gpu_steps.Steps(room, "", tmp_path, 1.0)
    made._opened = types.SimpleNamespace(box=box)
    made._stack.callback(lambda: found.append(box.busy) or closed.set())
    ending = threading.Thread(target=made.end)
    ending.start()
    begun.wait(60)
    made.close()
    ending.join(60)
    assert found == [False]


def test_a_profiler_that_may_not_count_is_absent_and_one_that_may_is_compared(
    gpu: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case({"N": 4})

    class Room:
        hello = types.SimpleNamespace(present=("sm_90",))
        profiled = Profile("softmax", case, "sm_90", trouble="ncu: NVIDIA's driver keeps performance counters")

        def profile(self, spec: Path, kernel: Path, *, target: str, tool: str) -> Profile:
            assert (target, tool) == ("sm_90", "ncu")
            return self.profiled

    made = gpu.gpu_steps.Steps(Room(), "", tmp_path, 1.0)
    monkeypatch.setattr(made, "_timed", lambda name: Timing(case, "NVIDIA H200", "sm_90", candidate_us=220.0))
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


def test_the_devices_checks_are_steps_that_need_no_pytest(
    gpu: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = gpu.gpu_steps.Steps(types.SimpleNamespace(hello=types.SimpleNamespace(present=())), "", tmp_path, 1.0)
    names = [name for name, _ in gpu.steps(made, [])]
    assert "check:it_goes_on_after_a_hang" in names
    asked: list[object] = []

    def passes(place: object) -> None:
        asked.append(place)

    def misses(place: object) -> None:
        raise checks.Missed("100 us, and 102 us the next time")

    monkeypatch.setattr(made, "_opened", "the device")
    monkeypatch.setattr(checks, "CHECKS", {"passes": passes, "misses": misses})
    assert made.check("passes") == {"missed": []}
    assert made.check("misses") == {"missed": ["100 us, and 102 us the next time"]}
    assert asked == ["the device"]


def test_a_cheat_is_refused_by_what_it_does_and_by_no_noise(
    gpu: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case({"N": 4})
    honest = Timing(case, "NVIDIA H200", "sm_90", candidate_us=220.0, call_us=230.0)
    told = [honest]
    made = gpu.gpu_steps.Steps(types.SimpleNamespace(hello=types.SimpleNamespace(present=())), "", tmp_path, 1.0)
    monkeypatch.setattr(made, "_opened", types.SimpleNamespace(timed=lambda *_, **__: told.pop(0)))
    monkeypatch.setattr(gpu.gpu_steps, "starter", lambda name, folder: (None, b""))
    told.append(replace(honest, state=State.FAILED, message="what it computed is wrong"))
    assert "what it computed is wrong" in made.cheat("remembers")["refused"]
    told.append(replace(honest, candidate_us=100.0))
    assert made.cheat("remembers")["missed"] == ["it is told 100 us, and the honest kernel 220 us"]
    told.append(replace(honest, state=State.NOISY))
    with pytest.raises(gpu.gpu_steps.NotHere, match="nothing was measured"):
        made.cheat("remembers")


def test_what_tells_most_in_a_second_comes_first(gpu: ModuleType) -> None:
    made = gpu.gpu_steps.Steps(types.SimpleNamespace(hello=types.SimpleNamespace(present=())), "", ROOT, 1.0)
    names = [name for name, _ in gpu.steps(made, gpu.gpu_steps.kernels(gpu.shipped()))]
    kinds = list(dict.fromkeys(name.partition(":")[0] for name in names))
    assert kinds[:8] == ["doctor", "launch", "repeat", "cheat", "check", "do_bench", "profiler", "proof"]
    assert kinds[8:] == ["kernel", "full", "variants"]
    assert all(gpu.gpu_steps.expected(name) > 0 for name in names)
    assert len(set(names)) == len(names)
    timed = next(n for n, name in enumerate(names) if name.startswith("kernel:"))
    assert sum(map(gpu.gpu_steps.expected, names[:timed])) <= 8 * 60
    assert max(gpu.gpu_steps.expected(name) for name in names if name.startswith("variants:")) <= 60


def test_a_step_that_would_take_longer_than_is_left_waits(
    gpu: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun: list[str] = []
    todo = [(name, lambda name=name: begun.append(name) or {}) for name in ("full:softmax", "kernel:a", "kernel:b")]
    kept = shard(gpu, tmp_path)
    kept.known["unfinished"] = ["kernel:b"]
    seconds = {"full:softmax": 1e6, "kernel:a": 1.0, "kernel:b": 1e6}
    code = gpu.work(kept, todo, time.monotonic() + 3600, expected=seconds.__getitem__)
    assert (code, begun) == (4, ["kernel:b", "kernel:a"])  # which had its turn, and was ended
    assert "2 steps done, 1 left" in (out := capsys.readouterr().out)
    assert "  left: 1 of full, about 1000000 s" in out


def test_a_mistake_of_ours_costs_no_other_step(
    gpu: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> dict[str, Any]:
        raise KeyError("us")

    assert gpu.work(shard(gpu, tmp_path), [("kernel:a", broken), ("kernel:b", dict)], NEVER) == 1
    out = capsys.readouterr().out
    assert "MISSED kernel:a                     KeyError: 'us'" in out
    assert "ok     kernel:b" in out
    assert out.splitlines()[-2].startswith("MISSED kernel:a")  # the last lines may be all that is seen
    assert "in broken" in shard(gpu, tmp_path).known["steps"]["kernel:a"]["trace"]


def test_a_step_that_hangs_has_its_own_time_and_leaves_the_rest_to_the_others(gpu: ModuleType, tmp_path: Path) -> None:
    given: list[float] = []
    renewed: list[str] = []

    @contextlib.contextmanager
    def watch(left: float) -> Iterator[list[bool]]:
        given.append(left)
        yield [True] if len(given) == 1 else []

    todo = [("kernel:hangs", dict), ("kernel:b", lambda: {"us": 1.0})]
    until = time.monotonic() + 3600
    kept = shard(gpu, tmp_path)
    code = gpu.work(kept, todo, until, seconds=3600, watch=watch, renew=lambda: renewed.append("anew"))
    assert (code, given, renewed) == (1, [gpu._LEAST_STEP_S] * 2, ["anew"])
    assert kept.known["steps"]["kernel:hangs"]["missed"] == ["it did not finish in 0 s"]
    assert kept.known["steps"]["kernel:b"]["us"] == 1.0


def test_what_missed_can_be_done_again(gpu: ModuleType, tmp_path: Path) -> None:
    kept = shard(gpu, tmp_path)
    todo = [("kernel:a", lambda: {"missed": ["1 us"]}), ("kernel:b", dict)]
    assert gpu.work(kept, todo, NEVER) == 1
    kept.forget(kept.missed)
    assert gpu.work(kept, [(name, dict) for name, _ in todo], NEVER) == 0
    assert list(kept.known["steps"]) == ["kernel:b", "kernel:a"]


def test_a_judge_that_ended_is_followed_by_another(gpu: ModuleType, tmp_path: Path) -> None:
    ended: list[str] = []

    class Room:
        hello = types.SimpleNamespace(present=())

        def __init__(self, name: str) -> None:
            self.name = name

        def kill(self) -> None:
            ended.append(self.name)

        close = kill

    made = gpu.gpu_steps.Steps(Room("first"), "", tmp_path, 1.0, lambda: Room("second"))
    assert made.room.name == "first"
    made.renew()
    assert (made.room.name, made.room.name, set(ended)) == ("second", "second", {"first"})


def test_a_device_is_held_awake_by_a_process_of_ours(gpu: ModuleType, tmp_path: Path) -> None:
    awake = sys.modules["gpu_awake"].awake
    marks = tmp_path / "ended"
    program = f"import sys; print('a device', flush=True); sys.stdin.read(); open({str(marks)!r}, 'w')"
    with awake(program, ("/",)) as said:
        assert said == "a device"
    with awake("raise SystemExit('Found no NVIDIA driver on your system')", ("/",)) as said:
        assert said == "no: Found no NVIDIA driver on your system"
    with awake("raise SystemExit(1)", (str(tmp_path / "nothing"),)) as said:
        assert said == ""
    assert not marks.exists()


def test_there_are_four_hundred_configurations_to_time(gpu: ModuleType) -> None:
    variants = sys.modules["gpu_variants"]
    found = {}
    for name in variants.VARIED:
        space = read((gpu.shipped() / "kernels" / f"{name}.py").read_bytes())
        parts = [variants.part(space, "sm_90", number) for number in range(1, variants.PARTS + 1)]
        found[name] = sum(map(len, parts))
        assert parts[0][0] == space.present
        assert parts == [variants.part(space, "sm_90", number) for number in range(1, variants.PARTS + 1)]
    assert len(found) == 20
    assert min(found.values()) >= 15
    assert 380 <= sum(found.values()) <= 400


def test_pairs_that_are_told_apart_are_in_order_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    later = importlib.import_module("gpu_later")
    assert later.in_order([(100.0, 50.0), (105.0, 20.0), (200.0, 60.0), (300.0, 55.0)]) == (5, 4)


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


def test_nothing_is_tried_where_nothing_can_be_launched(gpu: ModuleType, tmp_path: Path) -> None:
    todo = [("doctor", lambda: {"missed": ["cuInit"], "stop": True}), ("launch", lambda: pytest.fail("it was tried"))]
    assert gpu.work(shard(gpu, tmp_path), todo, NEVER) == 1


def test_the_rest_goes_on_where_only_the_sandbox_does_not_hold(gpu: ModuleType, tmp_path: Path) -> None:
    """What runs is of the checkout."""
    todo = [("doctor", lambda: {"missed": ["sandbox base"], "stop": False}), ("launch", dict)]
    kept = shard(gpu, tmp_path)
    assert gpu.work(kept, todo, NEVER) == 1
    assert list(kept.known["steps"]) == ["doctor", "launch"]


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
    argv = [sys.executable, str(ROOT / "bench/gpu.py"), "--device", "simulated:gfx942:watts=300"]
    argv += ["--specs", str(tmp_path / "specs"), "--out", str(tmp_path / "a/new/folder")]
    only = "doctor|launch|repeat|cheat:(remembers|side)|proof|kernel:|full|variants:softmax:[12]|profiler|check:it"
    argv += ["--only", only, "--minutes", "60", "--seconds", "600"]
    done = subprocess.run(argv, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    (file,) = (tmp_path / "a/new/folder").glob("*.json")
    steps = json.loads(file.read_text())["steps"]
    assert {name: found.get("missed", []) for name, found in steps.items() if found.get("missed")} == {}, done.stdout
    assert done.returncode == 0, done.stderr
    checks = ("check:it_goes_on_after_an_illegal_address", "check:it_goes_on_after_a_hang")
    proofs = [f"proof:{part}" for part in range(1, 5)]
    assert list(steps) == [
        *("doctor", "launch", "repeat:softmax", "cheat:side_stream", "cheat:remembers", *checks),
        *("profiler:softmax", *proofs, "kernel:softmax", "full:softmax", "variants:softmax:1", "variants:softmax:2"),
    ]
    assert steps["doctor"]["launched"] == "simulated gfx942"
    assert steps[checks[0]]["absent"] == "it is for a real device"
    assert "there is no GPU here" in steps["profiler:softmax"]["absent"]
    assert [steps[name]["kernels"] for name in proofs] == [["softmax"], [], [], []]
    assert steps["kernel:softmax"]["us"] > 0
    assert len({"over_eager", "over_compile"} & set(steps["kernel:softmax"])) == 1  # the faster of them
    assert steps["full:softmax"]["joules"] > 0
    assert steps["launch"]["how"] == "simulated gfx942"
    assert steps["variants:softmax:1"]["variants"][0]["us"] > 0
    argv = [sys.executable, str(ROOT / "bench/gpu_later.py"), str(file), "--specs", str(tmp_path / "specs")]
    subprocess.run(argv, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    steps = json.loads(file.read_text())["steps"]
    assert steps["kernel:softmax"]["estimated_us"] > 0
    assert steps["variants:softmax:1"]["variants"][0]["of_memory"] > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "it_goes_on_after_an_illegal_address",
        "it_goes_on_after_a_hang",
        "lines_that_persist",
        "a_kernel_is_as_fast_as_itself",
        "a_configuration_that_does_not_fit_is_passed_over",
        "other_targets_are_compiled_for_and_not_timed",
    ],
)
def test_checks_of_a_device_can_be_passed(box: Sandbox, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """On a simulated one, at a size that can be interpreted; a device's own word is not in it."""
    for file in ("FILE", "SMALL"):
        text = checks.SPEC.replace("1 << 26", "4096").encode()
        monkeypatch.setattr(checks, file, SpecFile(checks.FILE.path, text))
    found = Place.of(box, "simulated:gfx942:noise=0.001:wander=0.001", seconds=600)
    assert found is not None
    with found as place:
        checks.CHECKS[name](place)


def test_without_a_gpu_it_ends_with_one_sentence(tmp_path: Path) -> None:
    argv = [sys.executable, str(ROOT / "bench/gpu.py"), "--out", str(tmp_path)]
    hidden = {"ROCR_VISIBLE_DEVICES": "", "CUDA_VISIBLE_DEVICES": "", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(argv, capture_output=True, text=True, env=hidden)
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith("there is no GPU here that this user may open")
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.glob("*.json")) == []
