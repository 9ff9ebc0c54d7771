"""The code for real devices, before a runtime that is described: torch.cuda as CUDA and as HIP have it, on the CPU."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from geak_evaluator.children import jit_only
from geak_evaluator.children.fingerprints import fingerprint
from geak_evaluator.children.tensors import Arena
from geak_evaluator.device import simulated as described
from geak_evaluator.device.cuda_on_cpu import cuda_on_cpu
from geak_evaluator.device.simulated import replaced
from geak_evaluator.kernel_child import SPACE
from geak_evaluator.measure.metal import NoGraph, known, real, sensors
from geak_evaluator.measure.metal.child import serve, shared
from geak_evaluator.measure.metal.runner import PlanWork, Runner
from geak_evaluator.sandbox.memory import SharedMemory
from geak_evaluator.schema import codec
from geak_evaluator.schema.layout import Slot
from geak_evaluator.schema.measuring import Asked, Block, Draw, Prepare, Prepared, Timed
from geak_evaluator.schema.measuring import Tested as Said
from geak_evaluator.schema.plan import Allocate, Argument, Fill, Launch, Library, Output, Plan, View
from geak_evaluator.schema.target import find
from tests.measure.sides import Recording

H200 = SimpleNamespace(
    name="NVIDIA H200",
    major=9,
    minor=0,
    total_memory=150_000_000_000,
    L2_cache_size=60 << 20,
    uuid="c0ffee00-0000-0000-0000-000000000001",
    pci_domain_id=0,
    pci_bus_id=0x9A,
    pci_device_id=0,
)
MI300X = SimpleNamespace(
    name="AMD Instinct MI300X",
    major=9,
    minor=4,
    gcnArchName="gfx942:sramecc+:xnack-",
    total_memory=206_000_000_000,
    L2_cache_size=4 << 20,
    pci_domain_id=0,
    pci_bus_id=0xC1,
    pci_device_id=0,
)
"""As torch tells of them; older ones have no UUID."""


class Runtime:
    """What a driver's own runtime would do, in one order: events are marks in it, and a graph repeats a piece of it."""

    def __init__(self) -> None:
        self.now, self.streams_set, self.synchronized = 0.0, 0, 0
        self.refuses = ""
        runtime = self

        class Event:
            def __init__(self, enable_timing: bool = False) -> None:
                assert enable_timing
                self.at = -1.0

            def record(self) -> None:
                runtime.now += 0.25
                self.at = runtime.now

            def elapsed_time(self, other: Any) -> float:
                """Milliseconds; a mark that was not waited for has no time."""
                assert runtime.synchronized >= other.at > self.at >= 0
                return float(other.at - self.at)

        class CUDAGraph:
            replay: Callable[[], None]

        @contextmanager
        def graph(made: CUDAGraph) -> Iterator[None]:
            with Recording() as recording:
                yield
            if runtime.refuses:
                raise RuntimeError(runtime.refuses)
            made.replay = recording.repeat
            for *_, kept in recording.calls:  # nothing is done while it is recorded
                if kept.is_floating_point():
                    kept.fill_(float("nan"))

        self.Event, self.CUDAGraph, self.graph = Event, CUDAGraph, graph

    def synchronize(self, device: object = None) -> None:
        self.synchronized = max(self.synchronized, self.now)  # type: ignore[assignment]

    def set_stream(self, stream: object) -> None:
        self.streams_set += 1


@contextmanager
def opened(properties: SimpleNamespace, *, hip: bool, runtime: Runtime | None = None) -> Iterator[real.TorchMetal]:
    """A device whose runtime says that it is this one."""
    runtime, target = runtime or Runtime(), find("gfx942" if hip else "sm_90")
    told = {
        "get_device_properties": lambda device: properties,
        "mem_get_info": lambda device: (3 << 30, properties.total_memory),
        **{name: getattr(runtime, name) for name in ("Event", "CUDAGraph", "graph", "synchronize", "set_stream")},
    }
    with ExitStack() as undo:
        undo.enter_context(described.activate(target, compile=False))
        undo.enter_context(cuda_on_cpu(target))
        undo.enter_context(replaced(torch.version, "hip", "7.0.51831" if hip else None))
        undo.enter_context(replaced(torch.version, "cuda", None if hip else "12.8"))
        for name, value in told.items():
            undo.enter_context(replaced(torch.cuda, name, value))
        yield real.TorchMetal("GPU-1")


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ROCR_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.setenv(name, "")


@pytest.fixture(autouse=True)
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """The buffers are the host's memory here."""
    monkeypatch.setattr(real, "_LEAST_FLUSH", 1 << 20)
    monkeypatch.setattr(real, "_PROBE", 1 << 16)


