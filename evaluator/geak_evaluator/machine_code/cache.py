"""A folder of answers under the hash of their questions; only the judge writes it, and a lost entry is only work."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
import time
import zlib
from pathlib import Path
from typing import Protocol

_KEY = re.compile(r"[0-9a-f]{64}")
_DIGEST = 32
_MAX_ENTRY = 64 << 20
_STALE_S = 3600.0
"""After that long, nobody is going to finish writing a temporary file."""


class Store(Protocol):
    """Where answers are kept under the hash of their questions."""

    def get(self, key: str) -> bytes | None:
        """What is filed under a key, if anything."""

    def put(self, key: str, value: bytes) -> None:
        """Files a value, or does nothing."""


class Kept:
    """As long as this process lives, and no more than a few megabytes: those that came first go first."""

    def __init__(self, max_bytes: int = 64 << 20) -> None:
        self._entries: dict[str, bytes] = {}
        self._size, self._max_bytes = 0, max_bytes

    def get(self, key: str) -> bytes | None:
        """What is filed under a key, if anything."""
        return self._entries.get(key)

    def put(self, key: str, value: bytes) -> None:
        """Files a value, and drops old ones to make room."""
        if key in self._entries or len(value) > self._max_bytes:
            return
        self._entries[key] = value
        self._size += len(value)
        while self._size > self._max_bytes:
            self._size -= len(self._entries.pop(next(iter(self._entries))))


class CacheError(ValueError):
    """A folder that cannot serve as cache; the message says why."""


class Cache:
    """A bounded folder; what has not been used for longest goes first.

    Several processes may share it: an entry appears whole or not at all, and is never changed afterwards.
    """

    def __init__(self, folder: str | Path, *, max_bytes: int = 1 << 30) -> None:
        self._folder, self._max_bytes = Path(folder), max_bytes
        self._size: int | None = None
        """What lies there, as far as this process knows; None until it has looked."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = self._folder.stat()
        if found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise CacheError(f"{folder}: others may write there, so nothing in it could be believed")

    def get(self, key: str) -> bytes | None:
        """What is filed under a key; a damaged entry counts as none, and is removed."""
        path = self._path(key)
        try:
            with path.open("rb") as file:
                data = file.read(_MAX_ENTRY + 1)
        except OSError:
            return None
        value = _opened(key, data)
        with contextlib.suppress(OSError):
            if value is None:
                path.unlink()
            else:
                os.utime(path)
        return value

    def put(self, key: str, value: bytes) -> None:
        """Files a value; on a full or read-only disk nothing happens."""
        data = _sealed(key, value)
        if len(data) > min(_MAX_ENTRY, self._max_bytes):
            return
        path = self._path(key)
        with contextlib.suppress(OSError):
            path.parent.mkdir(mode=0o700, exist_ok=True)
            number, temporary = tempfile.mkstemp(prefix=".new-", dir=path.parent)
            try:
                with os.fdopen(number, "wb") as file:
                    file.write(data)
                os.replace(temporary, path)
            except BaseException:
                os.unlink(temporary)
                raise
            self._size = None if self._size is None else self._size + len(data)
            self._make_room()

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError("a key is a SHA-256 in hexadecimal")
        return self._folder / key[:2] / key

    def _make_room(self) -> None:
        if self._size is not None and self._size <= self._max_bytes:
            return
        entries = sorted(self._entries())
        self._size = sum(size for _, size, _ in entries)
        for _, size, path in entries:
            if self._size <= self._max_bytes:
                return
            with contextlib.suppress(FileNotFoundError):  # another process made room as well
                path.unlink()
            self._size -= size

    def _entries(self) -> list[tuple[float, int, Path]]:
        """Last use, size and place of every entry; what a killed process left half written is removed."""
        found = []
        for path in self._folder.glob("??/*"):
            with contextlib.suppress(FileNotFoundError):
                about = path.lstat()
                if _KEY.fullmatch(path.name):
                    found.append((about.st_mtime, about.st_size, path))
                elif path.name.startswith(".new-") and time.time() - about.st_mtime > _STALE_S:
                    path.unlink()
        return found


def _sealed(key: str, value: bytes) -> bytes:
    packed = zlib.compress(value, 6)
    return hashlib.sha256(key.encode() + packed).digest() + packed


def _opened(key: str, data: bytes) -> bytes | None:
    digest, packed = data[:_DIGEST], data[_DIGEST:]
    # The key is sealed in: an entry that was copied under another name is none.
    if len(data) > _MAX_ENTRY or hashlib.sha256(key.encode() + packed).digest() != digest:
        return None
    try:
        return zlib.decompress(packed)
    except zlib.error:
        return None
