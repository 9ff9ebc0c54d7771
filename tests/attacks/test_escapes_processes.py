"""Escapes by way of other processes, and by outliving one's own end: E05-E07, E36-E44, E52, E58."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from harness import EVERY_ROLE, SCRIPT, SMALL, WITHOUT, Arena, until


def targets(arena: Arena, *more: int) -> list[int]:
    """Numbers by which the child might reach the judge, the warm process, a sibling or a decoy; all the suite's own."""
    return [arena.target, *more]


_EACH = """
    pids = [pid for pid in job["pids"] if pid != os.getpid()] + [os.getppid()]
"""


@EVERY_ROLE
def test_E05_E06_E07_memory_of_others(arena: Arena) -> None:
    with arena.sibling() as sibling, arena.decoy() as decoy:
        pids = targets(arena, sibling._number, *([] if arena.isolated else [decoy.pid]))
        arena.attack(
            _EACH
            + """
    own = ctypes.create_string_buffer(16)
    local = struct.pack("QQ", ctypes.addressof(own), 8)
    for pid in pids:
        attempt(f"{pid} seize", call, 101, 0x4206, pid, 0, 0)
        attempt(f"{pid} read", call, 310, pid, local, 1, local, 1, 0)
        attempt(f"{pid} write", call, 311, pid, local, 1, local, 1, 0)
        attempt(f"{pid} pidfd", call, 434, pid, 0)
        attempt(f"{pid} compare", call, 312, os.getpid(), pid, 0, 1, 1)
        attempt(f"{pid} mem", read, f"/proc/{pid}/mem", 1)
        attempt(f"{pid} advise", call, 440, -1, local, 1, 4, 0)
        attempt(f"{pid} move pages", call, 279, pid, 0, 0, 0, 0, 0)
        attempt(f"{pid} robust list", lambda: open(f"/proc/{pid}/fd/0"))
    attempt("traced by the parent", call, 101, 0, 0, 0, 0)
    attempt("take a descriptor", call, 438, 3, 0, 0)
    """,
            pids=pids,
        )


@EVERY_ROLE
@pytest.mark.parametrize("number", [0, signal.SIGTERM, signal.SIGSTOP, signal.SIGKILL, signal.SIGUSR1])
def test_E36_E38_E39_signals(arena: Arena, number: int) -> None:
    """To the judge itself only signal 0: were the sandbox to fail, the suite should live to say so."""
    judge_too = number == 0
    with arena.sibling() as sibling, arena.decoy() as decoy:
        pids = [sibling._number, *([] if arena.isolated else [decoy.pid])] + ([arena.target] if judge_too else [])
        arena.attack(
            """
            number, pids = job["number"], job["pids"] + ([os.getppid(), 0, -1] if job["number"] == 0 else [])
            for pid in pids:
                attempt(f"kill {pid}", call, 62, pid, number)
                attempt(f"kill group {pid}", call, 62, -pid, number)
                attempt(f"tkill {pid}", call, 200, pid, number)
                attempt(f"tgkill {pid}", call, 234, pid, pid, number)
                attempt(f"queue {pid}", call, 129, pid, number, bytes(128))
                attempt(f"queue to thread {pid}", call, 297, pid, pid, number, bytes(128))
                attempt(f"pidfd {pid}", call, 424, 0, number, 0, 0)
            in_child(lambda: attempt("kill", call, 62, job["pids"][0], number))
            """,
            pids=pids,
            number=int(number),
        )


