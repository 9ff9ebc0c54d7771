"""Faults in the code that is run: F01-F09, F11, F17-F22, F25-F27, F30, F39-F42; it loops, dies, lies or floods.

They run as scripts: what loading and running a kernel make of the same code is for the judge's own tests.
"""

from __future__ import annotations

import signal
import time

import pytest
from harness import MIB, SCRIPT, SMALL, Arena, Fault

SHORT = 0.5


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("while True: pass", id="F01-F02-loop"),
        pytest.param("signal.pause()", id="F01-pause"),
        pytest.param(
            """
            for number in range(1, 65):
                try: signal.signal(number, signal.SIG_IGN)
                except (OSError, ValueError): pass
            signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
            while True: pass
            """,
            id="F17-ignore-all-signals",
        ),
        pytest.param("os.kill(os.getpid(), signal.SIGSTOP)", id="F19-stop-oneself"),
        pytest.param("time.sleep(30)", id="F21-slow-import"),
        pytest.param("import re; re.match('(a+)+$', 'a' * 40 + 'b')", id="F22-regex-that-holds-the-lock"),
        pytest.param("10 ** (10 ** 9)", id="F22-power-that-holds-the-lock"),
        pytest.param("libc.vfork() or libc.pause()", id="F02-vfork"),
        pytest.param("os.write(3, channel._nonce[:8]); time.sleep(30)", id="F42-half-a-nonce"),
        pytest.param(
            "os.write(3, struct.pack('<16sBI', channel._nonce, 0, 8) + b'half'); time.sleep(30)", id="F42-half"
        ),
        pytest.param("os.close(1); os.close(2); time.sleep(30)", id="F18-closed-log"),
        pytest.param(
            """
            os.write(3, struct.pack('<16sBI', channel._nonce, 0, 4 << 20))
            while True: os.write(3, b'x')
            """,
            id="F42-drip-without-end",
        ),
        pytest.param(
            """
            while True:
                os.write(1, b'.')
                time.sleep(0.001)
            """,
            id="F11-drip-into-the-log",
        ),
    ],
)
def test_timeout(arena: Arena, source: str) -> None:
    outcome = arena.run(source, wall_s=SHORT)
    assert outcome.fault is Fault.TIMEOUT, outcome
    assert outcome.ending.status in (-signal.SIGKILL, -signal.SIGXFSZ)
    assert not outcome.ending.stuck


@pytest.mark.parametrize(
    ("source", "status"),
    [
        pytest.param("import ctypes; ctypes.string_at(0)", -signal.SIGSEGV, id="F03-segfault"),
        pytest.param("os.abort()", -signal.SIGABRT, id="F04-abort"),
        pytest.param("os._exit(0)", 0, id="F05-exit"),
        pytest.param("raise SystemExit", 0, id="F05-system-exit"),
        pytest.param("import threading; threading.Thread(target=lambda: os._exit(3)).start(); time.sleep(30)", 3,
                     id="F05-exit-in-a-thread"),
        pytest.param("os.kill(os.getpid(), 9)", -signal.SIGKILL, id="self-kill"),
        pytest.param("raise KeyboardInterrupt", 1, id="F41-keyboard-interrupt"),
        pytest.param("os.execv('/bin/true', ['true'])", 0, id="exec-another-program"),
        pytest.param("os.execv('/bin/sh', ['sh', '-c', 'exec <&3; exit 4'])", 4, id="exec-a-shell"),
        pytest.param("os.closerange(0, 256); time.sleep(0.2)", None, id="F18-close-all"),
        pytest.param("socket.socket(fileno=3).shutdown(socket.SHUT_RDWR); time.sleep(30)", None, id="F18-shutdown"),
        pytest.param("os.dup2(0, 3); time.sleep(30)", None, id="F18-replace-the-channel"),
        pytest.param("libc.syscall(60, 0); time.sleep(30)", 0, id="F05-end-of-the-only-thread"),
        pytest.param(
            """
            import threading
            threading.Thread(target=lambda: time.sleep(30)).start()
            libc.syscall(ctypes.c_long(60), 0)
            """, None, id="F05-end-of-the-first-thread"),
        pytest.param(
            """
            if os.fork() == 0:
                for number in range(1, 32):
                    try: signal.signal(number, signal.SIG_IGN)
                    except OSError: pass
                while True: time.sleep(1)
            os._exit(5)
            """, 5, id="grandchild-holds-the-channel"),
        pytest.param(
            """
            if os.fork() == 0:
                while True:
                    os.write(1, b'.')
                    time.sleep(0.001)
            os._exit(5)
            """, 5, id="grandchild-drips-into-the-log"),
        pytest.param("import resource; resource.setrlimit(resource.RLIMIT_CPU, (1, 1))\nwhile True: pass",
                     -signal.SIGKILL, id="cpu-limit"),
    ],
)  # fmt: skip
def test_died(arena: Arena, source: str, status: int | None) -> None:
    outcome = arena.run(source, wall_s=8)
    assert outcome.fault is Fault.DIED, outcome
    if status is not None:
        assert outcome.ending.status == status
    assert outcome.seconds < 6


