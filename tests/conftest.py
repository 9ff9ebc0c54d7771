"""What every room's tests share: one sandbox, one judge and one cache folder for a whole run."""

from __future__ import annotations

import contextlib
import shlex
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from geak_evaluator.judge import Judge
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.policy import Limits
from geak_evaluator.serve import serve


@pytest.fixture(scope="session")
def box() -> Iterator[Sandbox]:
    """A sandbox at whatever level this machine has: it is tested elsewhere."""
    with Sandbox() as started:
        yield started


@pytest.fixture(scope="session")
def judge(box: Sandbox) -> Judge:
    """A judge with time enough for a busy machine, which estimates nothing: that is tested elsewhere."""
    return Judge(box, limits=Limits(wall_s=60), estimates=False)


@pytest.fixture(scope="session")
def running_judge(box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """How to reach the shared judge, as a command."""
    path = str(tmp_path_factory.mktemp("judge") / "socket")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()

    def answer() -> None:
        while True:
            with contextlib.suppress(BrokenPipeError):
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                # Two streams: one for both would forget what it has read ahead whenever it writes.
                with (
                    connection,
                    connection.makefile("r", encoding="utf-8", errors="surrogateescape") as requests,
                    connection.makefile("w", encoding="utf-8", errors="surrogateescape") as answers,
                ):
                    serve(box, requests, answers)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    yield shlex.join([sys.executable, str(Path(__file__).with_name("relay.py")), path])
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(30)
