"""Triton's own launch path on a described device: everything is Triton's until the launch, which is interpreted."""

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any

import torch
import triton
import triton.compiler
from triton.runtime.autotuner import Autotuner

from geak_evaluator.device.driver import Launch, OnLaunch, SimulatedDriver, active, gpu_target
from geak_evaluator.device.errors import HostMemory
from geak_evaluator.device.host_memory import on_host
from geak_evaluator.schema.exchange import FIRST_CALL
from geak_evaluator.schema.target import Target, find

_MISSING = object()


class Launcher:
    """Called by Triton with a bound launch: records it and has it interpreted."""

    def __init__(self, source: Any, metadata: Any) -> None:
        self.source = source
        self.metadata = metadata

    def __call__(  # noqa: D102
        self,
        x: int,
        y: int,
        z: int,
        stream: Any,
        function: Any,
        packed: Any,
        launch_metadata: Any,
        enter: Any,
        leave: Any,
        *args: Any,
    ) -> None:
        driver = active()
        if driver is None:
            raise RuntimeError("a kernel compiled for a simulated device was launched while none is active")
        if driver.probing:
            return
        launch = self._launch(driver, (int(x), int(y), int(z)), args)
        if enter is not None:
            enter(launch_metadata)
        _check_grid(launch)
        if driver.strict:
            _check_memory(launch)
        if driver.on_launch is not None:
            driver.on_launch(launch)
        if driver.executes:
            execute(launch, driver)
        if leave is not None:
            leave(launch_metadata)

    def _launch(self, driver: SimulatedDriver, grid: tuple[int, int, int], args: tuple[Any, ...]) -> Launch:
        source, metadata = self.source, self.metadata
        names = source.fn.arg_names
        constants = {".".join([names[path[0]], *map(str, path[1:])]): value for path, value in source.constants.items()}
        kernels = source.fn.device_caches[driver.get_current_device()][0].values()
        compiled = next(
            (k for k in kernels if getattr(k, "src", None) is source and not isinstance(k, _Uncompiled)), None
        )
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
            args=_complete(source, args),
            function=source.fn,
            source=source,
            compiled=compiled,
        )


def _complete(source: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """All arguments: who calls a compiled kernel may leave out constants that come last, which no device is given."""
    names, given = source.fn.arg_names, len(args)
    missing = [names[i] for i in range(given, len(names)) if (i,) not in source.constants]
    if missing:
        raise TypeError(f"kernel {source.fn.__name__} is launched without its argument '{missing[0]}'")
    return (*args, *(source.constants[(i,)] for i in range(given, len(names))))


def _check_grid(launch: Launch) -> None:
    x, y, z = launch.grid
    if launch.target.backend == "cuda" and (x >= 2**31 or y >= 2**16 or z >= 2**16):
        raise RuntimeError("Triton Error [CUDA]: invalid argument")


def _check_memory(launch: Launch) -> None:
    # An empty tensor has no address, which is no pointer to refuse.
    for place, (name, value) in enumerate(zip(launch.function.arg_names, launch.args, strict=False)):
        if any(tensor.numel() and on_host(tensor) for tensor in _tensors(value)):
            refused = f"Pointer argument (at {place}) cannot be accessed from Triton (cpu tensor?)"
            raise HostMemory(f"{refused}: '{name}' of kernel {launch.kernel} lies on the CPU")


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, tuple):
        for item in value:
            yield from _tensors(item)
    else:
        value = getattr(value, "base", value)  # of a descriptor, or of what was reinterpreted
        if type(value) in (torch.Tensor, torch.nn.Parameter):
            yield value


def _backend(target: Target) -> Any:
    return triton.compiler.make_backend(gpu_target(target))


def execute(launch: Launch, driver: SimulatedDriver) -> None:
    """Interprets one launch."""
    # Here, so that a process which only compiles does not load it.
    from geak_evaluator.device import arguments, programs

    backend = _backend(launch.target)
    known = backend.parse_options({}).__dict__
    code = arguments.Code(
        function=launch.function,
        signature=launch.signature,
        constants=dict(launch.source.constants),
        options={**known, **{k: v for k, v in launch.options.items() if k in known}},
        module_map=backend.get_module_map(),
    )
    observer = None if driver.observe is None else driver.observe(launch)
    how: dict[str, Any] = {"strict": driver.strict, "tables": driver.tables, "led": driver.led, "order": driver.order}
    memory = programs.run(code, launch.grid, launch.args, observer=observer, earlier=driver.written, **how)
    driver.written |= memory.written
    launch.conflicts.extend(memory.conflicts)
    launch.strays.extend(memory.strays)
    launch.waits = memory.waits
    launch.reordered, launch.early = memory.reordered, memory.early


_LOADED = frozenset({"n_regs", "n_spills", "n_max_threads"})
_FIGURES = _LOADED | {"metadata", "asm", "_init_handles", "name", "hash"}


class _Uncompiled:
    """Stands for a compiled kernel when compiling is skipped."""

    function = None
    packed_metadata = None

    def __init__(self, source: Any, options: dict[str, Any], compile: Callable[[], Any]) -> None:
        self.src = source
        self.asked = options
        self.run = Launcher(source, SimpleNamespace(**options))
        self._compile = compile

    def launch_metadata(self, *args: Any) -> None:
        return None

    def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., None]:
        def launch(*args: Any) -> None:
            x, y, z = (*grid, 1, 1)[:3]
            self.run(x, y, z, 0, None, None, None, None, None, *args)

        return launch

    def __getattr__(self, name: str) -> Any:
        # A wrapper that asks how large its kernel is needs it compiled after all.
        if name not in _FIGURES:
            raise AttributeError(f"a kernel that is only recorded has no {name}")
        compiled = self.__dict__.get("_compiled")
        if compiled is None:
            compiled = self.__dict__["_compiled"] = self._compile()
        if name in _LOADED:
            compiled._init_handles()  # a device knows them once it has loaded the kernel, as it has for a launch
        return getattr(compiled, name)