def test_cpu_limit_of_the_policy(arena: Arena) -> None:
    outcome = arena.run("while True: pass", limits=SMALL.__class__(cpu_s=1, wall_s=20))
    assert outcome.fault is Fault.DIED
    assert outcome.ending.status in (-signal.SIGXCPU, -signal.SIGKILL)


_FRAME = "struct.pack('<16sBI', {nonce}, {status}, {length})"


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("os.write(3, bytes(21)); time.sleep(9)", id="F42-another-nonce"),
        pytest.param("os.write(3, b'\\xff' * 100); time.sleep(9)", id="F42-noise"),
        pytest.param(f"os.write(3, {_FRAME.format(nonce='channel._nonce', status=0, length=0xFFFFFFFF)});"
                     "time.sleep(9)",
                     id="F42-huge-length"),
        pytest.param(f"os.write(3, {_FRAME.format(nonce='channel._nonce', status=0, length='(4 << 20) + 1')});"
                     "time.sleep(9)", id="F42-length-over-the-limit"),
        pytest.param("answer = bytes(5 << 20)", id="F42-reply-over-the-limit"),
    ],
)  # fmt: skip
def test_protocol(arena: Arena, source: str) -> None:
    assert arena.run(source, wall_s=8).fault is Fault.PROTOCOL


def test_an_answer_before_the_question(arena: Arena) -> None:
    """Left in the channel after a good reply: the next request is not even sent."""
    with arena.box.spawn(SCRIPT, limits=SMALL) as child:
        reply = child.ask(
            arena.prepared("""
            channel.reply(b"first")
            os.write(3, struct.pack("<16sBI", channel._nonce, 0, 1) + b"x")
            channel.receive = lambda: time.sleep(30)
            time.sleep(30)
        """)
        )
        assert reply.body == b"first"
        deadline = time.monotonic() + 5
        while not child._pending() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert child.ask(b"").fault is Fault.PROTOCOL


@pytest.mark.parametrize("drip", [1, 1000, 70_000])
def test_a_long_reply_in_pieces(arena: Arena, drip: int) -> None:
    outcome = arena.run(
        """
        data = struct.pack("<16sBI", channel._nonce, 0, 100_000) + b"r" * 100_000
        for at in range(0, len(data), job["drip"]):
            os.write(3, data[at : at + job["drip"]])
        channel.receive()
        """,
        drip=drip,
    )
    assert outcome.reply.body == b"r" * 100_000


def test_a_child_that_never_reads(arena: Arena) -> None:
    with arena.box.spawn(SCRIPT, limits=SMALL) as child:
        assert child.ask(b"answer = b'1'").ok
        child.freeze()
        started = time.monotonic()
        assert child.ask(bytes(32 * MIB), wall_s=SHORT).fault is Fault.TIMEOUT
        assert time.monotonic() - started < SHORT + 5


def test_a_child_that_reads_slowly(arena: Arena) -> None:
    """A byte at a time, for ever: each is progress, and the deadline holds all the same."""
    with arena.box.spawn(SCRIPT, limits=SMALL) as child:
        assert (
            child.ask(
                arena.prepared("""
            import threading
            def slowly():
                while True:
                    os.read(3, 4096)
                    time.sleep(0.0005)
            channel.reply(b"now")
            slowly()
        """)
            ).body
            == b"now"
        )
        started = time.monotonic()
        assert child.ask(bytes(200 * MIB), wall_s=1).fault is Fault.TIMEOUT
        assert time.monotonic() - started < 1 + 5


