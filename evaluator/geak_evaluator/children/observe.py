"""The observed child: runs a foreign file and its test, and notes how the test calls the file's entries."""

from __future__ import annotations

import contextlib
import inspect
import itertools
import linecache
import math
import signal
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

from geak_evaluator.children.candidate import trouble
from geak_evaluator.children.loading import load
from geak_evaluator.children.watching import CALLS, Stop, Watch
from geak_evaluator.sandbox.channel import Channel
from geak_evaluator.schema import codec
from geak_evaluator.schema.observed import Observed

_ABSENT = 16
"""Packages that a test may import without their being here."""


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
        if watch.timed:  # a kernel that is not watched, on inputs without memory
            raise Stop
        launches += 1
        kept.append(launch.strays)

    watch = Watch(tuple(job["watch"]))
    said = timed = ""
    with (
        device.activate(job["target"], on_launch=take, compile=False, strict=False),
        device.pretend_cuda(job["target"]),
    ):
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
    sys.modules.setdefault(
        module.__name__.removeprefix("geak_foreign_"), module
    )  # some tests import the file by its name
    trouble = _execute(test, f"{module.__name__}_test.py", space)
    if watch.seen:
        return
    tests = [v for k, v in space.items() if k.startswith("test_") and callable(v) and before.get(k) is not v]
    tests = [one for one in tests if not any(word in one.__name__ for word in ("performance", "save_"))]
    jobs = [(one, arguments) for one in tests for arguments in sorted(_each(one), key=_extent)]
    if len(jobs) > len(tests):  # parametrised: one call each is enough to know the sizes
        with watch.stopping():
            for one, arguments in jobs[: 4 * CALLS]:
                trouble = _call(one, arguments) or trouble
        jobs = jobs[:: max(1, len(jobs) // 4)][:4]
    for one, arguments in jobs:
        trouble = _call(one, arguments) or trouble
    if trouble is not None and not watch.seen:
        raise trouble


def _execute(test: str, name: str, space: dict[str, Any]) -> BaseException | None:
    """Runs the test's text; a package that is not here is missed where it is used, and not where it is imported."""
    missing: BaseException | None = None
    # Triton reads a kernel's text where Python keeps the lines of a file.
    linecache.cache[name] = (len(test), None, test.splitlines(True), name)
    code = compile(test, name, "exec")
    for _ in range(_ABSENT):
        try:
            exec(code, space)
            break
        except ModuleNotFoundError as error:
            if not error.name or error.name in sys.modules:
                raise
            missing = missing or error
            sys.modules[error.name] = _Absent(error.name)
    return missing


class _Absent(types.ModuleType):
    """A package that a test imports and this machine lacks."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__ = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Missed(f"{self.__name__}.{name}")


class _Missed:
    """What a test takes from such a package; to call it is to miss it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> _Missed:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Missed(f"{self._name}.{name}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise ModuleNotFoundError(f"No module named {self._name.partition('.')[0]!r}")


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


def _extent(arguments: dict[str, Any]) -> int:
    """How large a test's sizes are, so that the small ones are seen in the time there is."""
    given = [n for value in arguments.values() for n in (value if isinstance(value, tuple | list) else (value,))]
    return math.prod(n for n in given if type(n) is int and n > 1)


def _one(row: Any) -> Any:
    return row if isinstance(row, tuple) and len(row) == 1 else (row,)


def _call(test: Callable[..., Any], arguments: dict[str, Any]) -> BaseException | None:
    """What kept a test from its end, were it that it is skipped here."""
    try:
        _seed()
        test(**arguments)
    except Stop:
        pass
    except Exception as error:
        return error
    except BaseException as error:
        if type(error).__name__ != "Skipped":  # pytest's, which is no Exception
            raise
        return error
    return None


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
    kinds: list[Any] = [v for v in space.values() if inspect.isclass(v) and issubclass(v, base) and v is not base]
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
