"""The command line as a person calls it, on a judge that is started once; and judges that misbehave."""

from __future__ import annotations

import contextlib
import shlex
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from geak.cli import main
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.serve import serve


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


Geak = Callable[..., Outcome]


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


@pytest.fixture
def geak(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], running_judge: str) -> Geak:
    """Runs a command; its judge is the one that is running unless the command or the test says otherwise."""
    monkeypatch.setenv("GEAK_JUDGE", running_judge)
    monkeypatch.delenv("GEAK_DEBUG", raising=False)
    monkeypatch.setenv("COLUMNS", "100")

    def call(*words: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["geak", *map(str, words)])
        capfd.readouterr()
        try:
            main()
            code: object = 0
        except SystemExit as error:
            code = error.code or 0
        out, err = capfd.readouterr()
        assert isinstance(code, int)
        return Outcome(code, out, err)

    return call


@pytest.fixture
def fake_judge(tmp_path: Path) -> Callable[[str], str]:
    """The command of a judge that does what its few lines of Python say."""

    def make(body: str) -> str:
        script = tmp_path / "fake_judge.py"
        script.write_text(f"import json, os, sys, time\n\n{body}\n")
        return shlex.join([sys.executable, str(script)])

    return make
