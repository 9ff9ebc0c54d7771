"""Lets a wrapper that says device='cuda' run unmodified on a machine with no GPU: its tensors are CPU tensors."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any

import torch
import torch._library.triton as traceable

from geak_evaluator.device.driver import Event
from geak_evaluator.device.host_memory import CUDA, CudaIsCpu, as_device, elsewhere, is_host, unmarked
from geak_evaluator.device.simulated import replaced
from geak_evaluator.schema.target import Target, find


class _Here(contextlib.ContextDecorator):
    """A device or a stream as a context: there is only one of each."""

    cuda_stream = 0
    device = CUDA
    stream_id = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __enter__(self) -> "_Here":
        return self

    def __exit__(self, *error: Any) -> None:
        return None

    def record(self, *args: Any) -> None:
        return None

    def wait_stream(self, *args: Any) -> None:
        SideStream.unawaited = False

    wait_event = synchronize = wait_stream

    def query(self) -> bool:
        return True

    def record_event(self, event: Any = None) -> Any:
        return event if event is not None else _StubEvent()


class SideStream(_Here):
    """A stream of a wrapper's own: what is launched there is done for others only once they have waited for it."""

    unawaited = False

    def __exit__(self, *error: Any) -> None:
        SideStream.unawaited = True


def _on_stream(stream: Any = None) -> _Here:
    return stream if isinstance(stream, SideStream) else _Here()


class _StubEvent(Event):
    def wait(self, *args: Any) -> None:
        SideStream.unawaited = False

    synchronize = wait

    def query(self) -> bool:
        return True


class _DeviceGenerator:
    """The device's own generator as code that draws in its kernels sees it: a seed and an offset, in 16 bytes."""

    def __init__(self) -> None:
        self._seed, self._offset = torch.initial_seed(), 0

    def get_state(self) -> torch.Tensor:
        signed = [part - (part >> 63 << 64) for part in (self._seed, self._offset)]
        return torch.tensor(signed, dtype=torch.int64).view(torch.uint8)

    def set_state(self, state: torch.Tensor) -> "_DeviceGenerator":
        self._seed, self._offset = (int(part) % (1 << 64) for part in state.view(torch.int64))
        return self

    def manual_seed(self, seed: int) -> "_DeviceGenerator":
        self._seed, self._offset = seed % (1 << 64), 0
        return self

    def initial_seed(self) -> int:
        return self._seed

    seed = initial_seed


def properties(target: Target) -> SimpleNamespace:
    """What torch.cuda.get_device_properties says of the described device."""
    major, minor = target.capability
    return SimpleNamespace(
        name=target.product,
        major=major,
        minor=minor,
        multi_processor_count=target.multiprocessors,
        total_memory=64 << 30,
        warp_size=target.warp_size,
        gcnArchName=target.arch,
        max_threads_per_block=1024,
        max_threads_per_multi_processor=2048,
        regs_per_multiprocessor=65536,
        shared_memory_per_block=min(target.max_shared, 65536 if target.backend == "hip" else 49152),
        shared_memory_per_block_optin=target.max_shared,
        shared_memory_per_multiprocessor=target.max_shared,
        L2_cache_size=(4 if target.backend == "hip" else 50) << 20,
        is_integrated=False,
        is_multi_gpu_board=False,
    )


_run_backward: Any = getattr(torch.autograd, "_engine_run_backward", None)


def _within_mode(*args: Any, **kwargs: Any) -> Any:
    with as_device():
        return _run_backward(*args, **kwargs)


def _nothing() -> Callable[..., None]:
    """A function that does nothing; each its own, since torch's compiler files them by identity."""

    def nothing(*args: Any, **kwargs: Any) -> None:
        pass

    return nothing


def _implemented_here(real: Callable[..., Any]) -> Callable[..., Any]:
    # What a file registers for a GPU is called with CPU tensors; and while torch handles an operator no mode is on.
    def impl(self: Any, op_name: Any, fn: Any, dispatch_key: str = "", **options: Any) -> Any:
        key = dispatch_key or self.dispatch_key
        key = "CPU" if key in ("CUDA", "HIP") else key
        return real(self, op_name, _within(fn) if key in _OF_USERS and callable(fn) else fn, key, **options)

    return impl


_OF_USERS = ("CPU", "", "CompositeExplicitAutograd", "CompositeImplicitAutograd")


def _within(function: Any) -> Any:
    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        with as_device():
            return function(*args, **kwargs)

    return called


def _always(value: Any) -> Callable[..., Any]:
    def answer(*args: Any, **kwargs: Any) -> Any:
        return value

    return answer


