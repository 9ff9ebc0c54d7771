"""What every attack and fault is run with: a child that tries, a judge that looks from outside, a count of leftovers.

An attack's source fills `found`: what it tried, and the error it got or `OPEN` with what it got instead. That is the
child's own word; wherever an effect can be seen from out here, the test looks for the effect as well.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cage import outside

from geak_evaluator.sandbox import watchdog
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.child import Child, Ending, Reply
from geak_evaluator.sandbox.child import Fault as Fault
from geak_evaluator.sandbox.policy import MIB as MIB
from geak_evaluator.sandbox.policy import Level, Limits

SCRIPT = "geak_evaluator.children.script"
WITHOUT = tuple(filter(None, os.environ.get("GEAK_ATTACKS_WITHOUT", "").split(",")))
"""Layers left out on purpose, to see that the tests which rest on them fail."""
SLACK_S = 5.0
"""A verdict is promised within a second of its deadline; on a busy machine we wait a little longer."""
SMALL = Limits(wall_s=10, memory=256 * MIB, file_bytes=8 * MIB, disk_bytes=16 * MIB, disk_entries=2000)

GUEST = Limits(wall_s=60)
OBSERVED = {"file": "trouble", "test": "trouble", "timed": "timed_trouble"}
"""The parts of a benchmark's file that the observed child runs, and where it says how each ended."""
EVERY_ROLE = pytest.mark.parametrize("arena", ["script", "spec", "candidate"], indirect=True)

assert not outside(), outside()  # nothing below is ever to run on the host

DENIED = frozenset({"EPERM", "EACCES", "ENOENT", "ENOSYS", "EXDEV"})

_PRELUDE = """
import ctypes, errno, json, os, signal, socket, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
found = {}

def attempt(name, do, *args):
    try:
        value = do(*args)
    except OSError as error:
        found[name] = errno.errorcode.get(error.errno, str(error))
    except BaseException as error:
        found[name] = type(error).__name__
    else:
        found[name] = "OPEN " + repr(value)[:300]

def call(number, *args):
    args = [ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    result = libc.syscall(ctypes.c_long(number), *args)
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
    return result

def read(path, size=100_000):
    with open(path, "rb") as file:
        return file.read(size)

def write(path, data=b"x", flags=os.O_CREAT):
    fd = os.open(path, os.O_WRONLY | flags, 0o600)
    os.write(fd, data)
    os.close(fd)

def in_child(do):
    "What a forked process of the attack's own found."
    heard, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        found.clear()
        try:
            do()
        finally:
            os.write(told, json.dumps(found).encode())
            os._exit(0)
    os.close(told)
    text = b""
    while part := os.read(heard, 65536):
        text += part
    os.close(heard)
    os.waitpid(pid, 0)
    for name, value in json.loads(text).items():
        found["forked: " + name] = value
"""


@dataclass(frozen=True)
class Outcome:
    """One child's whole life, as the judge saw it."""

    reply: Reply
    ending: Ending
    log: str
    seconds: float

    @property
    def fault(self) -> Fault | None:
        return self.reply.fault

    @property
    def found(self) -> dict[str, str]:
        assert self.reply.ok, (self.reply, self.ending, self.log[-2000:])
        told: dict[str, str] = json.loads(self.reply.body)
        return told


