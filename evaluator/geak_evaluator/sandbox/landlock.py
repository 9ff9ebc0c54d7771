"""Landlock: which paths a child may touch at all; the kernel enforces it for the child and all it starts."""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable

from geak_evaluator.sandbox.syscalls import syscall

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same on every architecture

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_MAKE_CHAR, _MAKE_SOCK, _MAKE_FIFO, _MAKE_BLOCK = 1 << 6, 1 << 9, 1 << 10, 1 << 11
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV


def abi() -> int:
    """The kernel's Landlock version; 0 where there is none."""
    try:
        return syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    except OSError:
        return 0


def restrict(read: Iterable[str], write: Iterable[str], devices: Iterable[str], *, sockets: bool = False) -> int:
    """Confines this process to these paths, without TCP, foreign signals or abstract sockets; needs no_new_privs.

    With `sockets` all of these stay open: for our own process under a profiler, which speaks to it so.
    """
    version = abi()
    if version < 1:
        return 0
    handled = (1 << 13) - 1
    handled |= _REFER if version >= 2 else 0
    handled |= _TRUNCATE if version >= 3 else 0
    handled |= _IOCTL_DEV if version >= 5 else 0
    network = 3 if version >= 4 and not sockets else 0
    scoped = 3 if version >= 6 and not sockets else 0
    attributes = struct.pack("QQQ", handled, network, scoped)
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = syscall(_CREATE, ctypes.c_char_p(attributes), ctypes.c_size_t(size), ctypes.c_uint32(0))

    def allow(path: str, rights: int) -> None:
        try:
            # A path that is missing is skipped alone: it must not take the other rules with it.
            opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            return
        try:
            if not stat.S_ISDIR(os.fstat(opened).st_mode):
                rights &= _FILE_RIGHTS
            rule = struct.pack("=Qi", rights & handled, opened)
            syscall(_ADD, ctypes.c_int(ruleset), ctypes.c_int(1), ctypes.c_char_p(rule), ctypes.c_uint32(0))
        finally:
            os.close(opened)

    for path in read:
        allow(path, _READ_FILE | _READ_DIR | _EXECUTE)
    for path in write:
        allow(path, handled & ~(_MAKE_CHAR | _MAKE_BLOCK | _IOCTL_DEV | (0 if sockets else _MAKE_SOCK | _MAKE_FIFO)))
    for path in devices:
        allow(path, _READ_FILE | _WRITE_FILE | _READ_DIR | _IOCTL_DEV | _TRUNCATE)
    syscall(_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    os.close(ruleset)
    return version
