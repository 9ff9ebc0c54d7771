"""The command line itself: help for everything, and the real programs once."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from geak.cli import app
from geak.specs import shipped

GEAK = str(Path(sys.executable).with_name("geak"))


def commands(command, words=()):
    yield words
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*words, name))


EVERY = sorted(commands(typer.main.get_command(app)))


def test_the_commands_are_those_that_are_documented():
    assert set(EVERY) >= {
        (),
        ("doctor",),
        ("eval",),
        ("specs",),
        ("specs", "lint"),
        ("specs", "list"),
        ("specs", "new"),
        ("specs", "show"),
    }


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_every_command_has_help(geak, words):
    found = geak(*words, "--help")
    assert (found.code, found.err) == (0, "")
    assert re.match(rf"Usage: .*geak {' '.join(words)}".strip(), found.out)
    assert "-h, --help" in found.out
    assert geak(*words, "-h") == found
    assert len(found.out.splitlines()[2].strip()) > 10  # what it does


def test_without_a_command_there_is_help(geak):
    found = geak()
    assert "geak [OPTIONS] COMMAND" in found.out + found.err
    assert found.code in (0, 2)


@pytest.mark.parametrize("words", [("nonsense",), ("eval",), ("eval", "a"), ("specs", "show"), ("doctor", "--no-such")])
def test_a_command_that_cannot_be_meant(geak, words):
    found = geak(*words)
    assert (found.code, found.out) == (2, "")
    assert "geak --help' for help" in found.err or f"{words[0]} " in found.err
    assert "Traceback" not in found.err


def test_the_version(geak):
    found = geak("--version")
    assert found.code == 0
    assert found.out.startswith("geak 0.")


def run(*words: object, cwd: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GEAK_")} | environment
    return subprocess.run(
        [*map(str, words)], cwd=cwd, env=kept, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL
    )


@pytest.mark.parametrize("program", [[GEAK], [sys.executable, "-m", "geak"]], ids=["geak", "python -m geak"])
def test_an_error_is_a_sentence_and_with_geak_debug_a_traceback(tmp_path, program):
    plain = run(*program, "specs", "show", "sofmax", cwd=tmp_path)
    assert (plain.returncode, plain.stdout) == (2, "")
    assert plain.stderr.startswith("error: there is no spec 'sofmax'")
    assert plain.stderr.count("\n") == 1
    debug = run(*program, "specs", "show", "sofmax", cwd=tmp_path, GEAK_DEBUG="1")
    assert debug.returncode == 1
    assert "Traceback (most recent call last)" in debug.stderr
    assert "UsageError: there is no spec 'sofmax'" in debug.stderr


def test_a_reader_that_leaves_early_is_no_error(tmp_path, fake_judge):
    pipe = subprocess.Popen(
        [GEAK, "specs", "show", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, text=True
    )
    pipe.stdout.close()
    assert "Traceback" not in pipe.stderr.read()
    pipe.stderr.close()
    assert pipe.wait(60) == 141, "as where SIGPIPE ends a program: 1 would mean that a kernel is refused"


def test_what_is_interrupted_says_so(geak, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("geak.specs.within", interrupted)
    found = geak("specs", "list")
    assert (found.code, found.out, found.err) == (130, "", "interrupted\n")
    again = geak("specs", "list", "--json")
    assert json.loads(again.out) == {"error": {"message": "interrupted", "exit_code": 130}}


def test_the_real_judge_in_a_folder_of_traps(tmp_path):
    # What lies in the current folder must not pass for a module of the judge.
    for name in ("torch", "json", "triton", "numpy", "geak_evaluator", "dataclasses", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('trapped')")
    kernel = shipped() / "kernels" / "embedding.py"
    found = run(GEAK, "eval", "embedding", kernel, "--json", cwd=tmp_path)
    assert (found.returncode, found.stderr) == (0, "")
    assert json.loads(found.stdout)["status"] == "accepted"


def test_the_judge_alone_ends_with_its_input(tmp_path):
    found = run(sys.executable, "-P", "-m", "geak_evaluator", "serve", cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    (hello,) = found.stdout.splitlines()
    assert json.loads(hello)["packages"].keys() == {"torch", "triton", "numpy"}