def test_an_nvidia_device_says_which_it_is() -> None:
    with opened(H200, hip=False) as metal:
        said = metal.identity
    assert (said.vendor, said.name, said.target) == ("nvidia", "NVIDIA H200", "sm_90")
    assert (said.uuid, said.memory) == (H200.uuid, H200.total_memory)
    assert said.versions["cuda"] == "12.8"
    assert "hip" not in said.versions
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-1"
    assert os.environ["ROCR_VISIBLE_DEVICES"] == ""


def test_an_amd_device_says_which_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(real, "_LAST_LEVEL", {"gfx942": 3 << 20})
    with opened(MI300X, hip=True) as metal:
        said = metal.identity
        assert metal._flush.numel() == 8 << 20  # twice the larger of what torch tells and what it does not
    assert (said.vendor, said.target, said.uuid) == ("amd", "gfx942", "0000:c1:00.0")
    assert said.versions["hip"] == "7.0.51831"
    assert "cuda" not in said.versions
    assert os.environ["ROCR_VISIBLE_DEVICES"] == "GPU-1"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""


def test_an_architecture_that_none_describes_has_no_target() -> None:
    with opened(SimpleNamespace(**{**vars(H200), "major": 7, "minor": 5}), hip=False) as metal:
        assert metal.identity.target == ""


def test_sensors_that_are_not_there_say_nothing() -> None:
    with opened(H200, hip=False) as metal:
        assert isinstance(metal._sensors, sensors.Silent)
        assert metal.reading().watts is None


