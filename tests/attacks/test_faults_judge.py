"""Faults of the judge's own processes and of the machine: F35, F36, F38, F43, and what a killed guardian leaves."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest
from harness import SANDBOXES, SCRIPT, SMALL, Arena, Fault, State, parents_of, sandbox, until

from geak_evaluator.sandbox import folder
from geak_evaluator.sandbox.box import Sandbox, SandboxError

_HYDRA = {
    "forks": "for _ in range(3): os.fork()",
    "orphans": """
        for _ in range(4):
            if os.fork() == 0:
                if os.fork() == 0:
                    for number in range(1, 32):
                        try: signal.signal(number, signal.SIG_IGN)
                        except OSError: pass
                    os.closerange(0, 64)
                    while True: time.sleep(1)
                os._exit(0)
    """,
    "each-forks-and-dies": """
        def again():
            while True:
                try:
                    if os.fork(): os._exit(0)
                except OSError: pass
        for _ in range(10):
            if os.fork() == 0: again()
    """,
    "no-text-for-a-name": """
        for _ in range(4):
            if os.fork() == 0:
                libc.prctl(15, b"\\xff\\xfe", 0, 0, 0)
                if os.fork(): os._exit(0)
                while True: time.sleep(1)
    """,
    "stopped": """
        for _ in range(4):
            if os.fork() == 0: os.kill(os.getppid(), 0) if False else libc.pause()
        os.kill(os.getpid(), signal.SIGSTOP)
    """,
}

_JUDGE = """
import sys, time
from harness import Arena, sandbox
box = sandbox(*sys.argv[1].split()).start()
child = box.spawn("geak_evaluator.children.script", {"judge": 0})
print(child.pid, box.processes[0], box._root, flush=True)
child.ask(sys.stdin.buffer.read())
time.sleep(600)
"""


def judge(arena: Arena, source: str) -> tuple[subprocess.Popen[bytes], int, int, str]:
    """A judge in a process of its own, with one child that runs `source`."""
    without = "" if arena.isolated else "namespaces"
    command = [sys.executable, "-c", _JUDGE, without]
    paths = [str(Path(__file__).parent), os.environ["PYTHONPATH"]]
    environment = {**os.environ, "PYTHONPATH": ":".join(paths)}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    assert process.stdin
    assert process.stdout
    process.stdin.write(arena.prepared(source, "while True: time.sleep(1)"))
    process.stdin.close()
    child, guardian, root = process.stdout.readline().split()
    process.stdout.close()
    return process, int(child), int(guardian), root.decode()


@pytest.mark.parametrize("name", _HYDRA)
def test_F35_judge_killed(arena: Arena, name: str) -> None:
    """No survivors, grandchildren included, and the folder goes as well: the guardian sees to it."""
    process, child, _, root = judge(arena, "write('in the folder')\n" + textwrap.dedent(_HYDRA[name]))
    until(lambda: sum(group_of(pid) == child for pid in parents_of()) > 3, "the hydra did not grow")
    process.kill()
    process.wait()
    until(lambda: not arena.strangers(), lambda: f"survivors: {arena.strangers()}")
    until(lambda: not os.path.exists(root), "the folder is still there")


def group_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[2])
    except OSError:
        return 0


def zygote(box: Sandbox) -> int:
    (found,) = [pid for pid, parent in parents_of().items() if parent in box.processes]
    return found


@pytest.fixture
def own_box(box: Sandbox) -> object:
    """A sandbox of the test's own, of the same level, that it may break."""
    without = () if "namespaces" in box._layers else ("namespaces",)
    made = sandbox(*without).start()
    SANDBOXES.append(made)
    yield made
    SANDBOXES.remove(made)
    made.close()


@pytest.fixture
def own_arena(own_box: Sandbox) -> object:
    made = Arena(own_box, os.environ["GEAK_CAGE"], "namespaces" in own_box._layers)
    before = State.now(made)
    yield made
    # A new warm process has a folder of its own; the old one's is gone.
    gone = {path for path in before.folders if not os.path.lexists(path) and path.startswith("/tmp/geak-")}
    made.check(replace(before, folders=before.folders - gone | ({own_box._root} if gone else set())))


@pytest.mark.parametrize("when", ["idle", "running"])
def test_F36_warm_process_killed(own_arena: Arena, when: str) -> None:
    """Started again, and the next child is none the wiser; the one that lived then has died."""
    box = own_arena.box
    with contextlib.ExitStack() as stack:
        if when == "running":
            old = stack.enter_context(box.spawn(SCRIPT, {"judge": 0}, limits=SMALL))
            assert old.ask(own_arena.prepared(_HYDRA["orphans"], "answer = b'1'")).ok
        os.kill(zygote(box), signal.SIGKILL)
        with box.spawn(SCRIPT, limits=SMALL) as child:
            assert child.ask(b"answer = b'well'").body == b"well"
            if when == "running":
                assert old.ask(b"", wall_s=3).fault is Fault.DIED
                assert old.end().status is None
                with pytest.raises(SandboxError):
                    old.freeze()
            assert child.ask(b"answer = b'well'").body == b"well", "the old child's end hit the new one"


def test_F36_killed_while_a_child_is_asked(own_arena: Arena) -> None:
    import threading

    box = own_arena.box
    target = zygote(box)
    killer = threading.Timer(0.3, os.kill, (target, signal.SIGKILL))
    with box.spawn(SCRIPT, limits=SMALL) as child:
        killer.start()
        assert child.ask(b"import time; time.sleep(30)").fault is Fault.DIED
    killer.join()
    with box.spawn(SCRIPT, limits=SMALL) as child:
        assert child.ask(b"answer = b'well'").body == b"well"


