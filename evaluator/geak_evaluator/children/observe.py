"""The observed child: runs a foreign file and its test, and notes how the test calls the file's entries."""

from __future__ import annotations

import contextlib
import inspect
import itertools
import math
import signal
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

from geak_evaluator.children.candidate import trouble
from geak_evaluator.children.loading import load
from geak_evaluator.sandbox.channel import Channel
from geak_evaluator.schema import codec
from geak_evaluator.schema.observed import Entry, Observed, Seen

CALLS = 64
"""Distinct calls that are kept of an entry."""
LITERAL = 4096
"""Whole numbers of a tensor that are kept one by one."""
FEW = 64
"""Floats of a tensor that are kept one by one: some operations are defined on few matrices."""
_TEXT = 100


class Stop(BaseException):
    """Ends a test at a call that was only to be seen; no Exception, for tests catch those."""


class OutOfTime(BaseException):
    """The processor time of a part is used up; no Exception either."""


def main(channel: Channel, job: dict[str, Any]) -> None:
    """One request, the file's text; the test's and the timed inputs' are in the job."""
    source = channel.receive()
    if source is None:
        return
    channel.reply(codec.dumps(observe(source, job)).encode())


def observe(source: bytes, job: dict[str, Any]) -> Observed:
    """Loads the file, runs its test for a while, then hears what the timed inputs would be."""
    from geak_evaluator import device

    strays: list[str] = []
    launches = 0
    kept: list[Any] = []

    def take(launch: Any) -> None:
        nonlocal launches
        launches += 1
        kept.append(launch.strays)

    watch = Watch(tuple(job["watch"]))
    said = timed = ""
    with device.activate(job["target"], on_launch=take, compile=False, strict=False), device.pretend_cuda(job["target"]):
        sys.modules["geak_observe"] = _handed(watch)
        try:
            with _bounded(job["seconds"]):
                _seed()
                module = load(source, job["name"], job.get("project", ""))
                watch.put_on(module)
                _run(module, job["test"], watch)
        except OutOfTime:
            said = f"its test was not done after {job['seconds']:g} s of processor time"
        except BaseException as error:  # SystemExit too
            told = trouble(error, job["name"])
            said = f"{told.cause}: {told.message}" + (f" (line {told.line})" if told.line else "")
        if job.get("timed") and watch.on:
            try:
                with _bounded(job["seconds"]), watch.stopping(timed=True), _meta():
                    _time(module, job["timed"])
            except OutOfTime:
                timed = "its timed inputs were not made in the time they have"
            except BaseException as error:
                told = trouble(error, job["name"])
                timed = told.message
    strays = [str(stray) for found in kept for stray in found]
    missing = [name for name in watch.names if name not in watch.on]
    if not said and missing:
        said = f"the file defines no {', '.join(missing)}"
    return Observed(watch.entries(), said[:600], timed[:600], tuple(dict.fromkeys(strays))[:20], launches)


def _handed(watch: Watch) -> types.ModuleType:
    """What a driver may use: `stopping`, within which a call is seen and ends the test by Stop."""
    module = types.ModuleType("geak_observe")
    vars(module).update(Stop=Stop, stopping=watch.stopping, seen=lambda: watch.seen)
    return module


def _seed() -> None:
    import random

    import numpy
    import torch

    random.seed(0)
    numpy.random.seed(0)
    torch.manual_seed(0)


@contextlib.contextmanager
def _bounded(seconds: float) -> Iterator[None]:
    def out(*_: Any) -> None:
        raise OutOfTime

    signal.signal(signal.SIGPROF, out)
    signal.setitimer(signal.ITIMER_PROF, seconds, 0.5)  # and again, should a handler swallow it
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


# -- running tests --


