"""Private process, network, IPC and mount namespaces, where this user may have them."""

from __future__ import annotations

import os
from pathlib import Path

from geak_evaluator.sandbox.syscalls import mount, unshare

_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
_NOSUID, _NODEV, _NOEXEC, _BIND, _REC, _PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18

_SHARED_TEMP = ("/tmp", "/var/tmp", "/dev/shm")


def enter() -> None:
    """Leaves the host's namespaces; the next forked process is the first of the new process namespace."""
    uid, gid = os.getuid(), os.getgid()
    unshare(_NEWNS | _NEWUTS | _NEWIPC | _NEWPID | _NEWNET | (_NEWUSER if uid else 0))
    if uid:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    mount("", "/", "", _PRIVATE | _REC)


def private_proc() -> None:
    """Shows only this namespace's processes; the first process of the namespace calls it."""
    mount("proc", "/proc", "proc", _NOSUID | _NODEV | _NOEXEC)


def private_temp(keep: tuple[str, ...]) -> None:
    """Covers the folders that every user may write, save for the paths that are kept."""
    held = {path: os.open(path, os.O_PATH | os.O_CLOEXEC) for path in keep if os.path.exists(path)}
    try:
        for folder in _SHARED_TEMP:
            if not os.path.isdir(folder) or any(folder == path or path == "/" for path in held):
                continue
            mount("tmpfs", folder, "tmpfs", _NOSUID | _NODEV, "size=16m,nr_inodes=4096,mode=1777")
            for path, opened in held.items():
                if path.startswith(folder + "/"):
                    if os.path.isdir(f"/proc/self/fd/{opened}"):
                        os.makedirs(path, mode=0o711)
                    else:
                        os.makedirs(os.path.dirname(path), mode=0o711, exist_ok=True)
                        Path(path).touch()
                    mount(f"/proc/self/fd/{opened}", path, "", _BIND | _REC)
    finally:
        for opened in held.values():
            os.close(opened)
