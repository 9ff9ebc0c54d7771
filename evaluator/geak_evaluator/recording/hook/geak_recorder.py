"""Runs inside a recorded program: wraps one function once its module is there, and notes how it is called.

It stands alone (the program's Python may know nothing of this package), keeps to what Python 3.8 has, never imports
torch, and never changes what the function returns or raises. Values of tensors are never looked at.
"""

from __future__ import annotations

import atexit
import functools
import importlib.machinery
import inspect
import json
import os
import sys
import threading
import time
import types
from collections.abc import Callable
from typing import Any

from geak_describe import describe, signature  # type: ignore[import-not-found]  # they share a folder, no package

TARGET, OUTPUT, LIMIT = "GEAK_RECORD_TARGET", "GEAK_RECORD_OUTPUT", "GEAK_RECORD_LIMIT"
_EAGER = 64  # so many calls are written at once; later ones at most every half second
_PERIOD = 0.5

_recorder: Recorder | None = None


def install() -> None:
    """Starts recording what the environment asks for; nothing without it."""
    global _recorder
    if TARGET not in os.environ or OUTPUT not in os.environ or _recorder is not None:
        return
    module, _, name = os.environ[TARGET].partition(":")
    _recorder = Recorder(module, name, os.environ[OUTPUT], int(os.environ.get(LIMIT, "1000")))
    _recorder.watch()


