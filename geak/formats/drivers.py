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
import importlib.util as _util, linecache as _lines, os.path as _path
import signal as _signal, sys as _sys, types as _types
import geak_observe as _observe
_here = _sys.modules[__name__]
for _name in NAMES:
    _sys.modules[_name] = _here

# Under whatever name a runner loads the kernel's file, it is given the one that is watched.
class _Watched:
    def create_module(self, spec): return _here
    def exec_module(self, module): pass

_located = _util.spec_from_file_location
def _kernel_located(name, location=None, **more):
    if KERNEL and _path.basename(str(location)) == KERNEL:
        return _util.spec_from_loader(name, _Watched())
    return _located(name, location, **more)
_util.spec_from_file_location = _kernel_located
_lines.cache["runner.py"] = (len(TEXT), None, TEXT.splitlines(True), "runner.py")  # Triton reads a kernel's text there
_runner = _types.ModuleType("geak_runner")
_runner.__file__ = FILE
_sys.modules["geak_runner"] = _runner
exec(compile(TEXT, "runner.py", "exec"), vars(_runner))
_runner.load_module = lambda *args, **kwargs: _here
_lists = [name for name in vars(_runner) if name.isupper() and isinstance(getattr(_runner, name), (list, tuple))]
_lists = [name for name in _lists if name.endswith(("SHAPES", "CONFIGS", "CASES"))]
_lists.sort(key=lambda name: (name not in ("TEST_SHAPES", "ALL_CONFIGS"), not name.startswith("ALL")))
_all = list(getattr(_runner, _lists[0])) if _lists else []

def _from_the_command_line():
    _sys.argv = [FILE, "--correctness"]
    _runner.main()

_run = getattr(_runner, "run_correctness", None) or getattr(_runner, "run_performance", None)
if _run is None and not hasattr(_runner, "main"):
    raise RuntimeError("its runner has neither run_correctness nor main")
_run = _run or _from_the_command_line
_takes = _run.__code__.co_varnames[:_run.__code__.co_argcount]
# Tolerances and counts that have no default: what they are changes no call.
_more = [1] * (len(_takes) - 1 - len(_run.__defaults__ or ()))
_told = []

def _once(number):
    before = getattr(_runner, _lists[0]) if _lists else None
    try:
        if not _takes:
            if _lists:
                setattr(_runner, _lists[0], [_all[number]])
            found = _run()
        else:
            found = _run([number] if _takes[0] == "indices" else [_all[number]], *_more)
        if isinstance(found, tuple) and found and found[0] is False:
            _told.append(str(found[-1]))
    except _observe.Stop:
        pass
    except (Exception, SystemExit) as error:
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


def runner(text: str, file: str, names: tuple[str, ...] = (), kernel: str = "") -> str:
    """A task runner with `run_correctness` over a list of shapes, one at a time.

    `names` is what it imports the kernel's file as, and `kernel` that file's name, by which it may load it.
    """
    values = {"TEXT": text, "FILE": file, "NAMES": list(names), "KERNEL": kernel, "ENOUGH": ENOUGH}
    return "\n".join(f"{name} = {json.dumps(value)}" for name, value in values.items()) + _RUNNER
