"""The steps by which a freshly forked child gives up all that it does not need, in the order that makes them hold."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path

from geak_evaluator.sandbox import driver, landlock, seccomp
from geak_evaluator.sandbox.policy import DEVICES, Limits, Policy
from geak_evaluator.sandbox.syscalls import (
    CAP_DAC_READ_SEARCH,
    PR_SET_DUMPABLE,
    PR_SET_KEEPCAPS,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    bound_capabilities,
    close_from,
    prctl,
    set_capabilities,
)

_OTHERS = stat.S_IROTH | stat.S_IWOTH
CHANNEL, FIRST_SHARED = 3, 4
"""A child's descriptors: 0 nothing, 1 and 2 its log, 3 the judge, then the shared memory it was given."""


def descriptors(channel: int, log: int, shared: Sequence[int]) -> None:
    """Lays the descriptors out as every child knows them, and closes all others."""
    null = os.open("/dev/null", os.O_RDONLY)
    high = [os.dup2(fd, 200 + i) for i, fd in enumerate((null, log, log, channel, *shared))]
    for place, fd in enumerate(high):
        os.dup2(fd, place)
    close_from(len(high))


def environment(workdir: str, *, device: bool = False) -> None:
    """Replaces whatever the parent's environment held by the few names that a child needs."""
    kept = driver.variables() if device else {}
    os.chdir(workdir)
    os.umask(0o077)
    os.environ.clear()
    os.environ.update(kept)
    os.environ.update(
        PATH="/usr/bin:/bin",
        LANG="C.UTF-8",
        HOME=workdir,
        USER="geak",  # the child's own number has no name anywhere, and torch's compiler asks for one
        TMPDIR=workdir,
        XDG_CACHE_HOME=workdir,
        TRITON_CACHE_DIR=f"{workdir}/triton",
        TORCHINDUCTOR_CACHE_DIR=f"{workdir}/inductor",
        PYTHONDONTWRITEBYTECODE="1",
        OMP_NUM_THREADS="1",
    )
    tempfile.tempdir = None


def confine(policy: Policy) -> None:
    """Applies every layer of the policy to this process; nothing foreign has run yet."""
    if (threads := len(os.listdir("/proc/self/task"))) != 1:
        raise RuntimeError(f"{threads} threads: Landlock confines only the one that asks for it")
    _die_with_parent()
    _first_for_the_oom_killer()
    address_space = _address_space() + 2 * policy.shared_bytes if policy.limits.address_space else 0
    # Past file modes Landlock still decides; without it the capability would open everything.
    past_modes = policy.read_all_rights and "landlock" in policy.layers and os.geteuid() == 0
    kept = (CAP_DAC_READ_SEARCH,) if past_modes else ()
    bound_capabilities(kept)
    if os.geteuid() == 0 and policy.uid >= 0 and "uid" in policy.layers:
        prctl(PR_SET_KEEPCAPS, 1)
        _drop_user(policy)
        _die_with_parent()  # the kernel forgets it when the user changes
    # On a device Triton has a C compiler build its driver's stub, out of headers that lie where the interpreter does.
    set_capabilities(kept, inherited=bool(policy.devices))
    prctl(PR_SET_DUMPABLE, 0)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    if "landlock" in policy.layers:
        # CUDA names its threads when it starts, and gives up where it may not: of this process's threads only.
        own = (os.path.realpath("/proc/self/task"),) if policy.devices else ()
        landlock.restrict(policy.read, (policy.workdir, *own), (*DEVICES, *policy.devices))
    _limit(policy.limits, address_space, policy.user_processes)
    if "seccomp" in policy.layers and seccomp.supported():
        seccomp.install(os.getpid(), gpu=bool(policy.devices))


def groups_of(devices: Sequence[str]) -> list[int]:
    """The groups that are the way to a device, as on AMD, where others may not open its files; never root's."""
    found = [os.stat(path) for path in devices if os.path.exists(path)]
    return sorted({one.st_gid for one in found if one.st_gid and one.st_mode & _OTHERS != _OTHERS})


def _drop_user(policy: Policy) -> None:
    os.setgroups(groups_of(policy.devices))
    os.setresgid(policy.uid, policy.uid, policy.uid)
    os.setresuid(policy.uid, policy.uid, policy.uid)


def _die_with_parent() -> None:
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _first_for_the_oom_killer() -> None:
    prctl(PR_SET_DUMPABLE, 1)  # else the file belongs to root
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    prctl(PR_SET_DUMPABLE, 0)


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _limit(limits: Limits, address_space: int, user_processes: int) -> None:
    def at_most(kind: int, soft: int, hard: int | None = None) -> None:
        ceiling = resource.getrlimit(kind)[1]
        hard = soft if hard is None else hard
        if ceiling != resource.RLIM_INFINITY:
            soft, hard = min(soft, ceiling), min(hard, ceiling)
        resource.setrlimit(kind, (soft, hard))

    at_most(resource.RLIMIT_CORE, 0)
    at_most(resource.RLIMIT_CPU, limits.cpu_s, limits.cpu_s + 1)
    at_most(resource.RLIMIT_FSIZE, limits.file_bytes)
    at_most(resource.RLIMIT_NOFILE, limits.open_files)
    at_most(resource.RLIMIT_MEMLOCK, 64 << 20)
    at_most(resource.RLIMIT_MSGQUEUE, 0)
    at_most(resource.RLIMIT_NPROC, limits.threads + user_processes)
    if address_space:
        at_most(resource.RLIMIT_AS, address_space + limits.memory)
