"""The tests' child: runs the user's own pytest command; the entry is a proxy, and no candidate is loaded here."""

from __future__ import annotations

import contextlib
import importlib
import os
import shlex
import sys
from collections.abc import Iterator
from typing import Any

from geak_evaluator.children.loading import raised
from geak_evaluator.sandbox.channel import CALLS, RAISED, REFUSED, Channel
from geak_evaluator.sandbox.confine import FIRST_SHARED
from geak_evaluator.schema import codec
from geak_evaluator.schema.exchange import Call, Returned, Tested, Trouble


def main(channel: Channel, job: dict[str, Any]) -> None:
    """One request: run the tests; each call of the entry is asked of the judge before the answer."""
    if channel.receive() is None:
        return
    try:
        result = _run(channel, job)
    except ModuleNotFoundError as error:
        channel.reply(codec.dumps(Trouble("missing_module", str(error))).encode(), REFUSED)
    except (Exception, SystemExit) as error:
        told = raised(error, "tests")
        channel.reply(codec.dumps(Trouble("raised", f"{told.kind}: {told.message}")).encode(), RAISED)
    else:
        channel.reply(codec.dumps(result).encode())


def _run(channel: Channel, job: dict[str, Any]) -> Tested:
    import pytest

    from geak_evaluator import device

    command = shlex.split(job["tests"])
    arguments = command[command.index("pytest") + 1 :] if "pytest" in command else command
    os.chdir(job["project"])
    sys.path.insert(0, job["project"])
    counted = _Counted()
    with device.pretend_cuda(job["target"]), _proxied(job["relative"], job["entry"], channel):
        temporary = f"--basetemp={os.environ['HOME']}/pytest"
        plain = ["-p", "no:cacheprovider", "--tb=short", "--color=no", temporary]
        code = int(pytest.main([*arguments, *plain], plugins=[counted]))
    return Tested(code, counted.passed, counted.failed, counted.first)


class _Counted:
    """What pytest reports, as it reports it."""

    def __init__(self) -> None:
        self.passed = self.failed = 0
        self.first = ""

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Called by pytest for each phase of each test."""
        self.passed += report.when == "call" and report.passed
        if report.failed:
            self.failed += 1
            self.first = self.first or f"{report.nodeid}: {_last_line(str(report.longrepr))}"[:600]

    def pytest_collectreport(self, report: Any) -> None:
        """Called by pytest for each file that it reads."""
        if report.failed:
            self.failed += 1
            self.first = self.first or f"{report.nodeid}: {_last_line(str(report.longrepr))}"[:600]


def _last_line(text: str) -> str:
    said = [line[2:].strip() for line in text.splitlines() if line.startswith("E ")]
    return said[0] if said else text.strip().splitlines()[-1] if text.strip() else ""


@contextlib.contextmanager
def _proxied(relative: str, entry: str, channel: Channel) -> Iterator[None]:
    """Puts a proxy where the tests will import the entry from."""
    module = importlib.import_module(relative.removesuffix(".py").replace("/", "."))
    before = getattr(module, entry)
    setattr(module, entry, _proxy(entry, channel))
    try:
        yield
    finally:
        setattr(module, entry, before)


def _proxy(entry: str, channel: Channel) -> Any:
    from geak_evaluator.children.tensors import Arena
    from geak_evaluator.children.values import Packer, unpack

    outgoing, incoming = Arena(FIRST_SHARED), Arena(FIRST_SHARED + 1)

    def call(*args: Any, **kwargs: Any) -> Any:
        packer = Packer()
        packed = tuple(packer.pack(a) for a in args), {k: packer.pack(v) for k, v in kwargs.items()}
        slots = packer.lay(outgoing)
        channel.reply(codec.dumps(Call(slots, *packed)).encode(), CALLS)
        body = channel.receive()
        if body is None:
            os._exit(0)  # the judge has seen enough
        returned = codec.from_json(Returned, codec.loads(body))
        if returned.trouble is not None:
            raise RuntimeError(f"{entry}: {returned.trouble.message}")
        for slot, tensor in zip(slots, packer.tensors, strict=True):
            tensor.detach().copy_(outgoing.tensor(slot))  # what the entry changed in place
        return unpack(returned.result, [incoming.tensor(slot).clone() for slot in returned.slots])

    call.__name__ = entry
    return call
