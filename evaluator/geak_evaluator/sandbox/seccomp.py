"""seccomp: which system calls a child may make, as a BPF program that is built here and needs no library."""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
from functools import lru_cache

from geak_evaluator.sandbox.syscalls import syscall

_SECCOMP, _SET_FILTER, _TSYNC = 317, 1, 1
_AUDIT_ARCH_X86_64 = 0xC000003E
_X32 = 0x40000000
_NEWEST_KNOWN = 470
"""A call that did not exist when this list was written is refused, not allowed."""

_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _EQUAL, _ANY_BIT, _AT_LEAST, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_AND = 0x54
_NUMBER, _ARCH, _ARG0, _ARG1, _ARG2, _ARG3 = 0, 4, 16, 24, 32, 40


def _table(text: str) -> dict[str, int]:
    return {name: int(number) for name, _, number in (word.partition("=") for word in text.split())}


# In groups: other processes; leaving the process group, by which a child is killed whole; timers, which can send the
# signal that wakes a stopped process; the network; memory that no process owns and no limit counts, and queues that
# any process of the user can reach; the kernel's own machinery; filesystems and namespaces, and two calls that older
# Landlock does not see; the clock and host name.
DENIED = _table("""
    ptrace=101 process_vm_readv=310 process_vm_writev=311 process_madvise=440 process_mrelease=448 kcmp=312
    pidfd_open=434 pidfd_getfd=438 pidfd_send_signal=424 tkill=200 rt_sigqueueinfo=129 rt_tgsigqueueinfo=297
    migrate_pages=256 move_pages=279 setpriority=141 ioprio_set=251
    sched_setparam=142 sched_setscheduler=144 sched_setattr=314

    setsid=112 setpgid=109

    timer_create=222

    socket=41 connect=42 bind=49 listen=50 accept=43 accept4=288

    shmget=29 shmat=30 shmctl=31 semget=64 semop=65 semctl=66 semtimedop=220 msgget=68 msgsnd=69 msgrcv=70 msgctl=71
    mq_open=240 mq_unlink=241 memfd_create=319 memfd_secret=447

    bpf=321 perf_event_open=298 userfaultfd=323 io_uring_setup=425 io_uring_enter=426 io_uring_register=427
    add_key=248 request_key=249 keyctl=250 fanotify_init=300 lookup_dcookie=212
    init_module=175 finit_module=313 delete_module=176 kexec_load=246 kexec_file_load=320
    reboot=169 swapon=167 swapoff=168 acct=163 quotactl=179 quotactl_fd=443 syslog=103 vhangup=153
    iopl=172 ioperm=173 modify_ldt=154 personality=135 uselib=134 ustat=136 sysfs=139

    mount=165 umount2=166 pivot_root=155 chroot=161 open_tree=428 move_mount=429 fsopen=430 fsconfig=431
    fsmount=432 fspick=433 mount_setattr=442 unshare=272 setns=308 statmount=457 listmount=458
    open_tree_attr=467 listns=470 file_setattr=469
    name_to_handle_at=303 open_by_handle_at=304 mknod=133 mknodat=259 truncate=76 inotify_add_watch=254

    settimeofday=164 clock_settime=227 adjtimex=159 clock_adjtime=305 sethostname=170 setdomainname=171
""")
"""Refused with EPERM."""

PRETENDED = _table("""
    chmod=90 fchmod=91 fchmodat=268 fchmodat2=452 chown=92 fchown=93 lchown=94 fchownat=260
    utime=132 utimes=235 futimesat=261 utimensat=280
    setxattr=188 lsetxattr=189 fsetxattr=190 removexattr=197 lremovexattr=198 fremovexattr=199
    setxattrat=463 removexattrat=466
""")
"""Metadata calls that Landlock does not see: they do nothing and say 0, so that compilers and copies go on working."""

_CLONE, _CLONE3, _KILL, _TGKILL, _PRLIMIT, _PRCTL, _IOCTL = 56, 435, 62, 234, 302, 157, 16
_OPEN, _OPENAT, _OPENAT2, _MMAP, _FCNTL, _FALLOCATE, _AFFINITY = 2, 257, 437, 9, 72, 285, 203
_SOCKET, _SOCKETPAIR, _AF_UNIX = 41, 53, 1
_STREAM, _SEQPACKET, _TYPE = 1, 5, 0xF
_SENDS = {44: _ARG3, 46: _ARG2, 307: _ARG3}
_NEW_NAMESPACES = 0x7E020000
_SIGCHLD = 17
_PDEATHSIG, _SCHED_CORE = 1, 62
_HARMLESS_IOCTLS = (0x5401, 0x802C542A, 0x5413, 0x540F, 0x541B, 0x5421, 0x5450, 0x5451)
"""What libc asks of any descriptor: is it a terminal, how wide, how much is there, blocking, inheritance."""
_HARMFUL_IOCTLS = (0x5412, 0x541C, 0x5452, 0x8901, 0x8902, 0x40086602, 0x401C5820, 0x40087602, 0x40806685, 0x800C6613)
"""TIOCSTI, TIOCLINUX; FIOASYNC, FIOSETOWN, SIOCSPGRP; a file's flags, project, version, verity, encryption."""
_SIGNALLING_FCNTLS = (8, 10, 15, 1024, 1026)
"""F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE, F_NOTIFY: by them the kernel signals whom the child names."""
_GPU_NEEDS = ("memfd_create", "bind", "listen")
"""libcuda binds an abstract socket, by which others could ask for its descriptors, and does not start without: it needs
neither to connect nor to accept. Landlock lets no child make a socket that is a file."""
OWN = 0x600DF00D
"""Stands for the process itself until it is known."""


