"""Measuring and removing a folder that a hostile process filled: no recursion, no link followed, no path trusted."""

from __future__ import annotations

import contextlib
import os
import stat


def usage(path: str, most_entries: int) -> tuple[int, int]:
    """Bytes and entries below a folder; counting stops at the limit, and what cannot be counted counts as over it."""
    size = entries = 0
    todo = [path]
    while todo:
        try:
            with os.scandir(todo.pop()) as found:
                for entry in found:
                    entries += 1
                    if entries > most_entries:
                        return size, entries
                    size += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
        except FileNotFoundError:
            continue  # it went away while we looked
        except OSError:
            return size, most_entries + 1  # a name too long to be opened is not an honest one
    return size, entries


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
    lifted = 0
    while names := _names(top):
        for name in names:
            if _unlinked(name, top):
                continue
            inside = _opened(name, top)
            try:
                for child in _names(inside):
                    if not _unlinked(child, inside):
                        lifted += 1
                        os.rename(child, f".geak-lifted-{os.getpid()}-{lifted}", src_dir_fd=inside, dst_dir_fd=top)
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
    with contextlib.suppress(OSError):
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
    os.chmod(name, 0o700, dir_fd=folder)
    return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
