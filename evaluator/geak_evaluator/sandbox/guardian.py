"""The first process of a sandbox: it outlives the judge just long enough to leave nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
import time
from typing import NoReturn

from geak_evaluator.sandbox import folder, namespaces, watchdog, zygote
from geak_evaluator.sandbox.syscalls import PR_SET_CHILD_SUBREAPER, PR_SET_DUMPABLE, prctl

CONTROL, LIFELINE = 3, 4


def main() -> NoReturn:
    """Starts the warm process, and when it or the judge ends, ends everything that came of it."""
    settings = json.loads(sys.argv[1])
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    control = socket.socket(fileno=CONTROL)
    beside, name = os.path.split(settings["root"])
    # Held open from here: in a mount namespace of our own the same path may lead elsewhere.
    outside = os.open(beside, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    if settings["namespaces"]:
        try:
            namespaces.enter()
        except OSError as error:
            _give_up(control, str(error))
    prctl(PR_SET_DUMPABLE, 0)  # not before: the files by which a user enters a namespace would belong to root
    warm = os.fork()
    if warm == 0:
        os.close(LIFELINE)
        os.close(outside)
        try:
            if settings["namespaces"]:
                namespaces.private_proc()
                if settings["private_temp"]:
                    namespaces.private_temp(tuple(settings["keep"]))
        except OSError as error:
            _give_up(control, str(error))
        zygote.serve(control, settings["preload"])
    control.close()
    _wait(warm)
    os.kill(warm, signal.SIGKILL)  # with namespaces it is their first process, and all of them end with it
    _reap(sweep=not settings["namespaces"])
    with contextlib.suppress(OSError):  # the judge, if it lives, removes what it knows of at the same time
        folder.remove(name, dir_fd=outside)
    os._exit(0)


def _give_up(control: socket.socket, why: str) -> NoReturn:
    control.sendall(json.dumps({"unavailable": why}).encode())
    os._exit(0)


def _wait(warm: int) -> None:
    """Until the judge's end of the lifeline closes or the warm process ends."""
    heard, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        if os.waitid(os.P_PID, warm, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return
        ready, _, _ = select.select([LIFELINE, heard], [], [])
        if LIFELINE in ready:
            return
        os.read(heard, 4096)


def _reap(sweep: bool) -> None:
    """Waits until no descendant is left; all of them come to be our children, since we are their subreaper."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            if sweep:  # never with namespaces: /proc then numbers processes otherwise than `kill` does
                for child, group in watchdog.children():
                    with contextlib.suppress(ProcessLookupError):
                        # By the group, at once: one that forks and dies would outrun a list.
                        os.kill(child, signal.SIGKILL) if group == os.getpgrp() else os.killpg(group, signal.SIGKILL)
            time.sleep(0.002)


if __name__ == "__main__":
    main()
