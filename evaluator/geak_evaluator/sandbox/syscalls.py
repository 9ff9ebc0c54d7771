"""The kernel's calls that Python has no name for."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import struct

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
PR_CAP_AMBIENT_CLEAR_ALL = 4

CAP_DAC_READ_SEARCH = 2

_CAPSET = 126  # x86-64
_CLOSE_RANGE = 436
_OPENAT2 = 437
_PIDFD_SEND_SIGNAL = 424


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def syscall(number: int, *args: object) -> int:
    """Calls the kernel by number."""
    return _checked(_libc.syscall(ctypes.c_long(number), *args), f"syscall {number}")


def prctl(option: int, value: int = 0) -> int:
    """Sets an attribute of this process."""
    return _checked(_libc.prctl(option, ctypes.c_ulong(value), *[ctypes.c_ulong(0)] * 3), f"prctl {option}")


def unshare(flags: int) -> None:
    """Leaves namespaces for new ones."""
    _checked(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """Mounts a filesystem."""
    what = f"mount {kind or source} on {target}"
    _checked(_libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode()), what)


def close_from(first: int) -> None:
    """Closes every descriptor from `first` up."""
    try:
        syscall(_CLOSE_RANGE, ctypes.c_uint(first), ctypes.c_uint(0xFFFFFFFF), ctypes.c_uint(0))
    except OSError:  # before Linux 5.9
        os.closerange(first, 4096)


def bound_capabilities(kept: tuple[int, ...]) -> None:
    """Makes sure that no program started from here can gain a capability but these."""
    for capability in range(64):
        if capability not in kept and _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break
    _libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)


def set_capabilities(kept: tuple[int, ...], *, inherited: bool = False) -> None:
    """Gives up every capability but these; if they are `inherited`, programs that it starts have them too."""
    low = sum(1 << c for c in kept)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    # Effective, permitted, inheritable; then the upper halves.
    sets = (ctypes.c_uint32 * 6)(low, low, low if inherited else 0, 0, 0, 0)
    syscall(_CAPSET, header, sets)
    for capability in kept if inherited else ():
        _libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0)


def open_beneath(folder: int, path: str) -> int:
    """Opens a folder below another; no link is followed anywhere on the way."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    how = struct.pack("QQQ", flags, 0, 0x04 | 0x08)  # no symbolic links, nothing above
    name = ctypes.c_char_p(os.fsencode(path))
    try:
        return syscall(_OPENAT2, ctypes.c_int(folder), name, ctypes.c_char_p(how), ctypes.c_size_t(len(how)))
    except OSError as error:
        if error.errno != errno.ENOSYS:  # before Linux 5.6
            raise
        return os.open(path, flags, dir_fd=folder)


def kill_group(leader: int) -> None:
    """Kills a process group by a descriptor of its leader, which stays right when the number is used again."""
    syscall(_PIDFD_SEND_SIGNAL, ctypes.c_int(leader), ctypes.c_int(signal.SIGKILL), None, ctypes.c_uint(1 << 2))
