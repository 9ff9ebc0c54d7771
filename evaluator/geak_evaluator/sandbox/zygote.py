"""The warm process: torch and triton loaded once, one thread, no GPU; it forks a confined child for each request.

It holds no secret and reads no foreign byte. It alone signals and reaps children, because it alone
is their parent: until it has reaped one, the child's number cannot come to mean another process.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import random
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

from geak_evaluator.sandbox import pages, seccomp, watchdog
from geak_evaluator.sandbox.channel import Channel
from geak_evaluator.sandbox.confine import CHANNEL, confine, descriptors, environment
from geak_evaluator.sandbox.policy import Policy
from geak_evaluator.sandbox.syscalls import PR_SET_CHILD_SUBREAPER, PR_SET_DUMPABLE, PR_SET_PDEATHSIG, prctl
from geak_evaluator.schema.codec import from_json

Message = dict[str, Any]

_MESSAGE_LIMIT = 1 << 17
_TASKS = "/proc/self/task"
_STUCK_AFTER_S = 10.0
_STOPPED_AFTER_S = 2.0


def serve(control: socket.socket, preload: list[str]) -> NoReturn:
    """Loads what children will need, says ready, and forks until the judge hangs up."""
    signal.signal(signal.SIGTERM, _orphaned)
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    prctl(PR_SET_DUMPABLE, 0)
    started = time.perf_counter()
    missing = _load(preload)
    seccomp.program(seccomp.OWN)
    gc.collect()
    gc.freeze()
    pages.collapse()
    _send(control, ready=round(time.perf_counter() - started, 3), missing=missing, memory=watchdog.own_memory("self"))
    while True:
        try:
            data, fds, _, _ = socket.recv_fds(control, _MESSAGE_LIMIT, 8)
        except ConnectionResetError:  # it hung up without having read that we are ready
            os._exit(0)
        if not data:
            os._exit(0)
        request = json.loads(data)
        handle: Callable[[socket.socket, Message, list[int]], Message] = _HANDLERS[request["op"]]
        try:
            _send(control, **handle(control, request, fds))
        except OSError as error:
            _send(control, error=str(error))
        finally:
            for fd in fds:
                os.close(fd)


_alive: set[int] = set()
"""The first processes of children, not yet reaped: the only numbers that are ever signalled."""


def _orphaned(*_: object) -> NoReturn:
    """The guardian was killed, and its work is ours."""
    for leader in _alive:
        with contextlib.suppress(OSError):
            os.killpg(leader, signal.SIGKILL)
    os._exit(0)


_started: list[str] = []
"""Threads that a module started when it was loaded, in words."""


def _load(names: list[str]) -> dict[str, str]:
    missing = {}
    for name in names:
        before = set(os.listdir(_TASKS))
        try:
            module = importlib.import_module(name)
            if name == "torch":
                module.set_num_threads(1)  # a thread here would be lost in every fork
            warm = getattr(module, "prepare", None)
            if name.startswith("geak_evaluator.") and warm is not None:
                warm()
        except Exception as error:
            missing[name] = f"{type(error).__name__}: {error}"[:300]
        if new := set(os.listdir(_TASKS)) - before:
            _started.append(f"importing {name} started {len(new)}")
    return missing


def _send(control: socket.socket, **message: Any) -> None:
    control.sendall(json.dumps(message).encode())


def _spawn(control: socket.socket, request: Message, fds: list[int]) -> Message:
    threads = len(os.listdir(_TASKS))
    if threads != 1:
        return {"error": _too_many(threads)}
    policy = from_json(Policy, request["policy"])
    pid = os.fork()
    if pid == 0:
        _child(control, request, policy, fds)
    _alive.add(pid)
    return {"pid": pid}


def _too_many(threads: int) -> str:
    told = f"the warm process has {threads} threads, and a fork would lose all but one"
    if not _started:
        return told
    return (
        f"{told}: {', '.join(_started)}. Set the variable by which its library is told to start none: OMP_NUM_THREADS, "
        "MKL_NUM_THREADS and OPENBLAS_NUM_THREADS are 1 in there, and so is what else ends so where the judge starts"
    )


def _child(control: socket.socket, request: Message, policy: Policy, fds: list[int]) -> NoReturn:
    status = 1
    try:
        os.setsid()
        channel, log, *shared = fds
        control.detach()  # its number is about to mean something else
        descriptors(channel, log, shared)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):  # what Python or we changed
            signal.signal(number, signal.SIG_DFL)
        _greet()
        environment(policy.workdir, device=bool(policy.devices))
        _reseed()
        role = importlib.import_module(request["role"])
        # Through the channel, not by way of the warm process, whose memory every later child inherits.
        received = Channel(CHANNEL)
        job = json.loads(received.receive() or b"{}")
        confine(policy)
        role.main(received, job)
        status = 0
    except SystemExit:
        status = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(status)


def _greet() -> None:
    """One byte with this process's credentials: the kernel tells the judge our number as the judge sees it."""
    with contextlib.closing(socket.socket(fileno=os.dup(CHANNEL))) as channel:
        channel.send(b"\0")


def _reseed() -> None:
    seed = int.from_bytes(os.urandom(8), "little")
    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed & 0xFFFFFFFF)
    if "torch" in sys.modules:
        sys.modules["torch"].default_generator.manual_seed(seed)


def _freeze(control: socket.socket, request: Message, fds: list[int]) -> Message:
    leader = _known(request)
    if request["op"] == "thaw":
        os.killpg(leader, signal.SIGCONT)
        return {}
    os.killpg(leader, signal.SIGSTOP)
    deadline = time.monotonic() + _STOPPED_AFTER_S
    while watchdog.running(leader):  # the signal only asks: a thread on another processor runs on for a moment
        if time.monotonic() > deadline:
            raise TimeoutError(f"child {leader} could not be stopped")
        time.sleep(0.0002)
    return {}


def _known(request: Message) -> int:
    if request["pid"] not in _alive:
        raise ProcessLookupError(f"no child {request['pid']} lives here")
    return int(request["pid"])


def _end(control: socket.socket, request: Message, fds: list[int]) -> Message:
    """Kills a child's whole group and reaps it until nothing of it is left."""
    leader = _known(request)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
    ended: Message = {"stuck": False}
    deadline = time.monotonic() + _STUCK_AFTER_S
    pause = 0.0002
    while True:
        try:
            pid, status, used = os.wait4(-leader, os.WNOHANG)
        except ChildProcessError:
            _alive.discard(leader)
            return ended
        if pid == leader:
            ended |= {"status": os.waitstatus_to_exitcode(status), "cpu_s": used.ru_utime + used.ru_stime}
        elif pid == 0:
            if time.monotonic() > deadline:  # in the kernel for good: a driver's hang
                return ended | {"stuck": True}
            time.sleep(pause)
            pause = min(pause * 2, 0.02)


_HANDLERS: dict[str, Callable[[socket.socket, Message, list[int]], Message]] = {
    "spawn": _spawn,
    "freeze": _freeze,
    "thaw": _freeze,
    "end": _end,
}
