"""The candidate child: loads a kernel file, calls its entry on inputs in shared memory, copies out what it returned.

Nothing that it says is believed: the judge reads the bytes, after stopping every thread and process of this child.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from typing import Any

from geak_evaluator.children.loading import load, place, raised
from geak_evaluator.sandbox.channel import RAISED, REFUSED, Channel
from geak_evaluator.schema import codec
from geak_evaluator.schema.exchange import Call, RunRequest, Trouble

CALLS = "calls"
"""A contract of its own: each request is a call by somebody's test, with whatever arguments it has."""


class Mismatch(Exception):
    """What the entry returned is not what was asked for; `cause` is the judge's word for it."""

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause


def main(channel: Channel, job: dict[str, Any]) -> None:
    """The first request is the source; then runs, until the judge is done."""
    source = channel.receive()
    if source is None:
        return
    name: str = job["name"]
    _without_processes()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr] # it is killed before it would flush
    with _device(job) as launches:
        try:
            module = load(source, name, job.get("project", ""), job.get("relative", ""))
            entry = getattr(module, job["entry"], None)
            if not callable(entry):
                what = "defines no" if entry is None else f"has a {type(entry).__name__} named"
                raise Mismatch("missing_entry", f"it {what} {job['entry']}")
        except BaseException as error:
            channel.reply(codec.dumps(trouble(error, name)).encode(), REFUSED)
            return
        channel.reply()
        from geak_evaluator.children import running  # torch, only once it is needed

        while (body := channel.receive()) is not None:
            try:
                launches.count = 0
                if job["contract"] == CALLS:
                    reply: object = running.call(entry, codec.from_json(Call, codec.loads(body)), launches)
                else:
                    asked = codec.from_json(RunRequest, codec.loads(body))
                    reply = running.run(entry, job["contract"], asked, launches)
                channel.reply(codec.dumps(reply).encode())
            except BaseException as error:
                channel.reply(codec.dumps(trouble(error, name)).encode(), RAISED)


def _without_processes() -> None:
    """Makes locks among processes locks among threads: there is no other process, and theirs are files in /dev/shm."""
    from multiprocessing import synchronize

    synchronize.Lock = lambda *, ctx: threading.Lock()  # type: ignore[assignment, misc, return-value]
    synchronize.RLock = lambda *, ctx: threading.RLock()  # type: ignore[assignment, misc, return-value]


class Launches:
    """Where a child's launches arrive: counted, and handed to a recorder while there is one."""

    def __init__(self) -> None:
        self.count = 0
        self.recorder: Any = None
        self.driver: Any = None

    def take(self, launch: Any) -> None:
        """Called by the described device for each launch."""
        self.count += 1
        if self.recorder is not None:
            self.recorder.launched(launch)


@contextlib.contextmanager
def _device(job: dict[str, Any]) -> Iterator[Launches]:
    """The described device that launches go to."""
    from geak_evaluator import device

    launches = Launches()
    target, compile, execute = job["target"], job.get("compile", False), not job.get("capture", False)
    active = device.activate(
        target, on_launch=launches.take, compile=compile, execute=execute, configuration=job.get("configuration", 0)
    )
    with active as launches.driver, device.pretend_cuda(target):
        launches.driver.without = frozenset(job.get("without", ()))
        launches.driver.tables = bool(job.get("tables", False))
        yield launches


_CAUSES = {
    "OutOfBounds": "out_of_bounds",
    "HostMemory": "wrong_device",
    "Unsupported": "unsupported",
    "CompilationError": "compile_error",
    "OutOfResources": "out_of_resources",
    "SyntaxError": "not_python",
    "ModuleNotFoundError": "missing_module",
    "MemoryError": "out_of_memory",
    "PlanTooLong": "plan_too_long",
    "NotPlain": "not_plain",
}


def trouble(error: BaseException, name: str) -> Trouble:
    """An exception as data."""
    told = raised(error, name)
    if isinstance(error, Mismatch):
        return Trouble(error.cause, told.message, told.line)
    # By name: what is raised inside a kernel arrives wrapped, and triton moves its classes between versions.
    root: BaseException = error
    while root.__cause__ is not None and _cause(root) == "raised" and not _of_device(root):
        root = root.__cause__
    cause = _cause(root)
    message = told.message if cause != "raised" else told.text
    if root is not error:
        message = raised(root, name).message
    line = 0
    if cause == "compile_error":
        from geak_evaluator.device.refusals import refusal

        with contextlib.suppress(Exception):  # it may be one of the candidate's own making
            message, line = refusal(root, str(place(name)))
    return Trouble(cause, message, line or told.line, told.trace)


def _cause(error: BaseException) -> str:
    return next((_CAUSES[c.__name__] for c in type(error).__mro__ if c.__name__ in _CAUSES), "raised")


def _of_device(error: BaseException) -> bool:
    # Its sentence names the kernel and the line; what it was raised from does not.
    return any(c.__name__ == "DeviceError" for c in type(error).__mro__)


def prepare() -> None:
    """Called once in the warm process: what every candidate child would otherwise load for itself."""
    from geak_evaluator.children import running

    running.warm()
