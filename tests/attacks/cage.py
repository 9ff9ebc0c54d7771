"""The cage: private process, network, IPC, name and mount namespaces around a command that attacks or breaks things.

    python tests/attacks/cage.py [--user] -- COMMAND...

Inside, the host's files can be read and not written, the temporary folders and the home folder are new and empty, there
is no network but loopback, no process of the host has a number, and all that is left when COMMAND ends goes with it.
As root, COMMAND runs as root, or with `--user` as a user that owns nothing; called by an ordinary user, only `--user`
works, in a user namespace. Exits as COMMAND does, or with 77 and one sentence where there is no cage to be had.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import resource
import secrets
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import NoReturn

NO_CAGE = 77
HOW = "runs only in its cage: python tests/attacks/cage.py [--user] -- python -m pytest tests/attacks -q"

_NAMESPACES = ("pid", "net", "ipc", "mnt", "uts")
_UNSHARE = 0x20000 | 0x4000000 | 0x8000000 | 0x20000000 | 0x40000000
_NEWUSER = 0x10000000
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
_MOUNT_SETATTR, _AT_RECURSIVE = 442, 0x8000
_USER = 53_111  # owns nothing and runs nothing anywhere
_NAME = "geak-cage"
_TOKEN = "/dev/geak-cage"
_REPOSITORY = Path(__file__).resolve().parents[2]

_libc = ctypes.CDLL(None, use_errno=True)


def outside() -> str:
    """Why this process is not in a cage; empty when it is. Looks at the kernel's facts, not at what we were told."""
    given = dict(part.split("=", 1) for part in os.environ.get("GEAK_CAGE_OUTSIDE", "").split() if "=" in part)
    same = [name for name in _NAMESPACES if given.get(name, "") in ("", os.readlink(f"/proc/self/ns/{name}"))]
    if same:
        return f"the host's namespaces: {', '.join(same)}"
    if Path("/proc/1/comm").read_text().strip() != _NAME:
        return "the first process here is not a cage's"
    if not os.path.exists(_TOKEN) or Path(_TOKEN).read_text() != os.environ.get("GEAK_CAGE"):
        return "the token is missing"
    if interfaces := {name for _, name in socket.if_nameindex()} - {"lo"}:
        return f"the network: {', '.join(sorted(interfaces))}"
    writable = [p for p in ("/", "/usr", "/etc", str(_REPOSITORY)) if not os.statvfs(p).f_flag & os.ST_RDONLY]
    return f"can be written: {', '.join(writable)}" if writable else ""


def main(arguments: list[str]) -> int:
    as_user = "--user" in arguments[: arguments.index("--")] if "--" in arguments else False
    if "--" not in arguments or not (command := arguments[arguments.index("--") + 1 :]):
        print(__doc__, file=sys.stderr)
        return 2
    if os.geteuid() and not as_user:
        return _none("the root arm of the attack suite needs root; --user works for everyone")
    facts = " ".join(f"{name}={os.readlink(f'/proc/self/ns/{name}')}" for name in _NAMESPACES)
    heard, told = os.pipe()
    watcher = os.fork()
    if watcher:
        os.close(told)
        return _wait(watcher, heard)
    # A process of its own, so that the caller stays in the host's namespaces.
    os.close(heard)
    _die_with_parent()
    try:
        _leave()
    except OSError as error:
        os._exit(_none(f"namespaces are not to be had here ({error})"))
    first = os.fork()
    if first == 0:
        _first(command, facts, as_user, told)
    os.close(told)
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
    os._exit(_code(os.waitpid(first, 0)[1]))


def _wait(watcher: int, heard: int) -> int:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: os.kill(watcher, signal.SIGKILL))  # and the cage dies with it
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command hears it too, and ends as it likes
    os.read(heard, 1)
    return _code(os.waitpid(watcher, 0)[1])


def _first(command: list[str], facts: str, as_user: bool, told: int) -> NoReturn:
    """The first process inside: furnishes the cage, runs the command, reaps, and ends all by ending."""
    _die_with_parent()
    try:
        Path("/proc/self/comm").write_text(_NAME)
        token = secrets.token_hex(16)
        _furnish(token, as_user)
        environment = _environment(facts, token)
        child = os.fork()
        if child == 0:
            _become_command(command, environment, as_user)
    except OSError as error:
        os._exit(_none(f"the cage could not be furnished ({error})"))
    os.close(told)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for fd in (0, 1, 2):
        os.close(fd)
    while True:
        pid, status = os.wait()
        if pid == child:
            os._exit(_code(status))


def _leave() -> None:
    uid, gid = os.getuid(), os.getgid()
    _check(_libc.unshare(_UNSHARE | (_NEWUSER if uid else 0)), "unshare")
    if uid:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")  # before anything else on this machine


