"""A frozen child stays frozen: nothing that it prepared may wake it while the judge reads its outputs."""

from __future__ import annotations

import os
import time

import pytest
from harness import SCRIPT, SMALL, Arena, until

from geak_evaluator.sandbox.child import Child
from geak_evaluator.sandbox.memory import SharedMemory

_WRITER = """
    import mmap, threading
    shared = mmap.mmap(4, 4096)
    def count(place):
        value = 0
        while True:
            value = (value + 1) & 0x7FFFFFFF
            struct.pack_into("<I", shared, place * 4, value)
"""


def spawned(arena: Arena, memory: SharedMemory) -> Child:
    return arena.box.spawn(SCRIPT, {"judge": 0}, limits=SMALL, shared=(memory.fd,))


def still(memory: SharedMemory, seconds: float) -> bool:
    before = memory.read(0, 64)
    time.sleep(seconds)
    return memory.read(0, 64) == before


def moving(memory: SharedMemory, child: Child) -> None:
    before = memory.read(0, 64)
    until(lambda: memory.read(0, 64) != before, f"the writer does not write: {child.log}")


@pytest.mark.parametrize("kind", ["threads", "processes", "orphans"])
def test_freeze_holds_every_writer(arena: Arena, kind: str) -> None:
    """From the moment that `freeze` returns; looked at many times, because the moment is short."""
    start = {
        "threads": "for i in range(3): threading.Thread(target=count, args=(i,), daemon=True).start()",
        "processes": "for i in range(3): os.fork() or count(i)",
        "orphans": "for i in range(3): os.fork() or (os.fork() and os._exit(0)) or count(i)",
    }[kind]
    with SharedMemory(4096) as memory, spawned(arena, memory) as child:
        assert child.ask(arena.prepared(_WRITER, start)).ok
        for _ in range(60):
            child.thaw()
            moving(memory, child)
            child.freeze()
            assert still(memory, 0.002)
        assert still(memory, 0.2)


@pytest.mark.parametrize(
    "way",
    [
        # Ends slowly, because it has much to give back, and its parent is told by the signal that wakes the stopped.
        """
        import threading
        def ends_slowly():
            while True:
                pid = libc.syscall(ctypes.c_long(56), ctypes.c_long(signal.SIGCONT), 0, 0, 0, 0)
                if pid < 0:
                    return
                if pid == 0:
                    held = bytearray(b"x") * (100 << 20)
                    os._exit(0)
                os.waitpid(pid, 0x40000000)
        threading.Thread(target=ends_slowly, daemon=True).start()
        """,
        """
        signal.signal(signal.SIGCONT, lambda *_: None)
        timer = ctypes.c_int()
        event = struct.pack("QiiQ", 0, signal.SIGCONT, 0, 0) + bytes(64)
        if libc.syscall(ctypes.c_long(222), 1, event, ctypes.byref(timer)) == 0:
            every = struct.pack("QQQQ", 0, 20_000_000, 0, 20_000_000)
            libc.syscall(ctypes.c_long(223), timer, 0, every, None)
        """,
        """
        import fcntl
        near, far = os.pipe()
        try:
            fcntl.fcntl(1, fcntl.F_SETOWN, os.getpid())
            fcntl.fcntl(1, 10, int(signal.SIGCONT))
            fcntl.fcntl(1, fcntl.F_SETFL, fcntl.fcntl(1, fcntl.F_GETFL) | os.O_ASYNC)
        except OSError:
            pass
        os.write(1, bytes(60_000))
        """,
        """
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
        signal.signal(signal.SIGALRM, lambda *_: None)
        """,
        """
        for _ in range(20):
            if os.fork() == 0:
                time.sleep(0.03)
                os._exit(0)
        """,
    ],
    ids=["exit-signal", "timer", "descriptor-signal", "alarm", "children-that-end"],
)
def test_freeze_is_not_undone_from_inside(arena: Arena, way: str) -> None:
    with SharedMemory(4096) as memory, spawned(arena, memory) as child:
        start = "threading.Thread(target=count, args=(0,), daemon=True).start()"
        assert child.ask(arena.prepared(way, _WRITER, start)).ok
        for _ in range(5):
            moving(memory, child)
            child.freeze()
            before = memory.read(0, 64)
            deadline = time.monotonic() + 0.25
            while time.monotonic() < deadline:
                child._drain()  # what the judge does between requests
                assert memory.read(0, 64) == before, "it runs again"
                time.sleep(0.005)
            child.thaw()


def test_shared_memory_keeps_its_size(arena: Arena) -> None:
    """Sealed: cut short under the judge's eyes, a look at it would be a bus error in the judge."""
    with SharedMemory(8192) as memory:
        found = arena.run(
            """
            again = os.open("/proc/self/fd/4", os.O_RDWR)
            for name, fd in (("given", 4), ("opened again", again)):
                attempt(name + " shrink", os.ftruncate, fd, 0)
                attempt(name + " grow", os.ftruncate, fd, 1 << 20)
                attempt(name + " allocate", lambda: call(285, fd, 0, 0, 1 << 20))
                attempt(name + " hole", lambda: call(285, fd, 3, 0, 4096))
                attempt(name + " seal", lambda: __import__("fcntl").fcntl(fd, 1033, 8))
                attempt(name + " write beyond", os.pwrite, fd, b"x", 1 << 20)
            """,
            spawn={"shared": (memory.fd,)},
        ).found
        assert not [name for name, value in found.items() if value.startswith("OPEN")], found
        assert os.fstat(memory.fd).st_size == 8192
        assert len(memory.read(0, 8192)) == 8192


def test_an_earlier_childs_job_is_gone(arena: Arena) -> None:
    """What one child was given must not lie in the memory that the next one inherits."""
    marker = os.urandom(12).hex()
    assert arena.run("answer = b'heard'", note=marker).reply.ok
    outcome = arena.run(
        """
        half, other = job["halves"]
        hits = 0
        for line in read("/proc/self/maps", 1 << 22).decode().splitlines():
            span, rights, *_ = line.split()
            first, last = (int(part, 16) for part in span.split("-"))
            if rights.startswith("rw") and last - first < 1 << 28:
                memory = ctypes.string_at(first, last - first)
                at = memory.find(half.encode())
                while at >= 0:
                    hits += memory[at + len(half) : at + len(half) + len(other)] == other.encode()
                    at = memory.find(half.encode(), at + 1)
        answer = str(hits).encode()
        """,
        halves=[marker[:12], marker[12:]],
    )
    if b"PermissionError" in outcome.reply.body:
        pytest.skip("this child cannot read its own map")
    assert outcome.reply.body == b"0"
