"""The judge's handle on one confined child: asks, waits with the judge's own clock, and ends it whole."""

from __future__ import annotations

import contextlib
import enum
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
from geak_evaluator.sandbox.policy import Limits

_LOOK_EVERY_S = 0.1


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
        channel.setblocking(False)
        os.set_blocking(log, False)
        self._log = bytearray()
        self._logged = 0
        self._ending: Ending | None = None

    def ask(self, body: bytes = b"", *, wall_s: float | None = None) -> Reply:
        """Sends one request and waits for its reply, watching what the child uses meanwhile."""
        limit = self.limits.wall_s if wall_s is None else wall_s
        if self._pending():
            return Reply(Fault.PROTOCOL)  # an answer before the question
        nonce = secrets.token_bytes(16)
        deadline = time.monotonic() + limit
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

    def freeze(self) -> None:
        """Stops every thread and process of the child, so that nothing late can reach its outputs."""
        self._control(op="freeze", pid=self._number)

    def thaw(self) -> None:
        """Lets a frozen child go on."""
        self._control(op="thaw", pid=self._number)

    def end(self) -> Ending:
        """Kills the child and all that it started, and removes its folder."""
        if self._ending is None:
            try:
                ended = self._control(op="end", pid=self._number)
                self._ending = Ending(ended.get("status"), ended.get("cpu_s", 0.0), ended["stuck"])
            except OSError:
                self._ending = Ending(None)  # the warm process is gone, and its guardian ended all of it
            with contextlib.suppress(_Failed):
                self._drain()
            self._channel.close()
            os.close(self._log_fd)
            folder.remove(self.workdir)
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

    def _send(self, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[self._channel.send(view) :]
            except BlockingIOError:
                self._wait(deadline, writing=True)
            except OSError:
                raise _Failed(Fault.DIED) from None

    def _receive(self, size: int, deadline: float) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            try:
                part = self._channel.recv(min(size - len(parts), 1 << 20))
            except BlockingIOError:
                self._wait(deadline)
                continue
            except OSError:
                raise _Failed(Fault.DIED) from None
            if not part:
                raise _Failed(Fault.DIED)
            parts += part
        return bytes(parts)

    def _wait(self, deadline: float, writing: bool = False) -> None:
        """Until the channel moves; a look at the child's use of the machine in between."""
        while True:
            now = time.monotonic()
            if now >= deadline:
                raise _Failed(Fault.TIMEOUT)
            readers: list[Any] = [self._log_fd] if writing else [self._channel, self._log_fd]
            writers = [self._channel] if writing else []
            ready, writable, _ = select.select(readers, writers, [], min(_LOOK_EVERY_S, deadline - now))
            closed = self._drain() if self._log_fd in ready else False
            if self._channel in ready or writable:
                return
            if not ready or closed:
                self._look()

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
            # The channel may hold a last answer; only an empty one means that none will come.
            raise _Failed(Fault.DIED) if not self._pending() else _Failed(Fault.PROTOCOL)
        if used.processes > self.limits.processes or used.threads > self.limits.threads:
            raise _Failed(Fault.TOO_MANY_PROCESSES)
        if used.memory > self.limits.memory:
            raise _Failed(Fault.OUT_OF_MEMORY)
        size, entries = folder.usage(self.workdir, self.limits.disk_entries)
        if size > self.limits.disk_bytes or entries > self.limits.disk_entries:
            raise _Failed(Fault.DISK_FLOOD)


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