def _compile_or_not(real: Callable[..., Any]) -> Callable[..., Any]:
    # A JITFunction keeps the `compile` that it finds first, so this one has to decide at every call.
    def compile(src: Any, target: Any = None, options: Any = None, **rest: Any) -> Any:
        driver = active()
        if driver is None or driver.compiles:
            return real(src, target=target, options=options, **rest)
        return _Uncompiled(src, dict(options or {}), lambda: real(src, target=target, options=options, **rest))

    return compile


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Gives an attribute another value for the length of a with block."""
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
        driver = active()
        if driver is None:
            return real(self, *args, **kwargs)
        caches = self.__dict__.setdefault("_simulated_caches", {})
        first = driver.configuration <= FIRST_CALL
        key = (driver.get_current_device(), driver.calls if first else 0)
        outer, self.cache = self.cache, caches.setdefault(key, {})
        driver.probed = 0
        try:
            if not first and not driver.executes and not driver.probing and len(self.configs) > 1:
                # Tuned beforehand, so that the first call does what every other will do.
                with driver.trying():
                    real(self, *args, **kwargs)
            return real(self, *args, **kwargs)
        finally:
            self.cache = outer
            if driver.probed > len(driver.configurations):
                driver.configurations = tuple(map(str, getattr(self, "configs_timings", {})))

    return run


def _tried_anew(self: Any, tuning_key: Any, configs: Any, bench: Callable[[], None]) -> bool:
    # What `cache_results` keeps on disk: with it a wrapper's second call would not try anything out as its first did.
    bench()
    return False


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
    target: Target | str,
    *,
    on_launch: OnLaunch | None = None,
    compile: bool = True,
    execute: bool = True,
    strict: bool = True,
    configuration: int = 0,
    observe: Callable[[Launch], Any] | None = None,
) -> Iterator[SimulatedDriver]:
    """Make a described device Triton's device; launches inside are compiled for it and interpreted on CPU tensors.

    `compile=False` skips the compiler: launches are bound, specialised and interpreted, but neither compile errors
    nor exhausted resources are seen, and every configuration of an autotuned kernel seems to fit. `execute=False`
    compiles and reports launches without interpreting them. `strict=False` leaves out the lanes that are out of
    bounds (they load zero and store nothing), notes them on the launch, and goes on; and it takes the host's tensors
    as well: for surveys, not for a judgement. An autotuned kernel is launched with its configuration of that number,
    or with its first where it has fewer; with FIRST_CALL its trial launches count as well. `observe` gives the observer
    of each launch (see `programs.run`).
    """
    described = find(target) if isinstance(target, str) else target
    driver = SimulatedDriver(described, on_launch, Launcher, compile=compile, execute=execute, strict=strict)
    driver.configuration = configuration
    driver.observe = observe
    config = triton.runtime.driver
    with ExitStack() as undo:
        undo.enter_context(replaced(triton.compiler, "compile", _compile_or_not(triton.compiler.compile)))
        undo.enter_context(replaced(Autotuner, "do_bench", property(lambda self: driver.probe)))
        undo.enter_context(replaced(Autotuner, "run", _tuned_apart(Autotuner.run)))
        undo.enter_context(replaced(Autotuner, "check_disk_cache", _tried_anew))
        undo.enter_context(replaced(torch.version, "hip", "6.4.0" if described.backend == "hip" else None))
        undo.enter_context(replaced(torch.version, "cuda", "12.8" if described.backend == "cuda" else None))
        undo.enter_context(replaced(config, "_active", driver))
        undo.enter_context(_fusion_settled())
        yield driver


def chosen_options(launch: Launch, target: Target | None = None) -> dict[str, Any]:
    """What the caller of a kernel chose (num_warps, waves_per_eu, ...), as far as the target knows of it.

    By default that is the launch's own target. What a backend settles itself is nobody's choice.
    """
    target = target or launch.target
    defaults = _backend(launch.target).parse_options({}).__dict__
    known = _backend(target).parse_options({}).__dict__
    return {
        name: value
        for name, value in launch.options.items()
        if name in defaults
        and name in known
        and name not in SETTLED
        and name not in launch.function.arg_names  # it is among the arguments already
        and plain(value) != plain(defaults[name])
        and (name != "extern_libs" or target.backend == launch.target.backend)
    }


def plain(value: Any) -> Any:
    """An option's value, to be compared: metadata went through JSON, which knows no tuples."""
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def compile_for(target: Target | str, launch: Launch) -> Any:
    """Compile a launch that was already made for another target; Triton's own errors, exhausted resources included."""
    described = find(target) if isinstance(target, str) else target
    with activate(described, execute=False):
        kernel = launch.function.warmup(*launch.args, grid=launch.grid, **chosen_options(launch, described))
        kernel._init_handles()
    return kernel


SETTLED = frozenset(
    [
        "allowed_dot_input_precisions",
        "arch",
        "backend_name",
        "base_arch",
        "default_dot_input_precision",
        "deprecated_fp8_dot_operand_dtypes",
        "max_num_imprecise_acc_default",
        "supported_fp8_dtypes",
        "warp_size",
    ]
)
"""Options that each backend settles for its own architecture, never the caller of a kernel."""


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