def _furnish(token: str, as_user: bool) -> None:
    home = os.path.realpath(os.environ.get("HOME") or "/root")
    covered = [p for p in dict.fromkeys((home, "/root", "/run")) if os.path.isdir(p) and p != "/"]
    hidden = (*covered, "/tmp", "/var/tmp")
    kept = {p: os.open(p, os.O_PATH | os.O_CLOEXEC) for p in _kept() if any(p.startswith(f"{c}/") for c in hidden)}
    devices = {n: os.open(f"/dev/{n}", os.O_PATH | os.O_CLOEXEC) for n in ("null", "zero", "full", "random", "urandom")}
    _mount("", "/", "", _PRIVATE | _REC)
    _read_only("/")
    _mount("proc", "/proc", "proc", _NOSUID | _NODEV | _NOEXEC)
    for folder, size in (("/tmp", "768m"), ("/var/tmp", "64m")):
        _mount("tmpfs", folder, "tmpfs", _NOSUID | _NODEV, f"size={size},nr_inodes=400k,mode=1777")
    for folder in covered:
        mode = 0o755 if as_user else os.stat(folder).st_mode & 0o777
        _mount("tmpfs", folder, "tmpfs", _NOSUID | _NODEV, f"size=64m,mode={mode:o}")
    _mount("tmpfs", "/dev", "tmpfs", _NOSUID | _NOEXEC, "size=4m,mode=755")
    for name, fd in devices.items():
        Path(f"/dev/{name}").touch()
        _mount(f"/proc/self/fd/{fd}", f"/dev/{name}", "", _BIND)
    for name, where in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        os.symlink(f"/proc/self/fd{where}", f"/dev/{name}")
    os.mkdir("/dev/shm")
    _mount("tmpfs", "/dev/shm", "tmpfs", _NOSUID | _NODEV, "size=256m,mode=1777")
    for path, fd in kept.items():
        os.makedirs(path, mode=0o755, exist_ok=True)
        _mount(f"/proc/self/fd/{fd}", path, "", _BIND | _REC)
    Path(_TOKEN).write_text(token)
    if as_user:
        if os.geteuid() == 0:
            os.chown(home, _USER, _USER)
    else:
        # Real root could else change the host by them.
        for path in filter(os.path.exists, ("/proc/sys", "/proc/sysrq-trigger")):
            _mount(path, path, "", _BIND)
            _mount("", path, "", _BIND | _REMOUNT | _RDONLY | _NOSUID | _NODEV | _NOEXEC)
    os.chdir(_REPOSITORY)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"lo", 0x41))  # loopback up


def _kept() -> list[str]:
    """The interpreter and the repository: covered with the home folder or /tmp, they are put back."""
    links = [sys.executable, sys.prefix, sys.base_prefix, sys.base_exec_prefix, *sys.path, str(_REPOSITORY)]
    paths = sorted({os.path.realpath(p) for p in links if p and os.path.isdir(p)})
    return [p for p in paths if not any(p != other and p.startswith(f"{other}/") for other in paths)]


def _environment(facts: str, token: str) -> dict[str, str]:
    names = ("PATH", "HOME", "LANG", "TERM", "PYTHONPATH", "GEAK_ATTACKS_WITHOUT")
    known = {name: os.environ[name] for name in names if name in os.environ}
    cage = {"GEAK_CAGE": token, "GEAK_CAGE_OUTSIDE": facts, "PYTHONDONTWRITEBYTECODE": "1"}
    path = [str(_REPOSITORY / "evaluator"), str(_REPOSITORY), *filter(None, [known.get("PYTHONPATH")])]
    return {**known, **cage, "PYTHONPATH": ":".join(path)}


def _become_command(command: list[str], environment: dict[str, str], as_user: bool) -> NoReturn:
    os.setsid()
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.closerange(3, 4096)
    if as_user and os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(_USER, _USER, _USER)
        os.setresuid(_USER, _USER, _USER)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))
    try:
        os.execvpe(command[0], command, environment)
    except OSError as error:
        os._exit(_none(f"{command[0]} cannot be started inside ({error})"))


def _read_only(path: str) -> None:
    attributes = (ctypes.c_uint64 * 4)(_RDONLY, 0, 0, 0)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    result = _libc.syscall(
        ctypes.c_long(_MOUNT_SETATTR), -100, path.encode(), ctypes.c_uint(_AT_RECURSIVE), attributes, size
    )
    _check(result, "mount_setattr")


def _mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    result = _libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode())
    _check(result, f"mount {kind or source} on {target}")


def _check(result: int, what: str) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def _die_with_parent() -> None:
    _libc.prctl(1, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0)


def _code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def _none(why: str) -> int:
    print(f"no cage: {why}", file=sys.stderr)
    return NO_CAGE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
