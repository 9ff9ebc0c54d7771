"""The command line as a person calls it, on a judge that is started once; and judges that misbehave."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from geak.cli import main


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
