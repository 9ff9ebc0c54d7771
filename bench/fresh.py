"""A judge without a warm process and without a sandbox: every kernel in a Python of its own, all in that one process.

    python bench/fresh.py SPEC KERNEL TARGET CACHE

The very code of a verdict at the gate runs here, the children's roles included, but each role in a thread instead of a
confined child. What remains is what any judge that starts Python for each candidate does: load torch and Triton, make
inputs and the truth about them, record, replay, lower, look machine code up, compare. It prints the verdict's line.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import sys
import tempfile
import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

DESCRIPTORS = (4, 5)  # where a child has its memories
for number in DESCRIPTORS:
    os.dup2(os.open(os.devnull, os.O_RDWR), number)

from geak_evaluator import device  # noqa: E402
from geak_evaluator.sandbox.child import Reply  # noqa: E402
from geak_evaluator.sandbox.policy import Level  # noqa: E402

device.prepare()  # as the warm process does, once for all its children

from geak_evaluator.judge import Judge  # noqa: E402
from geak_evaluator.machine_code.cache import Cache  # noqa: E402
from geak_evaluator.oracle import SpecFile  # noqa: E402
from geak_evaluator.schema.verdict import Tier  # noqa: E402


class Child:
    """A role in a thread of this process; it is asked one thing at a time."""

    log = ""
    workdir = "."

    def __init__(self, role: str, job: dict[str, Any], shared: Sequence[int]) -> None:
        self._shared = shared
        self._asked: queue.Queue[bytes | None] = queue.Queue()
        self._answers: queue.Queue[tuple[bytes, int]] = queue.Queue()
        channel = SimpleNamespace(
            receive=self._asked.get, reply=lambda body=b"", status=0: self._answers.put((body, status))
        )
        main = importlib.import_module(role).main
        self._thread = threading.Thread(target=main, args=(channel, json.loads(json.dumps(job))), daemon=True)
        self._thread.start()

    def ask(self, body: bytes = b"", *, wall_s: float | None = None) -> Reply:
        for number, fd in zip(DESCRIPTORS, self._shared, strict=False):
            os.dup2(fd, number)
        self._asked.put(body)
        answer, status = self._answers.get()
        return Reply(None, status, answer)

    def _reply(self, body: bytes = b"", status: int = 0) -> None:
        self._answers.put((body, status))

    def freeze(self) -> None:
        """It does nothing until it is asked."""

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    def end(self) -> None:
        self._asked.put(None)
        self._thread.join()


class Box:
    """What a judge wants of a sandbox, without one."""

    level = Level.BASE

    def spawn(self, role: str, job: dict[str, Any] | None = None, *, shared: Sequence[int] = (), **rest: Any) -> Child:
        return Child(role, job or {}, shared)


def main(spec: str, kernel: str, target: str, cache: str) -> None:
    with open(kernel, "rb") as file:
        source = file.read()
    file_of_spec = SpecFile.read(spec)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        judge = Judge(Box(), cache=Cache(cache))  # type: ignore[arg-type]
        print(judge.evaluate(file_of_spec, source, targets=[target], tier=Tier.GATE).line())


if __name__ == "__main__":
    main(*(os.path.abspath(path) for path in sys.argv[1:3]), sys.argv[3], os.path.abspath(sys.argv[4]))
