"""The judge's handle on one confined child: asks, waits with the judge's own clock, and ends it whole."""

from __future__ import annotations

import contextlib
import enum
import errno
import os
import secrets
import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from geak_evaluator.sandbox import folder, watchdog
from geak_evaluator.sandbox.channel import HEADER, OK
from geak_evaluator.sandbox.errors import SandboxError
from geak_evaluator.sandbox.policy import LEAST_ROOM, Limits
from geak_evaluator.sandbox.syscalls import kill_group

_LOOK_EVERY_S = 0.1
_STRETCHED = 4
"""How many times its time a request may last in all, on a machine that has no processor for it."""


class Fault(str, enum.Enum):
    """Why a child gave no answer; closed, so that every place that reads it can name them all."""

    TIMEOUT = "timeout"
    DIED = "died"
    PROTOCOL = "protocol"
    OUTPUT_FLOOD = "output_flood"
    OUT_OF_MEMORY = "out_of_memory"
    TOO_MANY_PROCESSES = "too_many_processes"
    DISK_FLOOD = "disk_flood"


@dataclass(frozen=True)
class Reply:
    """What came back from one request: a fault, or the child's status and bytes, neither of them believed."""

    fault: Fault | None
    status: int = OK
    body: bytes = b""
    seconds: float = 0.0
    """By the judge's clock, from the request's last byte to the reply's."""

    @property
    def ok(self) -> bool:
        """The child answered and says that it did what was asked."""
        return self.fault is None and self.status == OK


@dataclass(frozen=True)
class Ending:
    """How a child ended, after all of it is gone."""

    status: int | None
    """Its exit status; negative is the signal that ended it."""
    cpu_s: float = 0.0
    stuck: bool = False
    """Part of it could not be killed: it hangs inside the kernel."""


class Deadline:
    """When a request has had its time: what a busy machine keeps it waiting for a processor is not counted."""

    def __init__(self, pid: int, seconds: float) -> None:
        now = time.monotonic()
        self._pid, self._last = pid, now + _STRETCHED * seconds
        self.at, self._queued = now + seconds, watchdog.queued(pid)

    def passed(self) -> bool:
        """Whether its time is up; puts `at` off by what was waited since the last time that it was."""
        if time.monotonic() < self.at:
            return False
        queued = watchdog.queued(self._pid)
        self.at = min(self.at + queued - self._queued, self._last)
        self._queued = queued
        return time.monotonic() >= self.at


