"""Measuring and removing a folder that a hostile process filled: no recursion, no link followed, no path trusted."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat

from geak_evaluator.sandbox.syscalls import open_beneath

_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_OURS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def usage(path: str, most_entries: int) -> tuple[int, int]:
    """Bytes and entries below a folder; counting stops at the limit, and what cannot be counted counts as over it."""
    size = entries = 0
    top = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    todo = ["."]
    try:
        while todo:
            name = todo.pop()
            try:
                opened = open_beneath(top, name)
            except OSError as error:
                if error.errno in _OURS:
                    raise
                if error.errno in _GONE:
                    continue  # it went away while we looked, or became a link
                return size, most_entries + 1  # a name too long to be opened is not an honest one
            try:
                with os.scandir(opened) as found:
                    for entry in found:
                        entries += 1
                        if entries > most_entries:
                            return size, entries
                        with contextlib.suppress(FileNotFoundError):
                            size += entry.stat(follow_symlinks=False).st_blocks * 512
                            if entry.is_dir(follow_symlinks=False):
                                todo.append(f"{name}/{entry.name}")
            finally:
                os.close(opened)
    finally:
        os.close(top)
    return size, entries


def room(path: str) -> int:
    """Bytes that are free where a folder lies."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def remove(path: str, *, dir_fd: int | None = None) -> None:
    """Deletes a folder of any depth; folders inside are lifted to the top first, so that depth never grows."""
    try:
        top = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=dir_fd)
    except FileNotFoundError:
        return
    try:
        _empty(top)
    finally:
        os.close(top)
    os.rmdir(path, dir_fd=dir_fd)


def _empty(top: int) -> None:
    mark, lifted = secrets.token_hex(8), 0  # a name that cannot have been taken in advance
    while names := _names(top):
        for name in names:
            if _unlinked(name, top):
                continue
            inside = _opened(name, top)
            try:
                for child in _names(inside):
                    if not _unlinked(child, inside):
                        lifted += 1
                        os.chmod(child, 0o700, dir_fd=inside)  # a folder that cannot be written cannot be moved
                        os.rename(child, f"{mark}-{lifted}", src_dir_fd=inside, dst_dir_fd=top)
            finally:
                os.close(inside)
            os.rmdir(name, dir_fd=top)


def _names(folder: int) -> list[bytes]:
    with os.scandir(folder) as found:
        return [os.fsencode(entry.name) for entry in found]


def _unlinked(name: bytes, folder: int) -> bool:
    if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        return False
    os.unlink(name, dir_fd=folder)
    return True


def _opened(name: bytes, folder: int) -> int:
    os.chmod(name, 0o700, dir_fd=folder)
    return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
