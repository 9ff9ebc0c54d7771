"""What a child and all that it started are using, read from outside."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Usage:
    """A process group at one moment."""

    leader_alive: bool
    processes: int
    threads: int
    memory: int
    """Bytes of private and shared memory beyond what each process was born with."""


def of_group(leader: int, born_with: int) -> Usage:
    """The group of a child by its first process; `born_with` is what its warm parent held."""
    processes = threads = memory = 0
    leader_alive = False
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            fields = _stat(name)
            if int(fields[2]) != leader or fields[0] in b"ZX":
                continue
            leader_alive |= int(name) == leader
            processes += 1
            threads += int(fields[17])
            memory += max(0, own_memory(name) - born_with)
        except (OSError, IndexError, ValueError):
            continue  # it ended while we looked
    return Usage(leader_alive, processes, threads, memory)


def own_memory(pid: int | str) -> int:
    """Anonymous and shared memory of one process, without the files it maps."""
    kib = 0
    for line in Path(f"/proc/{pid}/status").read_bytes().splitlines():
        if line.startswith((b"RssAnon:", b"RssShmem:", b"VmSwap:")):
            kib += int(line.split()[1])
    return kib << 10


def queued(pid: int) -> float:
    """Seconds in which a process was ready to run and others had the processor; 0 where that is not counted."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_bytes().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


def user_threads(uid: int) -> int:
    """How many threads a user runs at all; the limit on processes counts them together."""
    total = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if os.stat(f"/proc/{name}").st_uid == uid:
                    total += int(_stat(name)[17])
            except (OSError, IndexError, ValueError):
                continue
    return total


def running(leader: int) -> bool:
    """Whether any thread of a group may still run; one that is stuck in the kernel stops before it leaves it."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if int(_stat(name)[2]) == leader:
                threads = os.listdir(f"/proc/{name}/task")
                if any(_stat(f"{name}/task/{thread}")[0] not in b"TtDZX" for thread in threads):
                    return True
        except (OSError, IndexError, ValueError):
            continue
    return False


def children() -> list[tuple[int, int]]:
    """Our own children that are not yet reaped, each with its group: neither number can mean another process."""
    mine, found = os.getpid(), []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = _stat(name)
            if int(fields[1]) == mine:
                found.append((int(name), int(fields[2])))
        except (OSError, IndexError, ValueError):
            continue
    return found


def _stat(name: str) -> list[bytes]:
    # In bytes: a process may give itself a name that is no text, and must not vanish from here by it.
    return Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split()