def supported() -> bool:
    """Whether the list fits this machine's system calls."""
    return platform.machine() == "x86_64"


@lru_cache(maxsize=4)
def program(own_pid: int, *, gpu: bool = False) -> bytes:
    """The filter for one process; with `gpu`, what a GPU's runtime needs is open."""
    code: list[tuple[int, int, int, int]] = []

    def add(op: int, value: int, yes: int = 0, no: int = 0) -> None:
        code.append((op, yes, no, value))

    def refuse(number: int) -> None:
        add(_RETURN, _ERRNO | number)

    def when(call: int, block: list[tuple[int, int, int, int]]) -> None:
        add(_EQUAL, call, 0, len(block))
        code.extend(block)

    def only(argument: int, *allowed: int) -> list[tuple[int, int, int, int]]:
        tests = [(_EQUAL, len(allowed) - i, 0, value) for i, value in enumerate(allowed)]
        return [(_LOAD, 0, 0, argument), *tests, (_RETURN, 0, 0, _ERRNO | errno.EPERM), (_RETURN, 0, 0, _ALLOW)]

    def never(argument: int, *refused: int) -> list[tuple[int, int, int, int]]:
        tests = [(_EQUAL, len(refused) - i, 0, value) for i, value in enumerate(refused)]
        return [(_LOAD, 0, 0, argument), *tests, (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _ERRNO | errno.EPERM)]

    def unless(argument: int, mask: int, *refused: int) -> list[tuple[int, int, int, int]]:
        return [never(argument, 0)[0], (_AND, 0, 0, mask), *never(argument, *refused)[1:]]

    add(_LOAD, _ARCH)
    add(_EQUAL, _AUDIT_ARCH_X86_64, 1, 0)
    add(_RETURN, _KILL_PROCESS)
    add(_LOAD, _NUMBER)
    add(_AT_LEAST, _X32, 0, 1)
    add(_RETURN, _KILL_PROCESS)
    add(_AT_LEAST, _NEWEST_KNOWN + 1, 0, 1)
    refuse(errno.ENOSYS)
    # clone3 hides its flags behind a pointer; without it libc falls back to clone, whose flags can be read here.
    add(_EQUAL, _CLONE3, 0, 1)
    refuse(errno.ENOSYS)
    # openat2 hides its flags likewise.
    add(_EQUAL, _OPENAT2, 0, 1)
    refuse(errno.ENOSYS)
    # A process that has been stopped must not be woken by the end of one of its own: only SIGCHLD may tell of that.
    new = [(_LOAD, 0, 0, _ARG0), (_ANY_BIT, 0, 1, _NEW_NAMESPACES), (_RETURN, 0, 0, _ERRNO | errno.EPERM)]
    when(_CLONE, [*new, (_AND, 0, 0, 0xFF), *only(_ARG0, 0, _SIGCHLD)[1:]])
    when(_KILL, only(_ARG0, own_pid))
    when(_TGKILL, only(_ARG0, own_pid))
    when(_PRLIMIT, only(_ARG0, 0, own_pid))
    when(_AFFINITY, only(_ARG0, 0, own_pid))
    when(_PRCTL, never(_ARG0, _PDEATHSIG, _SCHED_CORE))
    # A pair of streams leads nowhere else; from a datagram socket one can send to any address.
    local = [(_LOAD, 0, 0, _ARG0), (_EQUAL, 1, 0, _AF_UNIX), (_RETURN, 0, 0, _ERRNO | errno.EPERM)]
    streams = [*local, (_LOAD, 0, 0, _ARG1), (_AND, 0, 0, _TYPE), *only(_ARG1, _STREAM, _SEQPACKET)[1:]]
    when(_SOCKETPAIR, streams)
    if gpu:
        when(_SOCKET, streams)
    when(_FCNTL, never(_ARG1, *_SIGNALLING_FCNTLS))
    # Truncating what was opened for reading: Landlock before Linux 6.2 lets it pass.
    when(_OPEN, unless(_ARG1, 0x203, 0x200))
    when(_OPENAT, unless(_ARG2, 0x203, 0x200))
    # Space beyond a file's end, which the limit on its size does not count.
    when(_FALLOCATE, only(_ARG1, 0))
    for call, argument in _SENDS.items():
        when(call, unless(argument, 1, 1))  # out of band: never used here, often broken in kernels
    if gpu:
        when(_IOCTL, never(_ARG1, *_HARMFUL_IOCTLS))
    else:
        when(_IOCTL, only(_ARG1, *_HARMLESS_IOCTLS))
        when(_MMAP, unless(_ARG3, 0x21, 0x21))  # shared and anonymous: stays when no process shows it
    for name, number in DENIED.items():
        if not (gpu and name in _GPU_NEEDS):
            add(_EQUAL, number, 0, 1)
            refuse(errno.EPERM)
    for number in PRETENDED.values():
        add(_EQUAL, number, 0, 1)
        refuse(0)
    add(_RETURN, _ALLOW)
    return b"".join(struct.pack("HBBI", *instruction) for instruction in code)


def install(own_pid: int, *, gpu: bool = False) -> None:
    """Puts the filter on every thread of this process; needs no_new_privs."""
    # Built once in the warm process; only the number differs from child to child.
    code = program(OWN, gpu=gpu).replace(struct.pack("I", OWN), struct.pack("I", own_pid))
    held = ctypes.create_string_buffer(code, len(code))
    descriptor = struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(held))
    if syscall(_SECCOMP, ctypes.c_uint(_SET_FILTER), ctypes.c_uint(_TSYNC), ctypes.c_char_p(descriptor)):
        raise OSError(errno.EBUSY, "a thread has a filter of its own")