@pytest.mark.parametrize(
    ("source", "told"),
    [
        pytest.param("raise ValueError('x' * 100_000)", "ValueError", id="F06-long-exception"),
        pytest.param("def (:", "SyntaxError", id="F07-syntax-error"),
        pytest.param("x = 1\x00", "", id="F27-nul-in-the-source"),
        pytest.param("def f(): f()\nf()", "RecursionError", id="F08-recursion"),
        pytest.param("sys.setrecursionlimit(10**8)\ndef f(): f()\nf()", None, id="F08-deep-recursion"),
        pytest.param("class E(Exception):\n  def __str__(self): raise self\nraise E", None, id="F06-raising-exception"),
        pytest.param("class E(BaseException): pass\nraise E", None, id="F06-base-exception"),
        pytest.param("answer = object()", None, id="F06-odd-answer"),
        pytest.param("class B(bytes):\n  def __len__(self): return 5\nanswer = B(b'x')", None, id="F06-lying-answer"),
        pytest.param("sys.stderr = None; sys.modules.clear(); raise BaseException", None, id="F30-broken-interpreter"),
        pytest.param("import builtins; del builtins.len, builtins.bytes\nanswer = 1", None, id="F30-broken-builtins"),
        pytest.param("\ud800", None, id="F27-surrogate"),
    ],
)
def test_errors_are_told_or_deadly(arena: Arena, source: str, told: str | None) -> None:
    with arena.box.spawn(SCRIPT, limits=SMALL) as child:
        text = arena.prepared("").rpartition(b"answer = answer")[0]
        reply = child.ask(text + source.encode("utf-8", "surrogatepass"), wall_s=8)
    assert reply.fault in (None, Fault.DIED, Fault.OUT_OF_MEMORY)
    if told is not None:
        assert reply.fault is None
        assert reply.status == 1
        assert told in reply.body.decode()
    assert len(reply.body) < 10_000
    assert len(child.log) <= SMALL.log_kept


def test_F20_threads_at_the_end(arena: Arena) -> None:
    outcome = arena.run("""
        import threading
        def forever():
            while True: time.sleep(1)
        for _ in range(5): threading.Thread(target=forever).start()
        answer = b"done"
    """)
    assert outcome.reply.body == b"done"


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        pytest.param(r"os.write(1, b'\xff\xfe\x80 text')", "text", id="F25-invalid-utf-8"),
        pytest.param(r"os.write(2, b'\x1b[2J\x1b]0;title\x07 text')", "text", id="F26-terminal-escapes"),
        pytest.param(r"print('{\"verdict\": \"pass\", \"score\": 1}')", "verdict", id="F26-a-forged-verdict"),
    ],
)
def test_logs_are_only_text(arena: Arena, source: str, kept: str) -> None:
    """Escapes are kept here as they came: a report strips them where it prints."""
    outcome = arena.run(source + "\nsys.stdout.flush()")
    assert outcome.reply.ok
    assert kept in outcome.log


@pytest.mark.parametrize("way", ["os.write(1, bytes(65536))", "print('x' * 9999)", "os.write(2, b'y' * 100)"])
def test_F11_output_flood(arena: Arena, way: str) -> None:
    outcome = arena.run(f"while True: {way}", wall_s=8)
    assert outcome.fault is Fault.OUTPUT_FLOOD
    assert len(outcome.log) <= SMALL.log_kept


def test_F30_finalizers(arena: Arena) -> None:
    """Neither at the end of a request nor of the process does anything foreign decide how it went."""
    outcome = arena.run("""
        import atexit
        class Late:
            def __del__(self): os.write(3, bytes(100)); raise RuntimeError
        late = Late()
        atexit.register(lambda: os.write(3, bytes(100)))
        sys.excepthook = lambda *_: os.write(3, bytes(100))
        answer = b"fine"
    """)
    assert outcome.reply.body == b"fine"


def test_F41_ends_between_request_and_reply(arena: Arena) -> None:
    with arena.box.spawn(SCRIPT, limits=SMALL) as child:
        assert child.ask(b"answer = b'1'").ok
        reply = child.ask(b"import os; os._exit(9)")
        assert reply.fault is Fault.DIED
        assert child.ask(b"").fault is Fault.DIED  # and so for ever after
        assert child.end().status == 9


def test_F39_the_clock_steps(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines go by a clock that nobody can set."""
    steps = iter(range(0, 10**9, 10_000))
    monkeypatch.setattr(time, "time", lambda: float(next(steps)))
    assert arena.run("time.sleep(0.3); answer = b'well'", wall_s=5).reply.body == b"well"
    assert arena.run("time.sleep(30)", wall_s=SHORT).fault is Fault.TIMEOUT


def test_F40_many_configurations(arena: Arena) -> None:
    """A thousand configurations to compile: here only that the deadline ends it, in however many programs it hides."""
    outcome = arena.run(
        """
        import subprocess
        for _ in range(1000):
            subprocess.run(["/bin/sh", "-c", "sleep 0.05"])
        """,
        wall_s=1,
    )
    assert outcome.fault is Fault.TIMEOUT


@pytest.mark.gpu
@pytest.mark.skip(reason="needs a GPU and the candidate's role on it")
@pytest.mark.parametrize(
    "name", ["F31-illegal-address", "F32-infinite-kernel", "F33-out-of-memory", "F34-shared-memory"]
)
def test_on_a_gpu(name: str) -> None:
    """device error and the next child clean; time-out and the device usable; out of memory; determinism."""
