"""What a child may do and how much of it; the one place for the numbers."""

from __future__ import annotations

import enum
import os
import sys
import sysconfig
from dataclasses import dataclass, replace

from geak_evaluator.sandbox import driver

MIB = 1 << 20
GIB = 1 << 30


LEAST_ROOM = 32 * MIB
"""What must be free on the disk; with less, no child is started or left running, and none is blamed."""


class Level(str, enum.Enum):
    """What the start-up self-test proved about a machine; stamped on every result."""

    ISOLATED = "isolated"
    """Confined, and in process, network, IPC and mount namespaces of its own."""
    CONFINED = "confined"
    """No secret, no foreign file, no network, no foreign process can be reached."""
    BASE = "base"
    """Limits and kills hold, but something of the above can be reached: see the self-test's report."""

    @property
    def rank(self) -> int:
        """Higher is stronger."""
        return (Level.BASE, Level.CONFINED, Level.ISOLATED).index(self)


LAYERS = ("namespaces", "uid", "landlock", "seccomp")
"""What a level is made of; each can be missing on a machine, and is left out by name in tests."""


@dataclass(frozen=True)
class Limits:
    """How much a child may take before it is killed."""

    wall_s: float = 20.0
    """For one request."""
    cpu_s: int = 120
    memory: int = 4 * GIB
    """Beyond what the warm parent holds, by each process, and by all together."""
    address_space: bool = True
    """Bound the address space too; not for a GPU, whose runtime reserves more than there is."""
    processes: int = 64
    threads: int = 512
    open_files: int = 256
    file_bytes: int = 256 * MIB
    disk_bytes: int = 512 * MIB
    disk_entries: int = 20_000
    log_kept: int = 16 << 10
    log_bytes: int = 4 * MIB
    reply_bytes: int = 4 * MIB

    def within(self, seconds: float) -> Limits:
        """The same, but for one request no longer than this."""
        return replace(self, wall_s=min(seconds, self.wall_s))


@dataclass(frozen=True)
class Policy:
    """What the warm process needs to know to confine one child."""

    workdir: str
    read: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    uid: int = -1
    """An unused user to become, where the parent is root."""
    limits: Limits = Limits()
    layers: tuple[str, ...] = LAYERS
    read_all_rights: bool = False
    """Keep the capability to read past file modes: an interpreter under /root is readable to root alone."""
    shared_bytes: int = 0
    """The shared memories it is given: mapping them must not count against its own address space."""
    user_processes: int = 0
    """What the user already runs, where the limit on processes counts all of a user's."""


DEVICES = ("/dev/null", "/dev/urandom", "/dev/random")
"""Not /dev/zero: mapped shared, it is memory that stays when no process shows it."""

_SYSTEM = (
    *("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime"),
    *("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/version", "/proc/filesystems"),
    *("/proc/sys/vm", "/proc/sys/kernel/osrelease", "/sys/devices/system/cpu", "/sys/devices/system/node"),
)


def interpreter_paths() -> tuple[str, ...]:
    """The folders that Python itself and its installed packages lie in."""
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if not os.path.exists(here):
        here = os.path.dirname(here)  # the judge is a single file, and this is it
    paths = [sys.prefix, sys.base_prefix, sys.exec_prefix, *sysconfig.get_paths().values(), here]
    paths += [p for p in sys.path if p.endswith(("site-packages", "dist-packages"))]
    return tuple(dict.fromkeys(os.path.realpath(p) for p in paths if p and os.path.exists(p)))


def default_read() -> tuple[str, ...]:
    """What every child may read: the system's libraries, the interpreter, a few facts about the machine."""
    return (*_SYSTEM, *interpreter_paths())


_OF_DEVICES = (
    *("/opt/rocm", "/sys/class/kfd", "/sys/class/drm", "/sys/module/amdgpu", "/usr/share/libdrm", "/dev/dri"),
    *("/usr/local/cuda", "/usr/local/nvidia", "/proc/driver/nvidia", "/proc/driver/nvidia-uvm", "/sys/module/nvidia"),
    *("/sys/bus/pci", "/sys/devices", "/proc/devices", "/proc/modules", "/etc/nvidia"),
)


def device_read() -> tuple[str, ...]:
    """What a child that a device was leased to may read besides: its driver's libraries and what it tells of itself."""
    return tuple(dict.fromkeys(os.path.realpath(path) for path in (*_OF_DEVICES, *driver.readable())))


def unreadable_to_others(paths: tuple[str, ...]) -> bool:
    """Whether another user would be stopped on the way to one of these paths."""
    for path in paths:
        while path not in ("/", ""):
            if os.path.exists(path) and not os.stat(path).st_mode & (0o001 if os.path.isdir(path) else 0o004):
                return True
            path = os.path.dirname(path)
    return False