def test_E37_kill_everything(arena: Arena) -> None:
    """Every process that the child may signal: safe only because of the cage's own process namespace."""
    number = 0 if WITHOUT else signal.SIGSTOP  # with layers left out, the suite itself would be stopped
    with arena.sibling(), arena.decoy():
        arena.attack(
            "attempt('all', call, 62, -1, job['number'])\nattempt('own group', call, 62, 0, 0)", number=int(number)
        )


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_E36_signals_that_the_kernel_sends(arena: Arena, number: int) -> None:
    """A descriptor's owner is told of events by a signal of the setter's choice; a lease or a watch does it too."""
    with arena.sibling() as sibling, arena.decoy() as decoy:
        arena.attack(
            """
            import fcntl
            near, far = socket.socketpair()
            for pid in job["pids"]:
                attempt(f"owner {pid}", fcntl.fcntl, near, fcntl.F_SETOWN, pid)
                attempt(f"owner {pid} of another kind", fcntl.fcntl, near, 15, struct.pack("ii", 1, pid))
                attempt(f"owner {pid} by ioctl", fcntl.ioctl, near, 0x8901, struct.pack("i", pid))
                attempt(f"group {pid} by ioctl", fcntl.ioctl, near, 0x8902, struct.pack("i", pid))
            attempt("signal", fcntl.fcntl, near, 10, job["number"])
            attempt("asynchronous", fcntl.ioctl, near, 0x5452, struct.pack("i", 1))
            attempt("lease", fcntl.fcntl, os.open("mine", os.O_CREAT | os.O_RDONLY), 1024, fcntl.F_RDLCK)
            attempt("watch", fcntl.fcntl, os.open(".", os.O_RDONLY), 1026, 0x80000002)
            try:
                fcntl.fcntl(near, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
                far.send(b"now")
            except OSError:
                pass
            """,
            pids=[sibling._number, *([] if arena.isolated else [decoy.pid])],
            number=int(number),
        )


def test_E36_signals_at_birth_and_death(arena: Arena) -> None:
    arena.attack("""
        attempt("parent's death", call, 157, 1, 15, 0, 0, 0)
        attempt("own timer", call, 222, 0, struct.pack("QiiQQQQQQ", 0, 18, 0, 0, 0, 0, 0, 0, 0), bytes(8))
        for name, number in (("kill", 9), ("continue", 18), ("user", 10)):
            attempt("birth with " + name, call, 56, number, 0, 0, 0, 0)
    """)


def test_E40_E41_leaving_the_group(arena: Arena) -> None:
    """A daemon cannot detach; what forks twice and lets its parents die is ended with the rest."""
    outcome = arena.run("""
        attempt("session", os.setsid)
        attempt("group", os.setpgid, 0, 0)
        in_child(lambda: (attempt("session", os.setsid), attempt("group", os.setpgrp)))
        attempt("adopt", call, 157, 36, 1, 0, 0, 0)
        for _ in range(4):
            if os.fork() == 0:
                if os.fork() == 0:
                    for number in range(1, 32):
                        try: signal.signal(number, signal.SIG_IGN)
                        except OSError: pass
                    os.closerange(0, 100)
                    while True: time.sleep(1)
                os._exit(0)
            os.wait()
    """)
    found = outcome.found
    assert found.pop("adopt").startswith("OPEN")  # of no use: all die together
    assert set(found.values()) == {"EPERM"}, found


@EVERY_ROLE
def test_E42_E43_E44_limits_and_priorities(arena: Arena) -> None:
    with arena.sibling() as sibling, arena.decoy() as decoy:
        affinity = os.sched_getaffinity(decoy.pid)
        arena.attack(
            _EACH
            + """
    import resource
    limit = struct.pack("QQ", 1, 1)
    cpus = struct.pack("Q", 1)
    for pid in pids:
        attempt(f"{pid} limits", call, 302, pid, 7, limit, None)
        attempt(f"{pid} read limits", call, 302, pid, 7, None, ctypes.create_string_buffer(16))
        attempt(f"{pid} nice", call, 141, 0, pid, 19)
        attempt(f"{pid} io", call, 251, 1, pid, 3 << 13)
        attempt(f"{pid} policy", call, 144, pid, 5, struct.pack("i", 0))
        attempt(f"{pid} parameters", call, 142, pid, struct.pack("i", 0))
        attempt(f"{pid} attributes", call, 314, pid, struct.pack("IIQiIQQQ", 48, 5, 0, 0, 0, 0, 0, 0), 0)
        attempt(f"{pid} processors", call, 203, pid, 8, cpus)
        attempt(f"{pid} core", call, 157, 62, 2, pid, 0, 0)
        attempt(f"{pid} oom", write, f"/proc/{pid}/oom_score_adj", b"0", 0)
    attempt("nice", call, 141, 0, 0, -5)
    attempt("own oom", write, "/proc/self/oom_score_adj", b"-1000", 0)
    attempt("own oom lower", write, "/proc/self/oom_score_adj", b"0", 0)
    in_child(lambda: attempt("oom", write, "/proc/self/oom_score_adj", b"0", 0))
    attempt("real time", call, 144, 0, 1, struct.pack("i", 1))
    for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC, resource.RLIMIT_CPU):
        hard = resource.getrlimit(kind)[1]
        attempt(f"raise {kind}", resource.setrlimit, kind, (hard, hard + 1))
        found[f"raise {kind}"] = found[f"raise {kind}"].replace("ValueError", "EPERM")
    """,
            pids=[arena.target, sibling._number, *([] if arena.isolated else [decoy.pid])],
        )
        assert os.sched_getaffinity(decoy.pid) == affinity
        score = Path(f"/proc/{sibling.pid}/oom_score_adj").read_text()
        assert score.strip() == "1000"