def test_lines_that_persist_are_given_up_in_its_own_context(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    class Cuda:
        @staticmethod
        def cuCtxSetLimit(limit: ctypes.c_int, size: ctypes.c_size_t) -> None:
            asked.append((limit.value, size.value))

        @staticmethod
        def cuCtxResetPersistingL2Cache() -> None:
            asked.append("reset")

    monkeypatch.setattr(real, "_libcuda", Cuda)
    with opened(H200, hip=False) as metal:
        metal.flush()
    assert asked == [(6, 0), "reset"]
    with opened(MI300X, hip=True) as metal:
        metal.flush()
    assert asked == [(6, 0), "reset"]


def test_no_memory_left_is_a_memory_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(H200, hip=False) as metal:

        def none_left(*args: Any, **kwargs: Any) -> None:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.00 GiB")

        monkeypatch.setattr(torch, "empty", none_left)
        with pytest.raises(MemoryError, match="the device has no 1024 bytes left"):
            metal.allocate(1024)


def test_what_cannot_be_recorded_leaves_the_stream_as_it_was() -> None:
    runtime = Runtime()
    with opened(H200, hip=False, runtime=runtime) as metal:
        runtime.refuses = "operation not permitted when stream is capturing\nmore of it"
        with pytest.raises(NoGraph, match=r"^operation not permitted when stream is capturing$"):
            metal.record(lambda: None)

        def refuses(device: object = None) -> None:
            raise RuntimeError("operation would make the legacy stream depend on a capturing blocking stream")

        torch.cuda.synchronize = refuses
        with pytest.raises(NoGraph, match=r"^operation not permitted when stream is capturing$"):
            metal.record(lambda: None)  # the one word that a judge acts upon
    assert runtime.streams_set == 2


def test_a_memory_that_cannot_be_given_back_is_a_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a recording that went wrong: the child says so, and goes on."""

    def refuses() -> None:
        raise RuntimeError("captures_underway.empty() INTERNAL ASSERT FAILED")

    with opened(H200, hip=False) as metal, replaced(torch.cuda, "empty_cache", refuses):
        channel = Spoken(Asked(prepare=Prepare()), Asked(test=True))
        serve(channel, metal, lambda place, asked: None, None)  # type: ignore[arg-type, return-value]
    told = channel.reply_as(0, Prepared)
    assert told.trouble is not None
    assert "captures_underway" in told.trouble.message
    assert channel.reply_as(1, Said).identity is not None


@pytest.mark.parametrize(("mode", "exclusive"), [(0, False), (1, True), (2, False), (3, True), (None, False)])
def test_a_compute_mode_says_whether_one_process_may_have_it(mode: int | None, exclusive: bool) -> None:
    class Nvml:
        @staticmethod
        def nvmlDeviceGetComputeMode(handle: object, into: Any) -> int:
            if mode is None:
                return 3  # not supported
            into._obj.value = mode
            return 0

    nvidia = object.__new__(sensors.Nvidia)
    nvidia._nvml, nvidia._handle = Nvml, ctypes.c_void_p()
    assert nvidia.exclusive() is exclusive


def test_the_known_kernel_runs() -> None:
    with opened(MI300X, hip=True) as metal:
        assert known.fault(metal) == ""


class Spoken:
    """The child's end of a channel, with all that it will be asked."""

    def __init__(self, *asked: Asked | Callable[[], None]) -> None:
        self._asked, self.said = list(asked), list[bytes]()

    def receive(self) -> bytes | None:
        while self._asked and callable(self._asked[0]):
            self._asked.pop(0)()  # type: ignore[operator]
        return codec.dumps(self._asked.pop(0)).encode() if self._asked else None

    def reply(self, body: bytes = b"", status: int = 0) -> None:
        self.said.append(body)

    def reply_as(self, number: int, kind: type[codec.T]) -> codec.T:
        return codec.from_json(kind, codec.loads(self.said[number]))


KERNEL = b"""import triton
import triton.language as tl

@triton.jit
def _twice(x, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + at, tl.load(x + at, mask=at < n) * 2, mask=at < n)
"""


@pytest.mark.parametrize(("properties", "hip"), [(H200, False), (MI300X, True)], ids=["cuda", "hip"])
def test_a_plan_is_proved_and_timed(
    properties: SimpleNamespace, hip: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernels = jit_only.take(KERNEL, "kernel", tmp_path, "", "hip" if hip else "cuda")
    text = fingerprint(kernels.find("_twice"))
    given, mine = (View(number, "fp32", 0, (70,), (1,)) for number in range(2))
    tensors = tuple(Argument("tensor", view) for view in (given, mine))
    numbers = (Argument("number", number=70), Argument("number", number=32))
    plan = Plan(
        steps=(Allocate(1, 280), Launch("_twice", "", (3, 1, 1), (*tensors, *numbers), {"num_warps": 4}, text)),
        outputs=(Output("out", mine),),
    )
    slot, out = Slot("x", "fp32", (70,), (1,), 0), Slot("out", "fp32", (70,), (1,), 0)
    order = ((0, 0), (1, 1), (0, 1), (1, 0))
    with SharedMemory(SPACE) as ins, SharedMemory(SPACE) as outs, opened(properties, hip=hip) as metal:
        inside, outside = Arena(ins.fd), Arena(outs.fd)
        for number, memory in enumerate((ins, outs)):  # where a child finds them
            os.dup2(memory.fd, 200 + number)
        monkeypatch.setattr("geak_evaluator.measure.metal.child.FIRST_SHARED", 200)
        channel = Spoken(
            Asked(test=True),
            Asked(prepare=Prepare((slot,), (out,), plan=plan, pools=2, rotations=2)),
            lambda: inside.tensor(slot).fill_(1.5),
            Asked(draw=Draw(0)),
            lambda: inside.tensor(slot).fill_(4.0),
            Asked(draw=Draw(1)),
            Asked(block=Block(((0, 1),), sampled=0, timed=False)),
            Asked(block=Block(order, sampled=3, warm=True, probes=2)),
        )
        memories = shared()
        serve(channel, metal, lambda place, asked: PlanWork(metal, place, asked, kernels), memories)  # type: ignore[arg-type]
        for number in range(2):
            os.close(200 + number)
        assert outside.tensor(out).tolist() == [3.0] * 70  # of the last call's values
    tested, ready = channel.reply_as(0, Said), channel.reply_as(1, Prepared)
    assert tested.identity is not None
    assert (ready.rotations, ready.trouble) == (2, None)
    proved, timed = channel.reply_as(4, Timed), channel.reply_as(5, Timed)
    assert (proved.trouble, proved.spilled, timed.trouble, timed.spilled) == (None, "", None, "")
    assert [len(timed.cold), len(timed.warm), len(timed.probes)] == [4, 4, 4]
    assert set(timed.cold) == {250.0}  # microseconds: one mark follows the other


def test_a_graph_repeats_what_was_recorded() -> None:
    """A step that is no launch: such steps are the ones that torch records by itself."""
    one, other = (View(number, "fp32", 0, (8,), (1,)) for number in range(2))
    negated = Library("aten.neg.default", (Argument("tensor", one),), {}, (other,))
    plan = Plan(steps=(Allocate(1, 32), Fill(other, 5.0), negated), outputs=(Output("out", other),))
    slot, out = Slot("x", "fp32", (8,), (1,), 0), Slot("out", "fp32", (8,), (1,), 0)
    with Recording():  # at its first operation such a mode imports more of torch, which is not to find a device
        torch.zeros(1)
    with opened(H200, hip=False) as metal, SharedMemory(SPACE) as ins, SharedMemory(SPACE) as outs:
        inside, outside = Arena(ins.fd), Arena(outs.fd)
        asked = Prepare((slot,), (out,), plan=plan)
        runner = Runner(metal, asked, lambda place, asked: PlanWork(metal, place, asked, kernels=None))  # type: ignore[arg-type]
        inside.tensor(slot).fill_(3.0)
        runner.draw(0, inside)
        timed = runner.block(Block(((0, 0), (0, 0)), sampled=1, graph=True, probes=0), inside, outside)
        assert outside.tensor(out).tolist() == [-3.0] * 8
    assert len(timed.cold) == 2
