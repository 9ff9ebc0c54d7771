"""Shared memory for tensors: sealed, so that a child can neither shrink it under the judge nor grow it."""

from __future__ import annotations

import fcntl
import mmap
import os
from types import TracebackType

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
