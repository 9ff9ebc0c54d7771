"""What a process on a device is told of its machine: where the driver lies, and the C compiler that Triton needs.

Before its first launch Triton has a compiler build a stub of the driver. A child's own PATH is the system's alone, so
that the compiler is looked for here, on the judge's, and handed on by its full path.
"""

from __future__ import annotations

import glob
import os
import shutil
import sysconfig
from collections.abc import Sequence

NAMES = ("LD_LIBRARY_PATH", "ROCM_PATH", "CUDA_HOME", "CC", "TRITON_LIBCUDA_PATH", "TRITON_LIBHIP_PATH")
"""Where a machine says that its driver and its C compiler lie: Triton looks there when it launches."""
_ALWAYS = {"HSA_OVERRIDE_CPU_AFFINITY_DEBUG": "0"}
"""Else ROCr binds each of its threads by its number to all processors: a child may not, and is then without threads."""
_OF_A_COMPILER = ("bin", "include", "lib", "lib32", "lib64", "libexec")


def variables() -> dict[str, str]:
    """The same for a device's children, and for a replay that a profiler starts."""
    known = {name: os.environ[name] for name in NAMES if name in os.environ}
    return {**known, **_ALWAYS, **({"CC": found} if (found := compiler()) else {})}


def compiler() -> str:
    """By its full path what CC names, or else gcc, or else clang; nothing where there is none."""
    names = filter(None, (os.environ.get("CC"), "gcc", "clang"))
    return next((os.path.abspath(path) for name in names if (path := shutil.which(name))), "")


def lacking(nodes: Sequence[str] = ()) -> str:
    """What a launch needs and is not here, on a device with these files; nothing where all is there."""
    if "/dev/nvidiactl" in nodes and "/dev/nvidia-uvm" not in nodes:
        return "CUDA needs /dev/nvidia-uvm: root makes it by `nvidia-modprobe -u -c 0`, or by any use of the device"
    if not compiler():
        return "Triton needs a C compiler to launch: install gcc, or set CC"
    scheme = sysconfig.get_default_scheme().replace("posix_local", "posix_prefix")  # as Triton does on Debian
    if not os.path.exists(os.path.join(sysconfig.get_path("include", scheme), "Python.h")):
        return "Triton needs Python's headers to launch: install python3-dev, or what holds Python.h here"
    return ""


def readable() -> tuple[str, ...]:
    """What must be read for that: the driver's libraries where variables name them, and the compiler's own folders."""
    names = ("LD_LIBRARY_PATH", "ROCM_PATH", "CUDA_HOME", "TRITON_LIBCUDA_PATH")
    named = [path for name in names for path in _of(name)]
    named += [os.path.dirname(path) for path in _of("TRITON_LIBHIP_PATH")]  # which names a file
    return (*named, *compiler_folders())


def compiler_folders() -> tuple[str, ...]:
    """Programs, headers and libraries below the compiler's prefix, such as a conda environment's; never all of it."""
    found: list[str] = []
    path = compiler()
    for place in dict.fromkeys((path, os.path.realpath(path))) if path else ():
        prefix, name = os.path.split(os.path.dirname(place))
        if name == "bin":  # a prefix may be somebody's home
            found += [os.path.join(prefix, one) for one in _OF_A_COMPILER]
            found += sorted(glob.glob(f"{glob.escape(prefix)}/*-linux-*"))
        else:
            found.append(place)
    return tuple(dict.fromkeys(found))


def _of(name: str) -> list[str]:
    return [path for path in os.environ.get(name, "").split(":") if path.startswith("/") and path != "/"]
