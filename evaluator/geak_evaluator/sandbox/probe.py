"""What the self-test's child tries; our own code, confined like any other."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from geak_evaluator.sandbox.channel import Channel
from geak_evaluator.sandbox.selftest import SHARED_TEMP, Findings
from geak_evaluator.schema import codec

_libc = ctypes.CDLL(None, use_errno=True)


def main(channel: Channel, job: dict[str, Any]) -> None:
    """Answers with what could be done and what could not; a second request tidies up."""
    channel.receive()
    job["judge"] = job["judge"] or os.getppid()
    attempts: dict[str, Callable[[], object]] = {
        "a secret of the judge can be read": lambda: Path(job["secret"]).read_text(),
        "a foreign folder can be written": lambda: _create(job["folder"], "x"),
        "the home folder can be read": lambda: os.listdir("/root" if os.path.isdir("/root") else "/home"),
        "Python's packages can be written": lambda: _create(sys.prefix, "geak-self-test"),
        "the judge's environment can be read": lambda: _others("environ", job),
        "the judge's memory can be opened": lambda: _others("mem", job),
        "the judge can be signalled": lambda: os.kill(job["judge"], 0),
        "the parent can be signalled": lambda: os.kill(os.getppid(), signal.SIGCONT),
        "the judge can be traced": lambda: _zero(_libc.ptrace(16, job["judge"], 0, 0)),
        "TCP is open": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        "UDP is open": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        "local sockets are open": lambda: socket.socket(socket.AF_UNIX),
        "the process group can be left": os.setsid,
        "namespaces can be entered": lambda: _zero(_libc.unshare(0x10000000)),
        "filesystems can be mounted": lambda: _zero(_libc.mount(b"tmpfs", b".", b"tmpfs", 0, None)),
    }
    leaks = tuple(what for what, attempt in attempts.items() if _works(attempt))
    needs: dict[str, Callable[[], object]] = {
        "its own folder cannot be written": lambda: Path("probe").write_text("x"),
        "/dev/null cannot be written": lambda: Path("/dev/null").write_text("x"),
        "random numbers cannot be read": lambda: Path("/dev/urandom").open("rb").close(),
        "Python's library cannot be read": lambda: Path(os.__file__).read_bytes(),
        "a program cannot be started": lambda: _zero(os.system("true")),
    }
    broken = tuple(what for what, need in needs.items() if not _works(need))
    made = [f"{place}/{job['token']}" for place in SHARED_TEMP if _works(partial(_create, place, job["token"]))]
    channel.reply(codec.dumps(Findings(leaks, broken)).encode())
    channel.receive()
    for path in made:
        os.unlink(path)
    channel.reply()


def _works(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except (OSError, ValueError):
        return False
    return True


def _zero(result: int) -> None:
    if result != 0:
        raise OSError


def _others(what: str, job: dict[str, Any]) -> None:
    for pid in (job["judge"], os.getppid()):
        if pid and _works(partial(_first_byte, f"/proc/{pid}/{what}")):
            return
    raise OSError


def _create(folder: str, name: str) -> None:
    # Not `touch`: it begins with a change of times, which the sandbox pretends to do.
    os.close(os.open(f"{folder}/{name}", os.O_CREAT | os.O_WRONLY, 0o600))


def _first_byte(path: str) -> None:
    with open(path, "rb") as file:
        file.read(1)
