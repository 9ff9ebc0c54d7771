"""One holder for a device at a time, over all processes of a machine; the kernel takes a dead holder's lease away.

A lease is a lock (flock) on a file named after the device's UUID, in a folder that every user of the machine shares: a
time that two measured at once is nobody's. A device that hung or was reset is tested before it is anybody's again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from geak_evaluator.schema.device import Gpu

Test = Callable[[Gpu], str]
"""Tries a device, and says what is wrong with it, or nothing."""
_LOOK_EVERY_S = 0.2
_MOST_SEATS = 64
"""Judges at one device; more than these share the first."""


class Busy(Exception):
    """Every device that would do is held by somebody else; the message says whose they are."""


class Unfit(Exception):
    """A device that hung or was reset does not work yet."""


def folder() -> Path:
    """Where the leases lie: one place for all users, where anybody may add and nobody may take away."""
    path = Path(os.environ.get("GEAK_LEASES") or "/tmp/geak-leases")
    path.mkdir(mode=0o777, parents=True, exist_ok=True)
    if not stat.S_ISDIR(path.lstat().st_mode):
        raise Busy(f"{path} is no folder of its own: leases cannot be kept there; name another in GEAK_LEASES")
    with contextlib.suppress(PermissionError):  # another user has made it
        path.chmod(0o1777)
    return path


@contextlib.contextmanager
def lease(devices: Sequence[Gpu | str], *, wait_s: float = 0.0, test: Test | None = None) -> Iterator[None]:
    """All of these devices (or UUIDs) at once, while the block lasts; Busy where one is another's after `wait_s`."""
    with contextlib.ExitStack() as held:
        # In one order for everybody, so that no two wait for each other.
        known = [Gpu("amd", one) if isinstance(one, str) else one for one in devices]
        for gpu in sorted(known, key=lambda gpu: gpu.uuid):
            _take(gpu, held, time.monotonic() + wait_s)
            _tested(gpu, test)
        yield


@contextlib.contextmanager
def lease_any(devices: Sequence[Gpu], *, wait_s: float = 0.0, test: Test | None = None) -> Iterator[Gpu]:
    """The first of these devices that is free and fit."""
    deadline = time.monotonic() + wait_s
    unfit: list[str] = []
    with contextlib.ExitStack() as held:
        while True:
            busy = ""
            for gpu in devices:
                try:
                    with contextlib.ExitStack() as attempt:
                        _take(gpu, attempt, 0.0)
                        _tested(gpu, test)
                        held.push(attempt.pop_all())
                except Busy as error:
                    busy = str(error)
                except Unfit as error:
                    unfit.append(str(error))
                else:
                    yield gpu
                    return
            if not busy and unfit:
                raise Unfit(unfit[-1])
            if time.monotonic() >= deadline:
                raise Busy(busy or "there is no device to lease")
            time.sleep(_LOOK_EVERY_S)


class Seat:
    """A judge's place at one of several devices, as long as it lives: of them all the one with the fewest judges.

    It gives nobody a device, which is what a lease is for: it spreads judges that know nothing of each other. It is a
    lock as well: at each device those of number 0, 1, ... are taken in turn.
    """

    def __init__(self, devices: Sequence[Gpu]) -> None:
        """One of these, which may not be none."""
        for number in range(_MOST_SEATS):
            for gpu in devices:
                try:
                    opened = _opened(_file(gpu, f".judge{number}"))
                except (OSError, Busy):  # where leases cannot be kept, whoever asks for one is told
                    continue
                try:
                    fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    os.close(opened)
                    continue
                self.gpu, self._opened = gpu, opened
                return
        self.gpu, self._opened = devices[0], -1

    def leave(self) -> None:
        """Gives the place up before the process ends."""
        if self._opened >= 0:
            os.close(self._opened)
            self._opened = -1


def suspect(gpu: Gpu, why: str) -> None:
    """Notes that a device hung or was reset: it is tested before it is used again, by whomever."""
    with contextlib.suppress(OSError, Busy):
        _file(gpu, ".suspect").write_text(why[:500])


def suspicion(gpu: Gpu) -> str:
    """Why a device must be tested first; nothing where it need not."""
    try:
        return _file(gpu, ".suspect").read_text(errors="replace") or "it was left in trouble"
    except OSError:
        return ""


def _tested(gpu: Gpu, test: Test | None) -> None:
    why = suspicion(gpu)
    if not why or test is None:
        return
    if wrong := test(gpu):
        raise Unfit(f"{gpu.name or gpu.uuid} [{gpu.uuid}] does not work: {wrong} (before that: {why})")
    with contextlib.suppress(OSError):
        _file(gpu, ".suspect").unlink()


def _file(gpu: Gpu, ending: str) -> Path:
    return folder() / (re.sub(r"[^\w.-]", "_", gpu.uuid) + ending)


def _take(gpu: Gpu, held: contextlib.ExitStack, deadline: float) -> None:
    path = _file(gpu, ".lease")
    opened = _opened(path)
    held.callback(os.close, opened)  # which lets the lock go
    while True:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() >= deadline:
                who = _holder(path)
                raise Busy(
                    f"{gpu.name or gpu.uuid} [{gpu.uuid}] is leased to another process{f' ({who})' if who else ''}"
                ) from None
            time.sleep(_LOOK_EVERY_S)
    with contextlib.suppress(OSError):  # another user's file can be locked, not written
        path.write_text(str(os.getpid()))


def _opened(path: Path) -> int:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    for _ in range(2):  # another may make it at the same time
        try:
            return os.open(path, flags)
        except FileNotFoundError:
            with contextlib.suppress(FileExistsError):
                os.close(os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o644))
    return os.open(path, flags)


def _holder(path: Path) -> str:
    try:
        number = path.read_text(errors="replace").strip()
    except OSError:
        return ""
    return f"process {number}" if number.isdecimal() else ""
