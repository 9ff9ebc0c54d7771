"""How the tests of a layout are driven: texts that run in the sandbox, in the namespace of the kernel's file."""

from __future__ import annotations

import json

_QUIET = """
import sys as _sys, types as _types
class _Quiet:
    def __init__(self, *args, **kwargs): pass
    def __call__(self, *args, **kwargs): return _Quiet()
    def __getattr__(self, name): return _Quiet()
for _name in ("performance_utils_pytest", "geak_eval", "geak_eval.perf", "geak_eval.perf.ROCm",
              "geak_eval.perf.ROCm.performance_utils_pytest"):
    _module = _sys.modules[_name] = _types.ModuleType(_name)
    _module.__path__ = []
    for _word in ("PytestBenchmarker", "do_bench_config", "save_all_benchmark_results"):
        setattr(_module, _word, _Quiet)
"""

_RUNNER = """
import signal as _signal, sys as _sys, types as _types
import geak_observe as _observe
_here = _sys.modules[__name__]
for _name in NAMES:
    _sys.modules[_name] = _here
_runner = _types.ModuleType("geak_runner")
_runner.__file__ = FILE
_sys.modules["geak_runner"] = _runner
exec(compile(TEXT, "runner.py", "exec"), vars(_runner))
_runner.load_module = lambda *args, **kwargs: _here
_lists = [name for name in vars(_runner) if name.isupper() and isinstance(getattr(_runner, name), (list, tuple))]
_lists = [name for name in _lists if name.endswith(("SHAPES", "CONFIGS", "CASES"))]
_lists.sort(key=lambda name: (name not in ("TEST_SHAPES", "ALL_CONFIGS"), not name.startswith("ALL")))
_all = list(getattr(_runner, _lists[0])) if _lists else []
_run = getattr(_runner, "run_correctness", None) or getattr(_runner, "run_performance", None)
if _run is None:
    raise RuntimeError("its runner has no run_correctness")
_told = []

def _once(number):
    takes = _run.__code__.co_varnames[:_run.__code__.co_argcount]
    before = getattr(_runner, _lists[0]) if _lists else None
    try:
        if not takes:
            if _lists:
                setattr(_runner, _lists[0], [_all[number]])
            found = _run()
        else:
            found = _run([number] if takes[0] == "indices" else [_all[number]])
        if isinstance(found, tuple) and found and found[0] is False:
            _told.append(str(found[-1]))
    except _observe.Stop:
        pass
    except Exception as error:
        _told.append(f"{type(error).__name__}: {error}")
    finally:
        if _lists:
            setattr(_runner, _lists[0], before)

def _enough(*_):
    raise TimeoutError("computing one size takes too long here")

# The first size in earnest, for what it changes; the others are only seen.
_signal.signal(_signal.SIGVTALRM, _enough)
_signal.setitimer(_signal.ITIMER_VIRTUAL, ENOUGH)
_once(0)
_signal.setitimer(_signal.ITIMER_VIRTUAL, 0)
with _observe.stopping():
    for _number in range(min(len(_all), 24) or 1):
        _once(_number)
if not _observe.seen():
    raise RuntimeError(_told[0] if _told else "its runner called nothing")
"""


ENOUGH = 5
"""Seconds of processor time for the size that is computed: some runners find what is expected in loops."""


def pytest_file(test: str) -> str:
    """The lower half of a file of the ROCm set; its helper for timing is a stub."""
    return f"{_QUIET}\n{test}"


def runner(text: str, file: str, names: tuple[str, ...] = ()) -> str:
    """A task runner with `run_correctness` over a list of shapes, one at a time; `names` is what it imports."""
    values = {"TEXT": text, "FILE": file, "NAMES": list(names), "ENOUGH": ENOUGH}
    return "\n".join(f"{name} = {json.dumps(value)}" for name, value in values.items()) + _RUNNER