@dataclass
class Arena:
    """One sandbox and what surrounds it: something to steal, something to kill, and the state before the test."""

    box: Sandbox
    secret: str
    isolated: bool
    outcomes: list[Outcome] = field(default_factory=list)
    excused: set[int] = field(default_factory=set)
    """Processes of the suite's own."""
    role: str = "script"
    """What the attack pretends to be: a script, a spec, a candidate that is loaded, or part of a benchmark's file."""

    def run(
        self,
        source: str,
        *,
        limits: Limits = SMALL,
        wall_s: float | None = None,
        asks: int = 1,
        spawn: dict[str, Any] | None = None,
        **job: Any,
    ) -> Outcome:
        """Runs a source in a child of its own and ends it; `wall_s` is checked as what the verdict may take."""
        wall = limits.wall_s if wall_s is None else wall_s
        child = self.box.spawn(SCRIPT, {**job, "judge": self.target}, limits=limits, **(spawn or {}))
        started = time.monotonic()
        with child:
            for _ in range(asks):
                reply = child.ask(self.prepared(source), wall_s=wall)
            # What a busy machine keeps it waiting is not its time.
            seconds = time.monotonic() - started - watchdog.queued(child.pid)
        outcome = Outcome(reply, child.end(), child.log, seconds)
        self.outcomes.append(outcome)
        assert seconds < asks * wall + SLACK_S, f"the verdict took {seconds:.1f} s"
        return outcome

    def attack(self, source: str, *, denied: Iterable[str] = (), **options: Any) -> dict[str, str]:
        """Runs an attack, and checks that all it tried was refused."""
        found = self.run(source, **options).found if self.role == "script" else self._as_guest(source, **options)
        assert found, "the attack tried nothing"
        open_doors = {k: v for k, v in found.items() if v not in DENIED and v not in denied}
        assert not open_doors, open_doors
        return found

    def _as_guest(self, source: str, *, spawn: dict[str, Any] | None = None, **job: Any) -> dict[str, str]:
        """The same in a spec's or a candidate's place: what it found comes back in the exception that it ends with."""
        given = f"job = json.loads({json.dumps({**job, 'judge': self.target})!r})"
        ends = f"""
            others = {{k: v for k, v in found.items() if v not in {sorted(DENIED)}}}
            raise RuntimeError("FOUND" + json.dumps([len(found), others])[:1800] + "END")
        """
        text = "\n".join(textwrap.dedent(part) for part in (_PRELUDE, given, source, ends)).encode()
        about = {"name": "attack", "target": "gfx942", "entry": "attack", "contract": "", "judge": 0}
        role, asked, key = self.role, text, "message"
        if self.role in OBSERVED:
            role, key = "observe", OBSERVED[self.role]
            asked = text if self.role == "file" else b"def attack():\n    pass\n"
            texts = {name: text.decode() if name == self.role else "" for name in ("test", "timed")}
            about |= {**texts, "watch": ["attack"], "project": "", "seconds": 30}
        child = self.box.spawn(f"geak_evaluator.children.{role}", about, limits=GUEST, **(spawn or {}))
        with child:
            reply = child.ask(asked)
        self.outcomes.append(Outcome(reply, child.end(), child.log, 0.0))
        assert reply.fault is None, (reply, child.log)
        message = json.loads(reply.body).get(key, "")
        assert "FOUND" in message, reply.body[:2000]
        count, others = json.loads(message.partition("FOUND")[2].partition("END")[0])
        return {**others, **{f"refused {i}": "EPERM" for i in range(count - len(others))}}

    @staticmethod
    def prepared(*parts: str) -> bytes:
        source = "\n".join(textwrap.dedent(part) for part in parts)
        return f"{_PRELUDE}\n{source}\nanswer = answer or json.dumps(found).encode()\n".encode()

    @property
    def target(self) -> int:
        """The judge's number, or where it has none, that of the nearest process on the way to it."""
        return 1 if self.isolated else os.getpid()

    @contextmanager
    def sibling(self) -> Iterator[Child]:
        """An honest child that lives beside the attack; alive and well at its end."""
        with self.box.spawn(SCRIPT, limits=SMALL) as child:
            assert child.ask(b"answer = b'well'").body == b"well"
            yield child
            assert child.ask(b"answer = b'well'").body == b"well", "the sibling was harmed"

    @contextmanager
    def decoy(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """An innocent process of the same user as the judge; alive and not stopped at its end."""
        code = "import sys\nwhile True: sys.stdin.buffer.read(1) or sys.exit()"
        command = [sys.executable, "-I", "-c", code, *arguments]
        with subprocess.Popen(command, stdin=subprocess.PIPE, env={"DECOY": self.secret}) as process:
            self.excused.add(process.pid)
            try:
                yield process
                state = Path(f"/proc/{process.pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
                assert process.poll() is None
                assert state not in (b"T", b"t", b"Z"), "the decoy was harmed"
            finally:
                process.kill()

    def check(self, before: State) -> None:
        """After a test: the secret has not come out, nothing is left, and the judge still works."""
        for outcome in self.outcomes:
            assert self.secret.encode() not in outcome.reply.body, "the secret came out in a reply"
            assert self.secret not in outcome.log, "the secret came out in the log"
        with self.box.spawn(SCRIPT, limits=SMALL) as child:
            assert child.ask(b"answer = b'honest'").body == b"honest"
        until(lambda: not self.strangers(), lambda: f"processes left: {self.strangers()}")
        after = State.now(self)
        assert after == before, f"left behind: {after.beside(before)}"

    def strangers(self) -> dict[int, str]:
        """Processes in the cage that are neither the suite's nor the two that every sandbox keeps."""
        parents = parents_of()
        known = {1, os.getpid(), os.getppid(), *self.excused}
        for box in SANDBOXES:
            known |= set(box.processes)
            known |= {pid for pid, parent in parents.items() if parent in box.processes}
        return {pid: described(pid) for pid in parents if pid not in known and parents.get(pid) is not None}


SANDBOXES: list[Sandbox] = []
"""All that are running, so that their own processes are known."""


@dataclass(frozen=True)
class State:
    """What could be left behind by a child, outside of it."""

    descriptors: int
    warm_descriptors: int
    folders: frozenset[str]
    queues: tuple[str, ...]

    @classmethod
    def now(cls, arena: Arena) -> State:
        places = ("/tmp", "/var/tmp", "/dev/shm", os.path.expanduser("~"), *(box._root for box in SANDBOXES))
        folders = frozenset(f"{place}/{name}" for place in places for name in os.listdir(place))
        queues = tuple(Path(f"/proc/sysvipc/{kind}").read_text() for kind in ("shm", "sem", "msg"))
        warm = 0
        if os.geteuid() == 0:
            parents = parents_of()
            (zygote,) = [pid for pid, parent in parents.items() if parent in arena.box.processes]
            warm = len(os.listdir(f"/proc/{zygote}/fd"))
        return cls(len(os.listdir("/proc/self/fd")), warm, folders, queues)

    def beside(self, other: State) -> dict[str, Any]:
        mine, theirs = vars(self), vars(other)
        return {name: (theirs[name], mine[name]) for name in mine if mine[name] != theirs[name]}


def parents_of() -> dict[int, int]:
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                parents[int(name)] = int(Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split()[1])
            except OSError:
                continue
    return parents


def described(pid: int) -> str:
    try:
        return repr(Path(f"/proc/{pid}/stat").read_bytes()[:60])
    except OSError:
        return "gone"


def until(holds: Callable[[], object], otherwise: str | Callable[[], str], seconds: float = 15) -> None:
    """Waits on a condition, with a deadline."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(otherwise if isinstance(otherwise, str) else otherwise())
        time.sleep(0.01)


def sandbox(*without: str, preload: Sequence[str] = (SCRIPT,), minimum: Level | None = None) -> Sandbox:
    """A sandbox that starts in milliseconds, less the layers that are left out on purpose."""
    least = minimum or (Level.BASE if WITHOUT else Level.CONFINED)
    return Sandbox(preload=preload, without=(*without, *WITHOUT), minimum=least)
