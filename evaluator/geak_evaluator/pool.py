"""Several judges behind one pair of pipes: each answers a request at a time, and one that dies costs one answer."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from typing import IO, BinaryIO

from geak_evaluator.measure.lease import suspect
from geak_evaluator.sandbox.errors import SandboxError
from geak_evaluator.schema import codec
from geak_evaluator.schema.wire import Hello, Problem, Response

_CHUNK = 1 << 16
_PATIENCE_S = 3600.0
"""How long one request may take. Each child of a judge has a time of its own; only a hung driver takes longer."""


def processors() -> int:
    """How many judges this machine has room for."""
    return len(os.sched_getaffinity(0))


class _Lines:
    """What comes out of a pipe, line by line, without waiting for the rest of one."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.fd = pipe.fileno()
        self._rest = b""
        os.set_blocking(self.fd, False)

    def read(self) -> list[bytes] | None:
        """The lines that are there; None at the end."""
        try:
            data = os.read(self.fd, _CHUNK)
        except BlockingIOError:
            return []
        if not data:
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        return lines


class _Worker:
    """One judge of its own process, with its own warm process behind it."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self.job: bytes | None = None
        self.since = 0.0

    def greet(self) -> None:
        """Waits until it is ready."""
        self.hello = self._stdout.readline()
        if not self.hello:
            code = self._process.wait()
            self.end()
            raise SandboxError(f"a judge of the pool ended with code {code} before it said anything")
        self.lines = _Lines(self._stdout)

    def give(self, line: bytes) -> None:
        """Hands a request over."""
        self.job, self.since = line, time.monotonic()
        with contextlib.suppress(OSError):  # it has ended, and reading from it will say so
            self._stdin.write(line + b"\n")
            self._stdin.flush()

    def kill(self) -> None:
        """Ends it at once; its pipe says so to whoever waits for its answer."""
        self._process.kill()

    def end(self) -> None:
        """Lets it finish, or kills it where it does not."""
        if self._stdout.closed:
            return
        with contextlib.suppress(OSError):
            self._stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stdout.close()


class Pool:
    """Passes requests on to idle judges, and their answers back in whatever order they come."""

    def __init__(self, argv: Sequence[str], workers: int, *, patience_s: float = _PATIENCE_S) -> None:
        self._argv, self._patience_s = argv, patience_s
        self._waiting: deque[bytes] = deque()
        self._workers = [_Worker(argv) for _ in range(workers)]
        try:
            for worker in self._workers:
                worker.greet()
        except SandboxError:
            self.close()
            raise

    @property
    def hello(self) -> Hello:
        """What its judges say of themselves, and how many they are."""
        said = codec.loads(self._workers[0].hello)
        return codec.from_json(Hello, {**said, "workers": len(self._workers)})

    def serve(self, requests: BinaryIO, answers: BinaryIO) -> None:
        """Answers requests until there are no more and every answer is out."""
        incoming: _Lines | None = _Lines(requests)
        with selectors.DefaultSelector() as selector:
            selector.register(requests, selectors.EVENT_READ)
            for worker in self._workers:
                selector.register(worker.lines.fd, selectors.EVENT_READ, worker)
            while incoming or self._waiting or any(worker.job for worker in self._workers):
                for key, _ in selector.select(self._patience_s / 10):
                    if key.data is None:
                        assert incoming is not None
                        lines = incoming.read()
                        if lines is None:
                            selector.unregister(requests)
                            incoming = None
                        self._waiting.extend(line for line in lines or () if line.strip())
                    else:
                        self._collect(key.data, answers, selector)
                self._hand_out()
                self._end_the_hung()

    def close(self) -> None:
        """Ends all of them."""
        for worker in self._workers:
            worker.end()

    def _end_the_hung(self) -> None:
        for worker in self._workers:
            if worker.job is not None and time.monotonic() - worker.since > self._patience_s:
                for gpu in self.hello.gpus:  # any of which it may have been at; each is tested before its next use
                    suspect(gpu, "a judge that had it hung")
                worker.kill()

    def _hand_out(self) -> None:
        for worker in self._workers:
            if worker.job is None and self._waiting:
                worker.give(self._waiting.popleft())

    def _collect(self, worker: _Worker, answers: BinaryIO, selector: selectors.BaseSelector) -> None:
        lines = worker.lines.read()
        for line in lines or ():
            answers.write(line + b"\n")
            worker.job = None
        if lines is None:
            if worker.job is not None:
                problem = Problem("sandbox", "the judge that had this request ended before its answer")
                answers.write(codec.dumps(Response(_number(worker.job), problem=problem)).encode() + b"\n")
            selector.unregister(worker.lines.fd)
            worker.end()
            fresh = _Worker(self._argv)
            fresh.greet()
            self._workers[self._workers.index(worker)] = fresh
            selector.register(fresh.lines.fd, selectors.EVENT_READ, fresh)
        answers.flush()


def _number(line: bytes) -> int:
    try:
        said = codec.loads(line)
    except codec.WireError:
        return 0
    number = said.get("id") if isinstance(said, dict) else 0
    return number if isinstance(number, int) else 0


def own_command(*options: str) -> list[str]:
    """How one more judge like this one is started."""
    program = sys.argv[0] if sys.argv[0].endswith(".pyz") else ""
    alone = ["-P"] if sys.version_info >= (3, 11) else []
    return [sys.executable, *alone, *([program] if program else ["-m", "geak_evaluator"]), "serve", *options]
