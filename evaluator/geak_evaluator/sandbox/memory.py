"""Shared memory for tensors, sealed: a child can neither shrink nor grow it. And what this machine can spare."""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
from pathlib import Path
from types import TracebackType

_MEMINFO, _CGROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")
_ADD_SEALS, _SEAL_SEAL, _SEAL_SHRINK, _SEAL_GROW = 1033, 1, 2, 4


class SharedMemory:
    """An anonymous file of a fixed size; pages count only once they are touched."""

    def __init__(self, size: int) -> None:
        self.size = max(size, 1)
        self.fd = os.memfd_create("geak", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.fd, self.size)
        fcntl.fcntl(self.fd, _ADD_SEALS, _SEAL_SHRINK | _SEAL_GROW | _SEAL_SEAL)
        self.map = mmap.mmap(self.fd, self.size)

    def read(self, offset: int, size: int) -> bytes:
        """A private copy: what a child does to the memory afterwards does not reach it."""
        if offset < 0 or size < 0 or offset + size > self.size:
            raise ValueError(f"bytes {offset}..{offset + size} lie outside a memory of {self.size}")
        return self.map[offset : offset + size]

    def close(self) -> None:
        """Gives the memory back."""
        self.map.close()
        os.close(self.fd)

    def __enter__(self) -> SharedMemory:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def spare() -> int:
    """The bytes that may be taken before anything has to give way, by this machine and by the container; or 0."""
    found = []
    with contextlib.suppress(OSError, ValueError, KeyError):
        found.append(_table(_MEMINFO)["MemAvailable:"] << 10)
    with contextlib.suppress(OSError, ValueError, KeyError):  # where there is no limit, it says so in a word
        limit, used = (int((_CGROUP / f"memory.{name}").read_text()) for name in ("max", "current"))
        found.append(max(limit - used + _table(_CGROUP / "memory.stat")["inactive_file"], 0))
    return min(found, default=0)


def _table(path: Path) -> dict[str, int]:
    return {words[0]: int(words[1]) for line in path.read_text().splitlines() if len(words := line.split()) > 1}