class Recorder:
    """What one process saw of the function."""

    def __init__(self, module: str, name: str, folder: str, limit: int) -> None:
        self.module, self.name, self.folder, self.limit = module, name, folder, limit
        self.found = False
        self.problem = ""
        self.functions: list[str] = []
        self.signature: list[dict[str, Any]] = []
        self.method = False
        self._start()

    def _start(self) -> None:
        """A fresh page: at the beginning, and in a forked child, where another thread may have held the lock."""
        self.lock = threading.RLock()  # a signal's handler may call the function while a call is noted
        self.counts: dict[Any, int] = {}
        self.total = self.lost = 0
        self.written = -1.0
        self.pid = os.getpid()
        self.finalizer = False

    def watch(self) -> None:
        """Arranges that the module is looked at as soon as it has run."""
        atexit.register(self.write)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._start)
        if self.module in sys.modules:
            self.look(sys.modules[self.module])
        sys.meta_path.insert(0, _Finder(self))
        # Files that are loaded by path (importlib.util.spec_from_file_location) pass no finder.
        loader = importlib.machinery.SourceFileLoader
        setattr(loader, "exec_module", _watched(self, loader.exec_module))  # noqa: B010
        argv = getattr(sys, "orig_argv", None) or sys.argv
        last = self.module.rsplit(".", 1)[-1]
        if any(arg == self.module or os.path.basename(arg) == last + ".py" for arg in argv):
            sys.setprofile(self._main)

    def _main(self, frame: types.FrameType, event: str, arg: object) -> None:
        """Until the function is defined in a program that is its module: looks at the next call that is made."""
        main = sys.modules.get("__main__")
        path = self.name.split(".")
        if event != "call" or main is None or path[0] not in main.__dict__:
            return
        if not _is_module(main, self.module):
            sys.setprofile(None)
            return
        holder = main.__dict__[path[0]]
        for part in path[1:]:
            holder = getattr(holder, part, None)
        if holder is None:
            return
        sys.setprofile(None)
        code = getattr(holder, "__code__", None)
        self.look(main)
        if code is not None and frame.f_code is code and self.found:  # this very call came before the wrapper
            self.note(*_passed(frame))

    def look(self, module: types.ModuleType) -> None:
        """Wraps the function in a module that has run."""
        self.functions = sorted(_functions(module))[:200]
        *path, last = self.name.split(".")
        owner: Any = module
        for part in path:
            owner = getattr(owner, part, None)
        held = inspect.getattr_static(owner, last, None) if owner is not None else None
        if inspect.isclass(held) and callable(getattr(held, "forward", None)):
            owner, last = held, "forward"  # a module: its calls are those of forward
            held = inspect.getattr_static(owner, last, None)
        if held is None:
            self.problem = f"{self.module} was imported and has no {self.name}"
            return
        kind = type(held) if isinstance(held, (staticmethod, classmethod)) else None
        function = held.__func__ if kind is not None else held
        if getattr(function, "__geak_recorded__", False):
            self.found = True
            return
        if not isinstance(function, (types.FunctionType, types.BuiltinFunctionType, functools.partial)):
            self.problem = f"{self.module}:{self.name} is a {type(function).__name__}; name the function that calls it"
            return
        self.method = inspect.isclass(owner) and kind is not staticmethod
        self.signature = signature(function, self.method)
        wrapper = _wrapped(self, function)
        setattr(owner, last, kind(wrapper) if kind is not None else wrapper)
        self.found, self.problem = True, ""

    def note(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """One call."""
        torch = sys.modules.get("torch")
        tensor = getattr(torch, "Tensor", None)
        args = args[1:] if self.method and args else args
        key = (
            tuple(describe(a, tensor) for a in args),
            tuple(sorted((k, describe(v, tensor)) for k, v in kwargs.items())),
        )
        with self.lock:
            if key in self.counts or len(self.counts) < self.limit:
                self.counts[key] = self.counts.get(key, 0) + 1
            else:
                self.lost += 1
            self.total += 1
            now = time.monotonic()
            if self.total <= _EAGER or now - self.written > _PERIOD:
                self._write()
                self.written = now
            if not self.finalizer and "multiprocessing.util" in sys.modules:
                # A worker leaves by os._exit, past atexit; its own finalizers still run.
                self.finalizer = True
                sys.modules["multiprocessing.util"].Finalize(None, self.write, exitpriority=10)

    def write(self) -> None:
        """Puts on disk what is known so far."""
        with self.lock:
            self._write()

    def _write(self) -> None:
        about = {
            "pid": self.pid,
            "found": self.found,
            "imported": self.module in sys.modules or bool(self.functions),
            "problem": self.problem,
            "functions": self.functions,
            "near": _near(self.module) if not self.functions else [],
            "signature": self.signature,
            "lost": self.lost,
        }
        lines = [about, *({"args": a, "kwargs": k, "count": n} for (a, k), n in self.counts.items())]
        path = os.path.join(self.folder, f"{self.pid}.jsonl")
        try:
            with open(path + ".new", "w", encoding="utf-8") as file:
                file.writelines(json.dumps(line) + "\n" for line in lines)
            os.replace(path + ".new", path)
        except OSError:
            pass  # the folder is gone: the program outlived its recording


def _passed(frame: types.FrameType) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a call that has just begun."""
    code, found = frame.f_code, frame.f_locals
    names = code.co_varnames
    count, only = code.co_argcount, code.co_kwonlyargcount
    args = tuple(found[name] for name in names[:count])
    kwargs = {name: found[name] for name in names[count : count + only]}
    at = count + only
    if code.co_flags & inspect.CO_VARARGS:
        args += tuple(found[names[at]])
        at += 1
    if code.co_flags & inspect.CO_VARKEYWORDS:
        kwargs.update(found[names[at]])
    return args, kwargs


class _Finder:
    """Stands before the other finders, and only for one module."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """The spec that another finder has, with a loader that is watched."""
        if name != self.recorder.module:
            return None
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find is not None and finder is not self else None
            if spec is None:
                continue
            if spec.loader is not None and type(spec.loader) is not importlib.machinery.SourceFileLoader:
                try:
                    spec.loader.exec_module = _watched(self.recorder, spec.loader.exec_module, bound=True)
                except AttributeError:
                    pass  # a loader without a dictionary: the module is then not recorded
            return spec
        return None


def _watched(recorder: Recorder, original: Callable[..., Any], bound: bool = False) -> Callable[..., Any]:
    def exec_module(*args: Any) -> Any:
        result = original(*args)
        module = args[0] if bound else args[1]
        if getattr(module, "__name__", None) == recorder.module:
            try:
                recorder.look(module)
            except Exception as error:  # theirs runs on
                recorder.problem = f"{recorder.module}:{recorder.name} could not be wrapped: {error!r}"
        return result

    return exec_module


def _wrapped(recorder: Recorder, function: Any) -> Any:
    torch = sys.modules.get("torch")
    compiling = getattr(getattr(torch, "compiler", None), "is_compiling", None)
    if compiling is None:

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            try:
                recorder.note(args, kwargs)
            except Exception:  # a thing that cannot be described is theirs to use all the same
                pass
            return function(*args, **kwargs)

    else:

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if not compiling():  # while torch.compile reads it, there is nothing here but the function
                _note(recorder, args, kwargs)
            return function(*args, **kwargs)

    wrapper.__geak_recorded__ = True  # type: ignore[attr-defined]
    return wrapper


def _note(recorder: Recorder, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    try:
        recorder.note(args, kwargs)
    except Exception:
        pass


def _functions(module: types.ModuleType) -> list[str]:
    names = []
    for name, value in list(vars(module).items()):
        if inspect.isfunction(value) and value.__module__ == module.__name__:
            names.append(name)
        elif inspect.isclass(value) and value.__module__ == module.__name__:
            names += [f"{name}.{n}" for n, v in vars(value).items() if inspect.isfunction(v) and not n.startswith("_")]
    return names


def _near(module: str) -> list[str]:
    """Modules that end like the one that was asked for, under another name."""
    last = module.rsplit(".", 1)[-1]
    near = [n for n in list(sys.modules) if n != module and n.rsplit(".", 1)[-1] == last]
    main = sys.modules.get("__main__")
    if main is not None and _is_module(main, last) and not _is_module(main, module):
        near.append("__main__")
    return near[:10]


def _is_module(main: types.ModuleType, module: str) -> bool:
    """Whether the program that runs is that module."""
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return bool(spec.name == module)
    path = os.path.splitext(os.path.abspath(getattr(main, "__file__", None) or ""))[0]
    return path.replace(os.sep, ".").endswith("." + module)
