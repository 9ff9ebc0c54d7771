"""Triton's own launch path on a described device: everything is Triton's until the launch, which is interpreted."""

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch
import triton
import triton.compiler
from triton.backends.compiler import GPUTarget
from triton.backends.driver import DriverBase
from triton.runtime.autotuner import Autotuner

from .bounds import Conflict
from .targets import Target, find

_MISSING = object()


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
        # Module, function, registers, spills, and the most threads a block may have.
        return None, None, 0, 0, 1024

    def unload_module(self, module: Any) -> None:
        pass


class _Event:
    """A timing event of a device on which nothing takes time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def record(self, *args: Any) -> None:
        pass

    def synchronize(self) -> None:
        pass

    def elapsed_time(self, other: Any) -> float:
        return 1.0


class _Interface:
    Event = _Event

    @staticmethod
    def synchronize(*args: Any) -> None:
        pass

    @staticmethod
    def current_device() -> int:
        return 0


class SimulatedDriver(DriverBase):  # type: ignore[misc]
    """Triton's driver for a device that is only described."""

    def __init__(self, target: Target, on_launch: OnLaunch | None, *, compile: bool, execute: bool) -> None:
        self.described = target
        self.on_launch = on_launch
        self.compiles = compile
        self.executes = execute
        self.probing = False
        self.utils = _Utils(target)

    @classmethod
    def is_active(cls) -> bool:
        """Never by itself: only when activated."""
        return False

    @property
    def launcher_cls(self) -> Callable[[Any, Any], Callable[..., None]]:
        """What Triton makes a launcher with; it gets the source and the metadata of the kernel."""
        return lambda source, metadata: _Launcher(source, metadata)

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
        """Where the tensors really are."""
        return torch.device("cpu")

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
        """Compile a configuration and check that it fits; all that fit are equally fast, so the first one wins."""
        outer, self.probing = self.probing, True
        try:
            kernel_call()
        finally:
            self.probing = outer
        return [1.0, 1.0, 1.0]

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


def _active() -> SimulatedDriver | None:
    # Not `driver.active`, which would look for a real device when none was ever set.
    driver = triton.runtime.driver._active if hasattr(triton.runtime.driver, "_active") else None
    return driver if isinstance(driver, SimulatedDriver) else None


class _Launcher:
    def __init__(self, source: Any, metadata: Any) -> None:
        self.source = source
        self.metadata = metadata

    def __call__(
        self, x: int, y: int, z: int, stream: Any, function: Any, packed: Any, launch_metadata: Any, enter: Any,
        leave: Any, *args: Any,
    ) -> None:
        driver = _active()
        if driver is None:
            raise RuntimeError("a kernel compiled for a simulated device was launched while none is active")
        if driver.probing:
            return
        launch = self._launch(driver, (int(x), int(y), int(z)), args)
        if enter is not None:
            enter(launch_metadata)
        _check_grid(launch)
        if driver.on_launch is not None:
            driver.on_launch(launch)
        if driver.executes:
            _execute(launch)
        if leave is not None:
            leave(launch_metadata)

    def _launch(self, driver: SimulatedDriver, grid: tuple[int, int, int], args: tuple[Any, ...]) -> Launch:
        source, metadata = self.source, self.metadata
        names = source.fn.arg_names
        constants = {
            ".".join([names[path[0]], *map(str, path[1:])]): value for path, value in source.constants.items()
        }
        kernels = source.fn.device_caches[driver.get_current_device()][0].values()
        compiled = next((k for k in kernels if getattr(k, "src", None) is source and hasattr(k, "asm")), None)
        return Launch(
            kernel=source.fn.__name__,
            target=driver.described,
            grid=grid,
            signature=dict(source.signature),
            constants=constants,
            attrs=dict(source.attrs or {}),
            num_warps=metadata.num_warps,
            num_stages=metadata.num_stages,
            shared=getattr(metadata, "shared", 0),
            options=metadata._asdict() if hasattr(metadata, "_asdict") else dict(vars(metadata)),
            args=args,
            function=source.fn,
            source=source,
            compiled=compiled,
        )


def _check_grid(launch: Launch) -> None:
    x, y, z = launch.grid
    if launch.target.backend == "cuda" and (x >= 2**31 or y >= 2**16 or z >= 2**16):
        raise RuntimeError("Triton Error [CUDA]: invalid argument")


def _backend(target: Target) -> Any:
    return triton.compiler.make_backend(gpu_target(target))


def _execute(launch: Launch) -> None:
    # Here, so that a process which only compiles does not load it.
    from . import interpreter

    backend = _backend(launch.target)
    known = backend.parse_options({}).__dict__
    code = interpreter.Code(
        function=launch.function,
        signature=launch.signature,
        constants=dict(launch.source.constants),
        options={**known, **{k: v for k, v in launch.options.items() if k in known}},
        module_map=backend.get_module_map(),
    )
    launch.conflicts.extend(interpreter.run(code, launch.grid, launch.args))