def _cuda_stubs(target: Target) -> dict[str, Any]:
    answers: dict[str, Any] = {
        "is_available": True,
        "is_initialized": True,
        "device_count": 1,
        "current_device": 0,
        "get_device_properties": properties(target),
        "get_device_name": target.product,
        "get_device_capability": target.capability,
        "get_arch_list": [target.arch],
        "is_bf16_supported": True,
        "is_current_stream_capturing": False,
        "can_device_access_peer": False,
        "mem_get_info": (62 << 30, 64 << 30),
        **{f"{peak}memory_{kind}": 0 for peak in ("", "max_") for kind in ("allocated", "reserved")},
    }
    quiet = (
        "init _lazy_init set_device empty_cache manual_seed manual_seed_all seed seed_all ipc_collect "
        "reset_peak_memory_stats reset_max_memory_allocated set_stream set_per_process_memory_fraction"
    )
    stubs: dict[str, Any] = {name: _always(value) for name, value in answers.items()}
    stubs.update({name: _nothing() for name in quiet.split()})
    # Streams and devices serve as contexts too; seeding goes to the one generator there is.
    stubs.update(dict.fromkeys(("ExternalStream", "current_stream", "default_stream"), _Here))
    stubs.update(dict.fromkeys(("device", "device_of", "_DeviceGuard"), _Here))
    stubs |= {"Stream": SideStream, "stream": _on_stream, "synchronize": _Here().wait_stream}
    stubs["Event"] = _StubEvent
    stubs["default_generators"] = (_DeviceGenerator(),)
    stubs["get_rng_state"] = lambda device=None: torch.get_rng_state()
    stubs["set_rng_state"] = lambda state, device=None: torch.set_rng_state(state)
    return stubs


@contextmanager
def cuda_on_cpu(target: Target | str) -> Iterator[None]:
    """Within a with block, device='cuda' means the CPU and torch.cuda describes the target."""
    described = find(target) if isinstance(target, str) else target
    real_default, real_generator = torch.set_default_device, torch.Generator
    with ExitStack() as undo:
        for name, stub in _cuda_stubs(described).items():
            undo.enter_context(replaced(torch.cuda, name, stub))
        for name, stub in (("_cuda_getCurrentRawStream", _always(0)), ("_cuda_getDevice", _always(0))):
            undo.enter_context(replaced(torch._C, name, stub))
        # What Inductor writes into the wrappers that it generates, instead of torch.empty_strided.
        guards: Any = getattr(getattr(torch._C, "_dynamo", None), "guards", None)
        if hasattr(guards, "_empty_strided_cuda"):
            undo.enter_context(replaced(guards, "_empty_strided_cuda", _empty_strided))
        if hasattr(torch, "accelerator"):
            stubs = {"current_accelerator": CUDA, "is_available": True, "device_count": 1, "current_device_index": 0}
            for name, value in stubs.items():
                undo.enter_context(replaced(torch.accelerator, name, _always(value)))
            undo.enter_context(replaced(torch.accelerator, "synchronize", _Here().wait_stream))
            undo.enter_context(replaced(torch.accelerator, "current_stream", _Here))
        # A kernel in torch's wrapper, to be traced by a compiler, would be launched where no mode of ours sees it.
        if hasattr(traceable, "is_wrap_triton_enabled"):
            undo.enter_context(replaced(traceable, "is_wrap_triton_enabled", _always(False)))
        # While torch handles x.backward() no mode is on, but the backward of a custom function is user code too.
        if hasattr(torch.autograd, "_engine_run_backward"):
            undo.enter_context(replaced(torch.autograd, "_engine_run_backward", _within_mode))
        undo.enter_context(replaced(torch.library.Library, "impl", _implemented_here(torch.library.Library.impl)))
        # A default device is asked before the mode is, and a generator is made without asking it.
        undo.enter_context(replaced(CudaIsCpu, "default_is_host", True))
        undo.enter_context(replaced(torch, "set_default_device", _default_setter(real_default)))
        undo.enter_context(replaced(torch, "Generator", _generator_type(real_generator)))
        undo.enter_context(as_device())
        yield


def _default_setter(real: Callable[..., Any]) -> Callable[..., Any]:
    def set_default_device(device: Any) -> None:
        CudaIsCpu.default_is_host = device is None or is_host(device) is not False
        real(elsewhere(device))

    return set_default_device


def _empty_strided(size: Any, stride: Any, dtype: torch.dtype) -> torch.Tensor:
    # By way of torch's dispatcher, where it is seen: what it stands for goes straight to the allocator.
    with unmarked():
        return torch.empty_strided(size, stride, dtype=dtype)


def _generator_type(real: Any) -> Any:
    class Meta(type):
        def __instancecheck__(cls, value: Any) -> bool:
            return isinstance(value, real)

        def __call__(cls, device: Any = "cpu") -> Any:
            return real(elsewhere(device))

    return Meta("Generator", (), {})