def _run(module: types.ModuleType, test: str, watch: Watch) -> None:
    """The test's text in the file's own namespace; what it defines and does not call is called."""
    space = vars(module)
    before = dict(space)
    sys.modules.setdefault(module.__name__.removeprefix("geak_foreign_"), module)  # some tests import the file by its name
    exec(compile(test, f"{module.__name__}_test.py", "exec"), space)
    if watch.seen:
        return
    tests = [v for k, v in space.items() if k.startswith("test_") and callable(v) and before.get(k) is not v]
    tests = [one for one in tests if not any(word in one.__name__ for word in ("performance", "save_"))]
    jobs = [(one, arguments) for one in tests for arguments in _each(one)]
    if len(jobs) > len(tests):  # parametrised: one call each is enough to know the sizes
        with watch.stopping():
            for one, arguments in jobs[: 4 * CALLS]:
                _call(one, arguments)
        jobs = jobs[:: max(1, len(jobs) // 4)][:4]
    for one, arguments in jobs:
        try:
            _call(one, arguments)
        except Exception:
            if not watch.seen:
                raise


def _each(test: Callable[..., Any]) -> list[dict[str, Any]]:
    """The arguments of a test for each combination of what pytest would run it with."""
    columns = []
    for mark in getattr(test, "pytestmark", []):
        if mark.name != "parametrize":
            continue
        names, rows = mark.args[0], mark.args[1]
        names = [n.strip() for n in names.split(",")] if isinstance(names, str) else list(names)
        rows = [getattr(row, "values", row) if type(row).__name__ == "ParameterSet" else row for row in rows]
        columns.append([dict(zip(names, row if len(names) > 1 else _one(row), strict=True)) for row in rows])
    chosen = [{k: v for part in parts for k, v in part.items()} for parts in itertools.product(*columns)]
    wanted = inspect.signature(test).parameters
    for arguments in chosen:
        if "request" in wanted:
            arguments["request"] = types.SimpleNamespace(node=types.SimpleNamespace(name=getattr(test, "__name__", "")))
        if "device" in wanted:
            arguments.setdefault("device", "cuda")
    return chosen


def _one(row: Any) -> Any:
    return row if isinstance(row, tuple) and len(row) == 1 else (row,)


def _call(test: Callable[..., Any], arguments: dict[str, Any]) -> None:
    with contextlib.suppress(Stop):
        _seed()
        test(**arguments)


# -- timed inputs --


def _time(module: types.ModuleType, text: str) -> None:
    """Every input that the benchmark times, made without values."""
    base = type("Performance_Metrics", (), {"__init__": _init, "__getattr__": _quiet})
    utilities = types.ModuleType("performance_utils")
    vars(utilities).update(Performance_Metrics=base, do_bench_config=_Quiet)
    sys.modules["performance_utils"] = utilities
    for package in ("TritonBench_v1", "TorchBench_v1"):
        sys.modules[package] = parent = types.ModuleType(package)
        parent.__path__ = []
        sys.modules[f"{package}.{module.__name__.removeprefix('geak_foreign_')}"] = module
    space: dict[str, Any] = {"__name__": "geak_timed", "__file__": "timed/timed.py"}
    exec(compile(text, "timed.py", "exec"), space)
    kinds = [v for v in space.values() if inspect.isclass(v) and issubclass(v, base) and v is not base]
    for kind in kinds:
        one = kind()
        one.input_tensors = []
        one.get_input_tensors()
        for given in one.input_tensors[:CALLS]:
            with contextlib.suppress(Stop):
                one.call_op(one.to_cuda(given))


def _init(self: Any, op_name: str = "", dtype: Any = None, is_backward: bool = False, **more: Any) -> None:
    import torch

    self.op_name, self.dtype, self.is_backward, self.input_tensors = op_name, dtype or torch.float32, is_backward, []


def _quiet(self: Any, name: str) -> Any:
    return lambda *args, **kwargs: None


class _Quiet:
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass


@contextlib.contextmanager
def _meta() -> Iterator[None]:
    """Tensors without memory, on whatever device they are asked for."""
    import torch
    from torch.overrides import TorchFunctionMode

    def moved(value: Any) -> Any:
        named = isinstance(value, torch.device) or (isinstance(value, str) and value.split(":")[0] in ("cuda", "cpu"))
        return torch.device("meta") if named else value

    class OnMeta(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = {k: moved(v) if k == "device" else v for k, v in (kwargs or {}).items()}
            return func(*(args if func is torch.device else map(moved, args)), **kwargs)

    with torch.device("meta"), OnMeta():
        yield


# -- watching --


class Watch:
    """The entries of a file, each with something before it that notes its calls."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.on: dict[str, str] = {}
        self.calls: dict[str, dict[str, Seen]] = {}
        self.stops = self.timed = False
        self.depth = 0

    @property
    def seen(self) -> bool:
        """Whether any call was noted."""
        return any(self.calls.values())

    @contextlib.contextmanager
    def stopping(self, *, timed: bool = False) -> Iterator[None]:
        """Within, a call is noted and ends the test."""
        before = self.stops, self.timed
        self.stops, self.timed = True, timed
        try:
            yield
        finally:
            self.stops, self.timed = before

    def entries(self) -> tuple[Entry, ...]:
        """What was noted, by entry."""
        return tuple(Entry(name, self.on[name], tuple(self.calls[name].values())) for name in self.names if name in self.on)  # type: ignore[arg-type]

    def put_on(self, module: types.ModuleType) -> None:
        """Puts itself before every entry that the module has."""
        for name in self.names:
            first, _, last = name.partition(".")
            held = getattr(module, first, None)
            if last:
                target = getattr(held, last, None)
                if target is None:
                    continue
                forward = getattr(held, "forward", None) if last == "apply" else None
                skip = 1 if forward is not None else 0
                setattr(held, last, staticmethod(self._before(name, target, forward or target, skip)))
                self.on[name] = "apply" if last == "apply" else "function"
            elif hasattr(held, "run") and hasattr(held, "__getitem__"):
                setattr(module, first, _Kernel(self, name, held))
                self.on[name] = "kernel"
            elif callable(held):
                owner = getattr(held, "__self__", None)
                applied = getattr(owner, "forward", None) if getattr(held, "__name__", "") == "apply" else None
                setattr(module, first, self._before(name, held, applied or held, 1 if applied is not None else 0))
                self.on[name] = "function"
            else:
                continue
            self.calls[name] = {}

    def _before(self, name: str, target: Callable[..., Any], shaped: Callable[..., Any], skip: int) -> Callable[..., Any]:
        signature = _signature(shaped, skip)
        parameters = signature.parameters.values() if signature is not None else ()
        only = tuple(one.name for one in parameters if one.kind is one.KEYWORD_ONLY)

        def called(*args: Any, **kwargs: Any) -> Any:
            if self.depth:
                return target(*args, **kwargs)
            return self.note(name, _bound(signature, args, kwargs), only, (), lambda: target(*args, **kwargs))

        called.__name__ = name
        called.__wrapped__ = target  # type: ignore[attr-defined]
        return called

    def note(
        self, name: str, args: dict[str, Any], by_name: tuple[str, ...], grid: tuple[int, ...], go: Callable[[], Any]
    ) -> Any:
        """Notes one call, and carries it out unless it is only to be seen."""
        described = {key: describe(value) for key, value in args.items()}
        seen = Seen(described, by_name, grid, timed=self.timed)
        key = repr((_form(described), grid, self.timed))
        calls = self.calls[name]
        if key in calls:
            calls[key] = _again(calls[key])
        elif len(calls) < 2 * CALLS:
            calls[key] = seen
        if self.stops:
            raise Stop
        before = {k: v.detach().clone() for k, v in args.items() if _comparable(v)}
        self.depth += 1
        try:
            result = go()
        finally:
            self.depth -= 1
        if key in calls:
            changed = tuple(k for k, v in before.items() if not _equal(v, args[k]))
            calls[key] = _done(calls[key], changed)
        return result


def _again(seen: Seen) -> Seen:
    return Seen(seen.args, seen.by_name, seen.grid, seen.changed, seen.done, seen.timed, seen.count + 1)


def _done(seen: Seen, changed: tuple[str, ...]) -> Seen:
    names = tuple(dict.fromkeys((*seen.changed, *changed)))
    return Seen(seen.args, seen.by_name, seen.grid, names, True, seen.timed, seen.count)


class _Kernel:
    """Stands for a kernel that a test launches itself."""

    def __init__(self, watch: Watch, name: str, kernel: Any) -> None:
        self._watch, self._name, self._kernel = watch, name, kernel

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kernel, name)

    def __getitem__(self, grid: Any) -> Any:
        watch, kernel = self._watch, self._kernel
        if watch.depth:
            return kernel[grid]

        def launched(*args: Any, **kwargs: Any) -> Any:
            named = dict(zip(kernel.arg_names, args, strict=False))
            sizes = grid({**named, **kwargs}) if callable(grid) else grid
            sizes = tuple(int(n) for n in (sizes if isinstance(sizes, tuple | list) else (sizes,)))
            given = {**named, **kwargs}
            return watch.note(self._name, given, tuple(kwargs), sizes, lambda: kernel[grid](*args, **kwargs))

        return launched


def _signature(function: Callable[..., Any], skip: int) -> inspect.Signature | None:
    try:
        found = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    return found.replace(parameters=list(found.parameters.values())[skip:])


def _bound(signature: inspect.Signature | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call by name, defaults included."""
    try:
        if signature is None:
            raise TypeError
        bound = signature.bind(*args, **kwargs)
    except TypeError:
        return {**{f"argument_{i}": value for i, value in enumerate(args)}, **kwargs}
    bound.apply_defaults()
    found: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            found.update(value)
        elif kind is inspect.Parameter.VAR_POSITIONAL:
            if value:
                found[f"*{name}"] = value
        else:
            found[name] = value
    return found


# -- what is kept of an argument --


def describe(value: Any, depth: int = 0) -> Any:
    """Plain data: a tensor by its form and how its values seem to be drawn."""
    import torch

    if value is None or type(value) in (int, bool):
        return value
    if isinstance(value, float):
        value = float(value)
        return value if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, str):
        return value[:_TEXT]
    if isinstance(value, torch.Tensor):
        form: dict[str, Any] = {"tensor": list(value.shape), "dtype": str(value.dtype).removeprefix("torch.")}
        if value.layout == torch.strided and not value.is_contiguous():
            form["strides"] = list(value.stride())
        if not value.is_meta and value.layout == torch.strided:
            form["drawn"] = drawn(value.detach())
        return form
    if isinstance(value, tuple | list) and depth < 4 and len(value) <= CALLS:
        return {"tuple" if isinstance(value, tuple) else "list": [describe(one, depth + 1) for one in value]}
    if isinstance(value, torch.dtype):
        return {"dtype": str(value)}
    if type(value).__name__ in ("dtype", "constexpr") and type(value).__module__.startswith("triton"):
        return {"triton": f"tl.{value.name}" if hasattr(value, "name") else repr(value)}
    if isinstance(value, torch.layout | torch.memory_format):
        return {"torch": str(value)}
    if isinstance(value, torch.device):
        return {"device": str(value)}
    return {"object": f"{type(value).__module__}.{type(value).__qualname__}"[:_TEXT]}


def drawn(tensor: Any) -> dict[str, Any]:
    """How a tensor's values seem to have come about; each whole number only where they are few."""
    if tensor.numel() == 0:
        return {}
    if tensor.dtype.is_complex:
        return {}
    if tensor.is_floating_point():
        values = tensor.double()
        finite = values[values.isfinite()]
        if finite.numel() == 0:
            return {}
        low, high = float(finite.min()), float(finite.max())
        known = {"min": low, "max": high, "std": float(finite.std()) if finite.numel() > 1 else 0.0}
        return known | ({"floats": tensor.double().tolist()} if finite.numel() == tensor.numel() <= FEW else {})
    if str(tensor.dtype) == "torch.bool":
        return {"share": float(tensor.double().mean())}
    values = tensor.long()
    flat = values.flatten()
    low, high = int(flat.min()), int(flat.max())
    found: dict[str, Any] = {"min": low, "max": high, "distinct": int(flat.unique().numel())}
    last = values.shape[-1] if values.dim() else 0
    if values.dim() and last > 1:
        found["sorted"] = bool((values.diff(dim=-1) >= 0).all())
        rows = values.reshape(-1, last).sort(dim=-1).values
        found["permutation"] = bool((rows == rows.new_tensor(range(last))).all())
        found["last"] = int(values[..., -1].max())
    if tensor.numel() <= LITERAL:
        found["values"] = values.tolist()
    return found


def _form(described: dict[str, Any]) -> Any:
    """What makes two calls one: all but how values were drawn."""
    if isinstance(described, dict):
        return {k: _form(v) for k, v in described.items() if k != "drawn"}
    return described


def _comparable(value: Any) -> bool:
    import torch

    return isinstance(value, torch.Tensor) and not value.is_meta and value.numel() <= 1 << 22


def _equal(before: Any, after: Any) -> bool:
    import torch

    same = before.shape == after.shape and before.dtype == after.dtype
    if not same:
        return False
    if before.element_size() == 1:
        return torch.equal(before.view(torch.uint8), after.detach().clone().view(torch.uint8))
    return bool(torch.equal(torch.nan_to_num(before), torch.nan_to_num(after.detach()))) if before.is_floating_point() else torch.equal(before, after)