class _Uncompiled:
    """Stands for a compiled kernel when compiling is skipped."""

    function = None
    packed_metadata = None

    def __init__(self, source: Any, options: dict[str, Any]) -> None:
        self.src = source
        self.metadata = SimpleNamespace(**options)
        self.run = _Launcher(source, self.metadata)

    def launch_metadata(self, *args: Any) -> None:
        return None


def _compile_or_not(real: Callable[..., Any]) -> Callable[..., Any]:
    # A JITFunction keeps the `compile` that it finds first, so this one has to decide at every call.
    def compile(src: Any, target: Any = None, options: Any = None, **rest: Any) -> Any:
        driver = _active()
        if driver is None or driver.compiles:
            return real(src, target=target, options=options, **rest)
        return _Uncompiled(src, dict(options or {}))

    return compile


@contextmanager
def _set(owner: Any, name: str, value: Any) -> Iterator[None]:
    old = vars(owner).get(name, _MISSING)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if old is _MISSING:
            delattr(owner, name)
        else:
            setattr(owner, name, old)


def _tuned_apart(real: Callable[..., Any]) -> Callable[..., Any]:
    # The best configuration of one device says nothing about another, nor about a real device later on.
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        driver = _active()
        if driver is None:
            return real(self, *args, **kwargs)
        caches = self.__dict__.setdefault("_simulated_caches", {})
        outer, self.cache = self.cache, caches.setdefault(driver.get_current_device(), {})
        try:
            return real(self, *args, **kwargs)
        finally:
            self.cache = outer

    return run


@contextmanager
def _fusion_settled() -> Iterator[None]:
    # Triton 3.9 warns at the first compilation unless this is set; "1" is what it does anyway.
    name = "TRITON_DEFAULT_FP_FUSION"
    if name in os.environ:
        yield
        return
    os.environ[name] = "1"
    try:
        yield
    finally:
        os.environ.pop(name, None)


@contextmanager
def activate(
    target: Target | str, *, on_launch: OnLaunch | None = None, compile: bool = True, execute: bool = True
) -> Iterator[SimulatedDriver]:
    """Make a described device Triton's device; launches inside are compiled for it and interpreted on CPU tensors.

    `compile=False` skips the compiler: launches are bound, specialised and interpreted, but neither compile errors
    nor exhausted resources are seen, and every configuration of an autotuned kernel seems to fit. `execute=False`
    compiles and reports launches without interpreting them.
    """
    described = find(target) if isinstance(target, str) else target
    driver = SimulatedDriver(described, on_launch, compile=compile, execute=execute)
    config = triton.runtime.driver
    with ExitStack() as undo:
        undo.enter_context(_set(triton.compiler, "compile", _compile_or_not(triton.compiler.compile)))
        undo.enter_context(_set(Autotuner, "do_bench", property(lambda self: driver.probe)))
        undo.enter_context(_set(Autotuner, "run", _tuned_apart(Autotuner.run)))
        undo.enter_context(_set(torch.version, "hip", "6.4.0" if described.backend == "hip" else None))
        undo.enter_context(_set(torch.version, "cuda", "12.8" if described.backend == "cuda" else None))
        undo.enter_context(_set(config, "_active", driver))
        undo.enter_context(_fusion_settled())
        yield driver


def compile_for(target: Target | str, launch: Launch) -> Any:
    """Compile a launch that was already made for another target; Triton's own errors, exhausted resources included."""
    described = find(target) if isinstance(target, str) else target
    defaults = _backend(launch.target).parse_options({}).__dict__
    wanted = _backend(described).parse_options({}).__dict__
    # Only what the caller chose travels, and only what the other backend knows: waves_per_eu means nothing to CUDA.
    chosen = {
        name: value
        for name, value in launch.options.items()
        if name in defaults and name in wanted and name not in _OWN_OPTIONS and value != defaults[name]
    }
    # An option that is also a parameter of the kernel is among the arguments already.
    chosen = {name: value for name, value in chosen.items() if name not in launch.function.arg_names}
    with activate(described, execute=False):
        kernel = launch.function.warmup(*launch.args, grid=launch.grid, **chosen)
        kernel._init_handles()
    return kernel


# Settled by the backend for its own architecture, never by the caller of a kernel.
_OWN_OPTIONS = frozenset(
    "arch backend_name extern_libs supported_fp8_dtypes deprecated_fp8_dot_operand_dtypes sanitize_overflow "
    "default_dot_input_precision allowed_dot_input_precisions max_num_imprecise_acc_default warp_size base_arch "
    "ptx_version ptx_options enable_fp_fusion debug instrumentation_mode".split()
)


def warm() -> None:
    """Load what the first launch would load, without starting a thread: backends, hashes, the interpreter."""
    for module in ("interpreter", "mathlib", "cuda_on_cpu"):
        importlib.import_module(f"{__package__}.{module}")
    # The hash of the installed Triton, which every cached compilation is filed under; it moved between versions.
    for place in ("triton.runtime.cache", "triton.compiler.compiler"):
        key = getattr(importlib.import_module(place), "triton_key", None)
        if key is not None:
            key()
            break
    with _fusion_settled():
        for target in (find("gfx942"), find("sm_90")):
            backend = _backend(target)
            backend.hash()
            backend.get_module_map()
            backend.parse_options({})
