"""The sandbox as the judge uses it: start once, spawn a confined child per piece of foreign code."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from geak_evaluator.sandbox import driver, folder, landlock, policy, seccomp, watchdog
from geak_evaluator.sandbox.child import Child
from geak_evaluator.sandbox.errors import SandboxError, WeakSandbox
from geak_evaluator.sandbox.policy import LAYERS, Level, Limits, Policy
from geak_evaluator.sandbox.selftest import Report, examine
from geak_evaluator.sandbox.syscalls import PR_SET_DUMPABLE, prctl
from geak_evaluator.schema.codec import to_json

PRELOAD = (
    "numpy",
    "numpy.random",  # loaded lazily: it would cost every child 15 ms
    "torch",
    "triton",
    "triton.language",
    "triton.compiler",
    "triton.runtime.interpreter",
    "geak_evaluator.device",
    "geak_evaluator.children.spec",
    "geak_evaluator.children.candidate",
    "geak_evaluator.children.replay",
    "geak_evaluator.children.compiler",
    "geak_evaluator.machine_code.frontend",
    "geak_evaluator.children.script",
)

_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""How the libraries below torch and numpy are told to start none; whatever else has such a name is set likewise."""
_FIRST_UID, _UIDS = 60578, 600
"""A range that Linux distributions leave to nobody."""