def test_E43_every_child_goes_first(arena: Arena) -> None:
    with arena.box.spawn(SCRIPT, limits=SMALL) as child:
        child.ask(b"")
        assert Path(f"/proc/{child.pid}/oom_score_adj").read_text().strip() == "1000"


def test_E52_terminals(arena: Arena) -> None:
    arena.attack(
        """
        import fcntl
        near, far = socket.socketpair()
        for name, fd in (("null", 0), ("log", 1), ("channel", 3), ("pair", near)):
            attempt("push " + name, fcntl.ioctl, fd, 0x5412, b"x")
            attempt("console " + name, fcntl.ioctl, fd, 0x541C, b"\\x03")
            attempt("take " + name, fcntl.ioctl, fd, 0x540E, 0)
        for path in ("/dev/tty", "/dev/console", "/dev/ptmx", "/dev/pts/0", "/dev/tty0"):
            attempt(path, os.open, path, os.O_RDWR)
        found["terminal"] = "OPEN" if os.isatty(0) or os.isatty(1) else "EPERM"
        """,
        denied=("ENXIO",),
    )


def test_E58_threads_are_covered(arena: Arena) -> None:
    """Threads that begin after the filter have it too; one that began before would stop the child from running."""
    arena.attack("""
        import threading
        def inside():
            attempt("read", read, "/etc/passwd")
            attempt("socket", socket.socket)
            attempt("session", os.setsid)
        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        in_child(inside)
    """)


def test_E58_a_thread_before_the_filter(arena: Arena) -> None:
    """Confining refuses to go on with more than one thread: Landlock covers only the one that asks for it."""
    import threading

    from geak_evaluator.sandbox.confine import confine
    from geak_evaluator.sandbox.policy import Policy

    heard, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            threading.Thread(target=lambda: time.sleep(60), daemon=True).start()
            confine(Policy(workdir="/tmp"))
            os.write(told, b"confined")
        except BaseException as error:
            os.write(told, repr(error).encode()[:500])
        finally:
            os._exit(0)
    os.close(told)
    answer = os.read(heard, 1000)
    os.close(heard)
    os.waitpid(pid, 0)
    assert b"thread" in answer, answer


@pytest.mark.parametrize("disguise", [b"plain", b"a) R 1 1 1 1", b"\xff\xfe\xfd", b"new\nline", b""])
def test_E41_names_do_not_hide_processes(arena: Arena, disguise: bytes) -> None:
    """A process may call itself anything; it is still counted, and ended."""
    limits = SMALL.__class__(processes=4, wall_s=10)
    outcome = arena.run(
        """
        libc.prctl(15, bytes.fromhex(job["name"]), 0, 0, 0)
        for _ in range(8):
            if os.fork() == 0:
                while True: time.sleep(1)
        while True: time.sleep(1)
        """,
        limits=limits,
        name=disguise.hex(),
    )
    assert outcome.fault is not None
    assert outcome.fault.value == "too_many_processes"
    until(lambda: not arena.strangers(), "something lives on")