@pytest.mark.parametrize("who", ["guardian", "both", "guardian-then-warm"])
def test_guardian_killed(own_arena: Arena, who: str) -> None:
    """The warm process does the guardian's work; with both gone, the judge ends its children itself."""
    box = own_arena.box
    child = box.spawn(SCRIPT, {"judge": 0}, limits=SMALL)
    assert child.ask(own_arena.prepared(_HYDRA["orphans"], "answer = b'1'")).ok
    first, second = box.processes[0], zygote(box)
    os.kill(first, signal.SIGSTOP)  # so that neither can act for the other before both are gone
    if who != "guardian":
        os.kill(second, signal.SIGKILL)
    os.kill(first, signal.SIGKILL)
    child.end()
    until(lambda: not [pid for pid in parents_of() if group_of(pid) == child.pid], "the child lives on")
    with box.spawn(SCRIPT, limits=SMALL) as another:
        assert another.ask(b"answer = b'well'").body == b"well"


def test_numbers_of_an_earlier_warm_process_are_refused(own_arena: Arena) -> None:
    """Asked for by a number that it never gave out, the warm process signals nobody."""
    box = own_arena.box
    with own_arena.sibling() as sibling, own_arena.decoy() as decoy:
        for number in (decoy.pid, sibling.pid, 4_000_000):
            if number != sibling._number:
                for op in ("freeze", "thaw", "end"):
                    with pytest.raises(OSError, match="no child"):
                        box._control({"op": op, "pid": number}, ())


def test_the_child_greets_before_the_judge_listens(own_arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number is noted by the kernel when it speaks, not when it is heard."""
    control = Sandbox._control

    def slowly(self: Sandbox, *given: object) -> object:
        answer = control(self, *given)  # type: ignore[arg-type]
        time.sleep(0.2)
        return answer

    monkeypatch.setattr(Sandbox, "_control", slowly)
    with own_arena.box.spawn(SCRIPT, limits=SMALL) as child:
        assert child.pid > 0
        assert child.ask(b"answer = b'well'").body == b"well"


@pytest.mark.parametrize("size", [100, 100_000, 2_000_000])
def test_jobs_of_any_size(arena: Arena, size: int) -> None:
    assert arena.run("answer = str(len(job['text'])).encode()", text="x" * size).reply.body == str(size).encode()


def test_F38_no_descriptors_left_in_the_judge(own_arena: Arena) -> None:
    """The judge's own lack, at any moment of a child's life: an error of the sandbox, never a verdict on the child."""
    box = own_arena.box
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    seen = 0
    for spare in range(8):
        used = 1 + max(int(fd) for fd in os.listdir("/proc/self/fd"))
        holes: list[int] = []
        with box.spawn(SCRIPT, limits=SMALL) as child:
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (used + 20, hard))
                with contextlib.suppress(OSError):
                    while True:
                        holes.append(os.dup(0))
                for _ in range(spare):
                    os.close(holes.pop())
                try:
                    reply = child.ask(b"import time; time.sleep(0.4); answer = b'well'", wall_s=8)
                    assert reply.body == b"well"
                except SandboxError:
                    seen += 1
                try:
                    with box.spawn(SCRIPT, limits=SMALL) as other:
                        assert other.ask(b"answer = b'well'").body == b"well"
                except SandboxError:
                    seen += 1
            finally:
                for fd in holes:
                    os.close(fd)
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert seen >= 2
    for name in os.listdir(box._root):  # what could not be removed then goes with the sandbox, or here
        folder.remove(f"{box._root}/{name}")


def test_F38_many_descriptors_in_the_judge(arena: Arena) -> None:
    """Numbers above 1023, which `select` cannot take."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if hard < 2000:
        pytest.skip("the machine allows too few")
    resource.setrlimit(resource.RLIMIT_NOFILE, (2000, hard))
    held = [os.dup(0) for _ in range(1200)]
    try:
        assert arena.run("time.sleep(0.2); answer = b'well'").reply.body == b"well"
    finally:
        for fd in held:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("count", [150, pytest.param(1000, marks=pytest.mark.slow)])
def test_F43_many_children_one_after_another(arena: Arena, count: int) -> None:
    """No descriptor more, no folder more, and the judge and the warm process no larger."""
    sources = [
        "answer = b'1'",
        "import os; os._exit(1)",
        "x = bytearray(1 << 22)",
        "raise ValueError",
        "print('x' * 999)",
    ]
    # The warm process's own number: its memory can be read by everyone.
    warm = zygote(arena.box)

    def measured() -> tuple[int, int]:
        pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in (os.getpid(), warm)]
        return pages[0], pages[1]

    for _ in range(40):
        arena.box.spawn(SCRIPT, limits=SMALL).end()
    before = measured()
    for index in range(count):
        with arena.box.spawn(SCRIPT, limits=SMALL) as child:
            child.ask(sources[index % len(sources)].encode(), wall_s=5)
    after = measured()
    assert all(b - a < 1024 for a, b in zip(before, after, strict=True)), (before, after)  # 4 MiB


def test_children_beside_each_other(arena: Arena) -> None:
    """Twenty at once: each by itself, each with a number and a folder of its own, all gone in any order."""
    with contextlib.ExitStack() as stack:
        children = [stack.enter_context(arena.box.spawn(SCRIPT, limits=SMALL)) for _ in range(20)]
        assert len({child.pid for child in children}) == 20
        assert len({child.workdir for child in children}) == 20
        for child in children[::2]:
            child.freeze()
        for child in children[1::2]:
            assert child.ask(b"answer = b'well'").body == b"well"
        for child in children[5:15]:
            child.end()
        for child in children[:4:2]:
            child.thaw()
            assert child.ask(b"answer = b'well'").body == b"well"