class Sandbox:
    """A warm process and the children that are forked from it."""

    def __init__(
        self,
        *,
        minimum: Level = Level.CONFINED,
        preload: Sequence[str] = PRELOAD,
        without: Iterable[str] = (),
    ) -> None:
        self._minimum, self._preload = minimum, tuple(preload)
        self._layers = tuple(layer for layer in LAYERS if layer not in set(without))
        self._counter = secrets.randbelow(_UIDS)
        self._process: subprocess.Popen[bytes] | None = None
        self.report = Report(Level.BASE)
        """What the self-test found."""
        self.missing: dict[str, str] = {}
        """Modules that could not be loaded ahead, with the reason."""

    @property
    def level(self) -> Level:
        """What the self-test proved."""
        return self.report.level

    def start(self) -> Sandbox:
        """Starts the warm process and proves what it enforces; refuses to go on below the level asked for."""
        prctl(PR_SET_DUMPABLE, 0)
        self._readable = policy.default_read()
        self._past_modes = policy.unreadable_to_others(self._readable)
        if "namespaces" in self._layers:
            try:
                self._launch(namespaces=True)
            except _Unavailable:
                self._layers = tuple(layer for layer in self._layers if layer != "namespaces")
        if self._process is None:
            self._launch(namespaces=False)
        try:
            self.report = examine(self.spawn, self._root, namespaces="namespaces" in self._layers)
        except SandboxError:
            self.close()
            raise
        if self.level.rank < self._minimum.rank:
            self.close()
            raise WeakSandbox(weakness(self.report, self._minimum))
        return self

    def close(self) -> None:
        """Ends the warm process and everything that it forked."""
        if self._process is None:
            return
        self._control_socket.close()
        os.close(self._lifeline)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
        _removed(self._root)

    def spawn(
        self,
        role: str,
        job: dict[str, Any] | None = None,
        *,
        limits: Limits | None = None,
        read: Sequence[str] = (),
        shared: Sequence[int] = (),
        devices: Sequence[str] = (),
    ) -> Child:
        """Forks one confined child that runs `role` (a module of the judge with a `main`).

        `devices` are the files of a device that was leased to it; of any other it can open none.
        """
        for attempt in (1, 2):
            if self._process is None or self._process.poll() is not None:
                self._restart()
            try:
                return self._spawn(role, job or {}, limits or Limits(), tuple(read), tuple(shared), tuple(devices))
            except (ConnectionError, EOFError, _Unavailable) as error:
                if attempt == 2:
                    raise SandboxError(f"the warm process ended twice while forking a child: {error}") from error
                self.close()
            except OSError as error:
                if attempt == 2 or not self._hung_up():
                    raise SandboxError(f"a child could not be started: {error}") from error
                self.close()
        raise AssertionError

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def processes(self) -> tuple[int, ...]:
        """The guardian's number; everything else is its descendant."""
        return (self._process.pid,) if self._process else ()

    def _launch(self, *, namespaces: bool) -> None:
        self._root = tempfile.mkdtemp(prefix="geak-")
        os.chmod(self._root, 0o711)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        lifeline, self._lifeline = os.pipe()
        settings = {
            "namespaces": namespaces,
            "private_temp": not self._landlocked,
            "keep": [self._root, *policy.interpreter_paths()],
            "preload": list(self._preload),
            "root": self._root,
        }
        # Our own search path, less the current folder: a vendor's torch may lie anywhere on it.
        paths = [p for p in sys.path if p and os.path.realpath(p) != os.getcwd()]
        package = str(Path(__file__).resolve().parents[2])
        code = (
            f"import sys; sys.path[:] = {[package, *paths]!r}; from geak_evaluator.sandbox.guardian import main; main()"
        )
        threads = {name: "1" for name in (*_THREADS, *os.environ) if name.endswith("_NUM_THREADS")}

        def lay_out() -> None:
            control, life = os.dup(theirs.fileno()), os.dup(lifeline)
            os.dup2(control, 3)
            os.dup2(life, 4)

        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", code, json.dumps(settings)],
            # The loader reads where a vendor's container says that its driver lies once, when a process starts.
            env={**driver.variables(), **threads, **_ENVIRONMENT},
            cwd="/",
            stdin=subprocess.DEVNULL,
            pass_fds=(3, 4),
            preexec_fn=lay_out,
            start_new_session=True,
        )
        theirs.close()
        os.close(lifeline)
        self._control_socket = ours
        try:
            ready = self._hear()
        except (EOFError, OSError) as error:
            self.close()
            raise SandboxError("the warm process ended while it was loading; run `geak doctor`") from error
        if "unavailable" in ready:
            self.close()
            raise _Unavailable(ready["unavailable"])
        self.missing, self._born_with = ready["missing"], ready["memory"]

    def _restart(self) -> None:
        self.close()
        self._launch(namespaces="namespaces" in self._layers)

    @property
    def _landlocked(self) -> bool:
        return "landlock" in self._layers and landlock.abi() > 0

    def _spawn(
        self,
        role: str,
        job: dict[str, Any],
        limits: Limits,
        read: tuple[str, ...],
        shared: tuple[int, ...],
        devices: tuple[str, ...],
    ) -> Child:
        self._counter += 1
        root_user = os.geteuid() == 0 and "uid" in self._layers
        uid = _FIRST_UID + self._counter % _UIDS if root_user else -1
        workdir = f"{self._root}/{self._counter:x}"
        extra = tuple(os.path.realpath(p) for p in read)
        allowed = (*self._readable, *extra, *(policy.device_read() if devices else ()))
        unusual = (*extra, *(driver.compiler_folders() if devices else ()))
        past_modes = self._past_modes or policy.unreadable_to_others(unusual)
        with contextlib.ExitStack() as undo:
            os.mkdir(workdir, 0o700)
            undo.callback(_removed, workdir)
            if folder.room(workdir) < policy.LEAST_ROOM:
                raise OSError(errno.ENOSPC, "the disk is full", workdir)
            if uid >= 0:
                os.chown(workdir, uid, uid)
            rules = Policy(
                workdir=workdir,
                read=allowed,
                devices=devices,
                uid=uid,
                limits=limits,
                layers=self._layers,
                read_all_rights=uid >= 0 and self._landlocked and past_modes,
                shared_bytes=sum(os.fstat(fd).st_size for fd in shared),
                user_processes=0 if uid >= 0 else watchdog.user_threads(os.geteuid()),
            )
            ours, theirs = socket.socketpair()
            # Before the child can say a word: the kernel notes who spoke at the time of speaking.
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            undo.callback(ours.close)
            undo.callback(theirs.close)
            log, log_end = os.pipe()
            undo.callback(os.close, log)
            try:
                message = {"op": "spawn", "role": role, "policy": to_json(rules)}
                number = self._control(message, (theirs.fileno(), log_end, *shared))["pid"]
            finally:
                theirs.close()
                os.close(log_end)
            ask = partial(self._ask, self._process)
            failed = undo.enter_context(contextlib.ExitStack())
            failed.callback(ask, op="end", pid=number)
            child = Child(ours, log, workdir, limits, self._born_with, ask, number)
            failed.pop_all()
            undo.pop_all()
        try:
            child.give(json.dumps(job).encode())
        except SandboxError:
            child.end()
            raise
        return child

    def _ask(self, forked_by: object, **message: Any) -> dict[str, Any]:
        if forked_by is not self._process:  # a number that its successor may have given to another
            raise ConnectionError("the warm process that forked this child has ended")
        return self._control(message, ())

    def _hung_up(self) -> bool:
        try:
            return self._process is None or not self._control_socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _control(self, message: dict[str, Any], fds: Sequence[int]) -> dict[str, Any]:
        if self._process is None:
            raise ConnectionError("the warm process has ended")
        socket.send_fds(self._control_socket, [json.dumps(message).encode()], list(fds))
        answer = self._hear()
        if "error" in answer:
            raise OSError(answer["error"])
        return answer

    def _hear(self) -> dict[str, Any]:
        data = self._control_socket.recv(1 << 16)
        if not data:
            raise EOFError("the warm process has ended")
        answer: dict[str, Any] = json.loads(data)
        return answer


def _removed(path: str) -> None:
    with contextlib.suppress(OSError):
        folder.remove(path)


class _Unavailable(SandboxError):
    """Namespaces were asked for and are not to be had here."""


def weakness(report: Report, minimum: Level) -> str:
    """Three lines: what is missing, what that means, what to do."""
    why = "; ".join((*report.leaks, *report.broken)[:4]) or "namespaces are not available"
    has = "this kernel has Landlock" if landlock.abi() else "this kernel has no Landlock (Linux 5.13 and later have it)"
    architecture = "" if seccomp.supported() else ", and seccomp is only supported on x86-64"
    return (
        f"the sandbox here is {report.level.value!r}, and {minimum.value!r} is the least: {why}\n"
        f"code from a model could use that; {has}{architecture}\n"
        "run on a newer kernel or in a throw-away container, or accept it with --allow-weak-sandbox"
    )


def installed(module: str) -> bool:
    """Whether a module could be imported, without importing it."""
    return importlib.util.find_spec(module) is not None
