"""The command line as a person calls it, on a judge that is started once; and judges that misbehave."""

from __future__ import annotations

import os
import pty
import select
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from geak.cli import main
from geak.settings import TABLE
from tests.loop import stage


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


Geak = Callable[..., Outcome]


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


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a spec in it and no settings around."""
    for setting in TABLE.values():
        monkeypatch.delenv(setting.variable, raising=False)
    monkeypatch.chdir(tmp_path)
    stage.spec(tmp_path)
    return tmp_path


class Child:
    """The real program, with a terminal where it is wanted."""

    def __init__(self, place: Path, *command: str, terminal: bool = False) -> None:
        self._ours, theirs = pty.openpty() if terminal else (-1, -1)
        kept = {k: v for k, v in os.environ.items() if not k.startswith("GEAK_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "geak", *command],
            cwd=place,
            stdin=theirs if terminal else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=theirs if terminal else subprocess.PIPE,
            env=kept | {"TERM": "xterm", "COLUMNS": "100"},
            start_new_session=True,
        )
        self.said = ""
        self._until = time.monotonic() + 120
        if terminal:
            os.close(theirs)
        else:
            assert self.process.stderr is not None
            self._ours = os.dup(self.process.stderr.fileno())

    def wait_for(self, text: str) -> None:
        """Reads until this was said."""
        while text not in self.said:
            data = self._read()
            assert data, f"it never said {text!r}:\n{self.said}"

    def type(self, text: str) -> None:
        """As a person at the terminal."""
        os.write(self._ours, text.encode())

    def end(self) -> tuple[int, str]:
        """Its exit code and what it said on stdout."""
        while self._read():
            pass
        out, _ = self.process.communicate(timeout=60)
        return self.process.returncode, out.decode()

    def close(self) -> None:
        """Leaves nothing behind."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
        os.close(self._ours)

    def _read(self) -> bytes:
        left = max(self._until - time.monotonic(), 0)
        assert select.select([self._ours], [], [], left)[0], f"it does not come to an end:\n{self.said}"
        try:
            data = os.read(self._ours, 1 << 16)
        except OSError:  # a terminal whose other end is closed
            return b""
        self.said += data.decode(errors="replace")
        return data


@pytest.fixture
def start(place: Path) -> Iterator[Callable[..., Child]]:
    """Starts the real program, in a terminal if asked."""
    children: list[Child] = []

    def begin(*command: str, terminal: bool = False) -> Child:
        children.append(Child(place, *command, terminal=terminal))
        return children[-1]

    yield begin
    for child in children:
        child.close()
