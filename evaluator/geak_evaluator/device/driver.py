"""Triton's driver for a device that is only described, and the record of a launch on it."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.backends.driver import DriverBase

from geak_evaluator.device.bounds import Conflict
from geak_evaluator.device.errors import OutOfBounds
from geak_evaluator.device.host_memory import unmarked
from geak_evaluator.schema.exchange import FIRST_CALL
from geak_evaluator.schema.target import Target


@dataclass
class Launch:
    """One launch as Triton would have sent it to the device."""

    kernel: str
    target: Target
    grid: tuple[int, int, int]
    signature: dict[str, Any]
    constants: dict[str, Any]
    attrs: dict[Any, Any]
    num_warps: int
    num_stages: int
    shared: int
    options: dict[str, Any]
    args: tuple[Any, ...]
    function: Any  # the JITFunction
    source: Any  # the ASTSource that was compiled
    compiled: Any  # the CompiledKernel with its asm; None when compiling was skipped
    conflicts: list[Conflict] = field(default_factory=list)  # filled in by the interpretation
    strays: list[OutOfBounds] = field(default_factory=list)  # the same; only a device that is not strict has them
    waits: bool = False  # the same: one of its programs waited for a later one
    reordered: str = ""  # the same: what it has called that may change the order of elements
    early: str = ""  # the same: what it did before it waited for the launches before it


OnLaunch = Callable[[Launch], None]


class _Utils:
    def __init__(self, target: Target) -> None:
        self._properties = {
            "max_shared_mem": target.max_shared,
            "max_num_regs": 65536,
            "multiprocessor_count": target.multiprocessors,
            "warpSize": target.warp_size,
            "arch": target.arch,
            "sm_clock_rate": 1_000_000,
            "mem_clock_rate": 1_000_000,
            "mem_bus_width": 4096,
        }

    def get_device_properties(self, device: Any) -> dict[str, Any]:
        return self._properties

    def load_binary(self, name: str, kernel: bytes, shared: int, device: Any) -> tuple[Any, Any, int, int, int]:
        # Module, function, registers, spills, and the most threads a block may have. Nobody has counted registers,
        # but wrappers that size a persistent grid divide by them.
        return None, None, 64, 0, 1024

    def unload_module(self, module: Any) -> None:
        pass


class Event:
    """A timing event of a device on which nothing takes time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def record(self, *args: Any) -> None:
        """Nothing is pending."""

    def synchronize(self) -> None:
        """Nothing is pending."""

    def elapsed_time(self, other: Any) -> float:
        """Some time, so that nobody divides by zero."""
        return 1.0


class _Interface:
    Event = Event

    @staticmethod
    def synchronize(*args: Any) -> None:
        pass

    @staticmethod
    def current_device() -> int:
        return 0


class SimulatedDriver(DriverBase):  # type: ignore[misc]
    """Triton's driver for a device that is only described."""

    def __init__(
        self,
        target: Target,
        on_launch: OnLaunch | None,
        launcher: Any,
        *,
        compile: bool,
        execute: bool,
        strict: bool = True,
    ) -> None:
        self.described = target
        # What Triton makes a launcher with; it gets the source and the metadata of the kernel.
        self.launcher_cls = launcher
        self.on_launch = on_launch
        self.compiles = compile
        self.executes = execute
        self.strict = strict
        # Whether kernels may reach any tensor by an address in a table; a plan knows those that it leads to.
        self.tables = True
        self.led: Sequence[Any] = ()
        # Where memory begins that was written since the device was activated.
        self.written: set[int] = set()
        self.probing = False
        self.observe: Callable[[Launch], Any] | None = None
        # In which order the programs of a launch come, of so many.
        self.order: Callable[[int], Iterable[int]] = range
        # Which of an autotuned kernel's configurations wins, and the longest list of them that was seen.
        self.configuration = 0
        # How often a wrapper was called; a first call that tries configurations out is the first each time.
        self.calls = 0
        self.configurations: tuple[str, ...] = ()
        self.without: frozenset[int] = frozenset()
        self.probed = 0
        self.utils = _Utils(target)

    @classmethod
    def is_active(cls) -> bool:
        """Never by itself: only when activated."""
        return False

    def get_current_target(self) -> Any:
        """The target that Triton compiles for."""
        return gpu_target(self.described)

    def get_current_device(self) -> str:
        """The key of Triton's per-device caches; uncompiled kernels must not be found by compiling launches."""
        return f"simulated:{self.described.name}{'' if self.compiles else ':uncompiled'}"

    def set_current_device(self, device: Any) -> None:
        """There is only one."""

    def get_current_stream(self, device: Any = None) -> int:
        """The default stream."""
        return 0

    def get_device_capability(self, device: Any = None) -> tuple[int, int]:
        """The compute capability, or its AMD counterpart."""
        return self.described.capability

    def get_active_torch_device(self) -> torch.device:
        """Where the tensors are, or say that they are."""
        with unmarked():
            made = torch.empty(0)
        return made.device

    def get_device_interface(self) -> Any:
        """Enough of torch.cuda to time something that takes no time."""
        return _Interface

    def map_python_to_cpp_type(self, ty: str) -> str:
        """No launcher is built in C here."""
        return ty

    def get_benchmarker(self) -> Callable[..., list[float]]:
        """A benchmark that compiles but does not run."""
        return self.probe

    def probe(self, kernel_call: Callable[[], Any], quantiles: Any = None, **options: Any) -> list[float]:
        """Compile a configuration and check that it fits; of those that fit the one that was asked for wins."""
        first_call = self.configuration <= FIRST_CALL
        number = self.probed
        chosen = number == (FIRST_CALL - self.configuration if first_call else self.configuration)
        self.probed += 1
        if first_call and number in self.without:
            return [math.inf] * 3  # as Triton has it for what the device cannot launch
        with nullcontext() if first_call else self.trying():
            kernel_call()
        return [1.0 if chosen else 2.0] * 3

    @contextmanager
    def trying(self) -> Iterator[None]:
        """Launches inside are none: an autotuner tries something out."""
        outer, self.probing = self.probing, True
        try:
            yield
        finally:
            self.probing = outer

    def get_empty_cache_for_benchmark(self) -> torch.Tensor:
        """A cache to clear between timings."""
        return torch.empty(1, dtype=torch.int32)

    def clear_cache(self, cache: Any) -> None:
        """There is no cache."""

    def assemble_tensormap_to_arg(self, tensormaps_info: Any, args: Any) -> Any:
        """As in Triton's own base class for GPU drivers."""
        return args


def gpu_target(target: Target) -> Any:
    """The target in Triton's own type."""
    return GPUTarget(target.backend, target.triton_arch, target.warp_size)


def active() -> SimulatedDriver | None:
    """The simulated driver, if one is Triton's driver now."""
    # Not `driver.active`, which would look for a real device when none was ever set.
    driver = triton.runtime.driver._active if hasattr(triton.runtime.driver, "_active") else None
    return driver if isinstance(driver, SimulatedDriver) else None