class Child:
    """One confined process and whatever it starts."""

    def __init__(
        self,
        channel: socket.socket,
        log: int,
        workdir: str,
        limits: Limits,
        born_with: int,
        control: Callable[..., dict[str, Any]],
        number: int,
    ) -> None:
        self._channel, self._log_fd, self._number, self._control = channel, log, number, control
        self.workdir, self.limits, self._born_with = workdir, limits, born_with
        self.pid = _credentials(channel)
        """Its number as the judge sees it."""
        self._pidfd = os.pidfd_open(self.pid)
        channel.setblocking(False)
        os.set_blocking(log, False)
        self._log_open, self._look_at = True, 0.0
        self._log = bytearray()
        self._logged = 0
        self._ending: Ending | None = None

    def ask(self, body: bytes = b"", *, wall_s: float | None = None) -> Reply:
        """Sends one request and waits for its reply, watching what the child uses meanwhile."""
        limit = self.limits.wall_s if wall_s is None else wall_s
        if self._pending():
            return Reply(Fault.PROTOCOL)  # an answer before the question
        nonce = secrets.token_bytes(16)
        deadline = Deadline(self.pid, limit)
        self._look_at = time.monotonic() + _LOOK_EVERY_S
        try:
            self._send(HEADER.pack(nonce, 0, len(body)) + body, deadline)
            started = time.perf_counter()
            header = self._receive(HEADER.size, deadline)
            echoed, status, length = HEADER.unpack(header)
            if echoed != nonce or length > self.limits.reply_bytes:
                return Reply(Fault.PROTOCOL)
            answer = self._receive(length, deadline)
            return Reply(None, status, answer, time.perf_counter() - started)
        except _Failed as failed:
            return Reply(failed.fault)
        except OSError as error:
            raise SandboxError(f"a child cannot be looked after: {error}") from error

    def give(self, job: bytes) -> None:
        """The first thing that a child hears, before it confines itself and anything foreign runs."""
        self._look_at = time.monotonic() + _LOOK_EVERY_S
        try:
            self._send(HEADER.pack(bytes(16), 0, len(job)) + job, Deadline(self.pid, self.limits.wall_s))
        except (_Failed, OSError) as failed:
            raise SandboxError(f"a child did not take its job: {failed}") from None

    def freeze(self) -> None:
        """Stops every thread and process of the child, so that nothing late can reach its outputs."""
        self._stop("freeze")

    def thaw(self) -> None:
        """Lets a frozen child go on."""
        self._stop("thaw")

    def _stop(self, op: str) -> None:
        try:
            self._control(op=op, pid=self._number)
        except (OSError, EOFError) as error:
            raise SandboxError(f"a child could not be stopped or let go on: {error}") from error

    def end(self) -> Ending:
        """Kills the child and all that it started, and removes its folder."""
        if self._ending is None:
            try:
                ended = self._control(op="end", pid=self._number)
                self._ending = Ending(ended.get("status"), ended.get("cpu_s", 0.0), ended["stuck"])
            except (OSError, EOFError):
                # The warm process is gone, and its guardian ends all of it; unless that was killed as well.
                with contextlib.suppress(OSError):
                    kill_group(self._pidfd)
                self._ending = Ending(None)
            with contextlib.suppress(_Failed):
                self._drain()
            self._channel.close()
            os.close(self._log_fd)
            os.close(self._pidfd)
            try:
                folder.remove(self.workdir)
            except OSError as error:
                if self._ending.status is not None:  # else others may be removing it, or still be filling it
                    raise SandboxError(f"a child's folder cannot be removed: {error}") from error
        return self._ending

    @property
    def log(self) -> str:
        """The beginning of what it printed: data for a person or a prompt, never parsed."""
        return self._log.decode("utf-8", "replace")

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def _pending(self) -> bool:
        try:
            return bool(self._channel.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False
        except OSError:
            return False

    def _send(self, data: bytes, deadline: Deadline) -> None:
        view = memoryview(data)
        while view:
            self._keep_watch(deadline)
            try:
                view = view[self._channel.send(view) :]
            except BlockingIOError:
                self._wait(deadline, select.POLLOUT)
            except OSError:
                raise _Failed(Fault.DIED) from None

    def _receive(self, size: int, deadline: Deadline) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            self._keep_watch(deadline)
            try:
                part = self._channel.recv(min(size - len(parts), 1 << 20))
            except BlockingIOError:
                self._wait(deadline, select.POLLIN)
                continue
            except OSError:
                raise _Failed(Fault.DIED) from None
            if not part:
                raise _Failed(Fault.DIED)
            parts += part
        return bytes(parts)

    def _keep_watch(self, deadline: Deadline) -> None:
        """By the clock, whatever the child says: one that never falls silent is looked at all the same."""
        if deadline.passed():
            raise _Failed(Fault.TIMEOUT)
        if time.monotonic() >= self._look_at:
            self._look()
            self._look_at = time.monotonic() + _LOOK_EVERY_S

    def _wait(self, deadline: Deadline, event: int) -> None:
        """Until the channel moves; a look at the child's use of the machine in between."""
        poll = select.poll()
        poll.register(self._channel, event)
        if self._log_open:
            poll.register(self._log_fd, select.POLLIN)
        while True:
            self._keep_watch(deadline)
            pause = min(self._look_at, deadline.at) - time.monotonic()
            ready = {fd for fd, _ in poll.poll(max(0.0, pause) * 1000)}
            if self._log_fd in ready and self._drain():
                self._log_open = False
                poll.unregister(self._log_fd)
                self._look()  # nobody holds the log any more: all of it may have ended
            if self._channel.fileno() in ready:
                return

    def _drain(self) -> bool:
        """Reads the log; true when nobody holds its other end any more."""
        for _ in range(64):
            try:
                part = os.read(self._log_fd, 1 << 16)
            except BlockingIOError:
                return False
            if not part:
                return True
            self._logged += len(part)
            self._log += part[: max(0, self.limits.log_kept - len(self._log))]
            if self._logged > self.limits.log_bytes:
                raise _Failed(Fault.OUTPUT_FLOOD)
        return False

    def _look(self) -> None:
        used = watchdog.of_group(self.pid, self._born_with)
        if not used.leader_alive:
            if self._pending():
                return  # a last answer, or the rest of one
            raise _Failed(Fault.DIED)
        if used.processes > self.limits.processes or used.threads > self.limits.threads:
            raise _Failed(Fault.TOO_MANY_PROCESSES)
        if used.memory > self.limits.memory:
            raise _Failed(Fault.OUT_OF_MEMORY)
        size, entries = folder.usage(self.workdir, self.limits.disk_entries)
        if size > self.limits.disk_bytes or entries > self.limits.disk_entries:
            raise _Failed(Fault.DISK_FLOOD)
        if folder.room(self.workdir) < LEAST_ROOM:  # by whom, cannot be told: a file without a name is not found
            raise OSError(errno.ENOSPC, "the disk is full", self.workdir)


class _Failed(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


def _credentials(channel: socket.socket) -> int:
    channel.settimeout(20)
    _, ancillary, _, _ = channel.recvmsg(1, socket.CMSG_SPACE(12))
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
    for level, kind, data in ancillary:
        if (
            level == socket.SOL_SOCKET
            and kind == socket.SCM_CREDENTIALS
            and (pid := int.from_bytes(data[:4], "little"))
        ):
            return pid
    raise OSError("a child did not say who it is")
