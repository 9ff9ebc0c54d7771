"""What cannot be meant, read or written, through the whole program: one sentence, the right exit code, nothing lost."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from geak.journal.events import VERSION as JOURNAL
from geak.settings import TABLE
from geak_evaluator.schema.wire import VERSION
from tests.cli.conftest import Outcome
from tests.loop import stage

BAD = "verdict: rejected"
PROMPTED = ["generator/draft", "generator/again", "optimizer/plan", "reflector/correct", "drafter/mend"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a spec, a script of two kernels and no settings around."""
    for setting in TABLE.values():
        if setting.name != "judge":
            monkeypatch.delenv(setting.variable, raising=False)
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    stage.spec(tmp_path)
    stage.script(tmp_path, [stage.kernel(1, BAD), stage.kernel(2)])
    return tmp_path


def generate(*more: str, judge: str = stage.JUDGE, what: str = "double.py") -> list[str]:
    common = ["--judge", judge] if judge else []
    return ["generate", what, "--model", "scripted:replies.toml", "--out", "run", "--rounds", "3", *common, *more]


def told(geak, code: int, message: str, *command: str) -> Outcome:
    """Runs it twice, the second time for a program: each time one error, in one sentence, and nothing else came."""
    found = geak(*command)
    assert (found.code, found.out) == (code, ""), found.err
    last = found.err.splitlines()[-1]
    assert last.startswith("error: ")
    assert re.search(message, last), last
    assert not last.endswith(".")
    assert found.err.count("error: ") == 1
    assert "Traceback" not in found.err
    again = geak(*command, "--json")
    assert again.code == code
    assert json.loads(again.out) == {"error": {"message": last.removeprefix("error: "), "exit_code": code}}
    return found


def kept(folder: Path) -> dict[str, bytes]:
    """Every file of a run."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- before anything is begun


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("spec = Spec(\n", r"broken\.py.*line 1"),
        ("import torch\n", r"spec"),
        ("from geak_evaluator import Spec\n\nspec = Spec(colour=1)\n", r"colour"),
        ("\0", r"broken\.py"),
    ],
    ids=["syntax", "no spec", "unknown word", "null byte"],
)
def test_a_spec_that_cannot_be_used(geak, place, source, message):
    (place / "broken.py").write_text(source)
    told(geak, 2, message, *generate(what="broken.py", judge=""))
    assert not (place / "run").exists()


@pytest.mark.parametrize(
    ("code", "message", "more"),
    [
        (3, r"ANTHROPIC_API_KEY is not set.*scripted:FILE", ("--model", "anthropic:claude-opus-5")),
        (3, r"a speed cannot be a goal here: .*; ask for --goal correct or best", ("--goal", "1.2x")),
        (2, r"no strategy 'beam'; there are reflexion, best-of-n", ("--strategy", "beam")),
        (2, r"--samples: a whole number of at least 1 is wanted, not '0'", ("--samples", "0")),
        (3, r"/proc/run cannot be written: .*; nothing", ("--out", "/proc/run")),
        (3, r"double\.py/run cannot be written: not a directory; nothing", ("--out", "double.py/run")),
        (
            2,
            r"up to an unknown sum may be spent; say --yes, or set --tokens or --calls$",
            ("--model", "command:cat", "--usd", "none"),
        ),
        (2, r"--prompts nowhere: there is no such folder", ("--prompts", "nowhere")),
        (2, r"--prompts \. holds no template of GEAK's", ("--prompts", ".")),
    ],
)
def test_what_this_machine_or_command_does_not_allow(geak, place, code, message, more):
    told(geak, code, message, *generate(*more))
    assert not (place / "run").exists()


@pytest.mark.parametrize("name", PROMPTED)
def test_a_template_with_an_unknown_variable_costs_nothing(geak, place, name):
    file = place / "mine" / f"{name}.md.j2"
    file.parent.mkdir(parents=True)
    file.write_text("Well:\n{{ budgett }}\n")
    told(geak, 2, rf"mine/{name}\.md\.j2, line 2: 'budgett' is undefined", *generate("--prompts", "mine"))
    assert not (place / "run").exists()
    words = [word for word in generate("--prompts", "mine") if word != "double.py"]
    told(geak, 2, r"'budgett' is undefined", *words, "--from-text", "twice each element")
    assert not (place / "run").exists()


def test_templates_that_can_be_rendered_are_spoken(geak, place):
    file = place / "mine" / "generator" / "draft.md.j2"
    file.parent.mkdir(parents=True)
    file.write_text("In my own words: {{ entry }}.{% include 'parts/ledger.md.j2' %}\n")
    assert geak(*generate("--prompts", "mine")).code == 0
    found = geak(*generate("--prompts", "mine", "--dry-run"))
    assert "In my own words: double." in found.out


HELLO = {"version": VERSION, "python": "3.11", "packages": {"torch": "2.9", "triton": "3.6"}, "sandbox": "isolated"}
JUDGES = [
    ("print('Welcome to box!', flush=True)", r"printed what is no hello: 'Welcome to box!'"),
    ("sys.exit(0)", r"the judge ended with code 0 before its answer"),
    (f"print(json.dumps({HELLO | {'version': 99}!r}), flush=True)", r"speaks version 99 and this agent version"),
    (f"print(json.dumps({HELLO!r}), flush=True)\nprint('noise', flush=True)\nsys.stdin.read()", r"cannot be read"),
]
EACH_JUDGE = pytest.mark.parametrize(("body", "message"), JUDGES, ids=["noise", "ends", "version", "later noise"])


@EACH_JUDGE
def test_a_judge_that_is_none(geak, place, fake_judge, body, message):
    told(geak, 3, message, *generate(judge=fake_judge(body)))
    assert not (place / "run").exists()


# --- with a run that is there


@pytest.fixture
def run(geak, place: Path) -> Path:
    """A run that ended, with money spent on it."""
    assert geak(*generate("--calls", "2")).code == 4
    return place / "run"


@EACH_JUDGE
def test_a_run_is_not_touched_by_a_judge_that_is_none(geak, run, fake_judge, body, message):
    before = kept(run)
    told(geak, 3, message, "resume", "run", "--judge", fake_judge(body))
    assert kept(run) == before


@pytest.mark.parametrize(
    ("message", "command"),
    [
        (r"run holds a run of an earlier text of this spec; choose another --out", generate(what="other.py")),
        (r"run holds a run with other samples; choose another --out", generate("--samples", "2")),
        (r"--goal 'quick' is no goal", ["resume", "run", "--goal", "quick", "--judge", stage.JUDGE]),
        (r"--prompts nowhere: there is no such folder", generate("--prompts", "nowhere")),
    ],
    ids=["spec", "samples", "goal", "prompts"],
)
def test_a_run_is_not_touched_by_a_command_that_means_another(geak, run, message, command):
    (run.parent / "other.py").write_text('"""Another."""\n')
    before = kept(run)
    told(geak, 2, message, *command)
    assert kept(run) == before


def test_a_journal_of_a_newer_geak_is_left_to_it(geak, run):
    events = run / "events.jsonl"
    events.write_text(events.read_text().replace(f'"version":{JOURNAL}', f'"version":{JOURNAL + 1}', 1))
    before = kept(run)
    for command in (["resume", "run", "--judge", stage.JUDGE], generate(), ["show", "run"]):
        other = rf"run was written by another GEAK \(journal {JOURNAL + 1}, this one reads {JOURNAL}\)"
        told(geak, 2, other, *command)
    assert kept(run) == before


@pytest.mark.parametrize("line", ['{"event":"judged"}', "{", '{"event":"dreamt","at":""}', "\0"])
def test_a_journal_that_was_damaged_is_not_written_over(geak, run, line):
    events = run / "events.jsonl"
    lines = events.read_text().splitlines()
    events.write_text("\n".join([*lines[:3], line, *lines[4:], ""]))
    before = kept(run)
    told(geak, 2, r"events\.jsonl, line 4 cannot be read: .*; the lines before it are whole", *generate())
    told(geak, 2, r"events\.jsonl, line 4 cannot be read", "resume", "run", "--judge", stage.JUDGE)
    assert kept(run) == before


def test_a_reply_that_was_changed_since_is_not_taken_for_what_was_bought(geak, run):
    received = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    written = next(event for event in received if event["event"] == "written")
    blob = run / "blobs" / written["source"]
    blob.write_text("something else")
    before = (run / "events.jsonl").read_bytes()
    found = geak("resume", "run", "--calls", "9", "--judge", stage.JUDGE)
    assert found.code == 2
    assert f"blobs/{written['source']} is not what was written" in found.err.splitlines()[-1]
    assert "Traceback" not in found.err
    assert (run / "events.jsonl").read_bytes().startswith(before)


def test_a_name_that_is_nearly_right_is_told(geak, place):
    (place / "kernel.py").write_text("")
    told(geak, 2, r"kernle\.py: no such file or directory; is kernel\.py meant\?$", "eval", "double.py", "kernle.py")
    told(geak, 2, r"away/k\.py: no such file or directory; there is no folder away$", "eval", "double.py", "away/k.py")


@pytest.mark.parametrize("command", [["specs", "list"], ["specs", "list", "--json"], ["--help"]], ids=" ".join)
def test_where_nothing_can_be_printed_that_is_told(command):
    with open("/dev/full", "wb") as full:
        found = subprocess.run([sys.executable, "-m", "geak", *command], stdout=full, stderr=subprocess.PIPE, text=True)
    assert found.returncode == 3
    assert found.stderr == "error: what was to be printed could not be written: no space left on device\n"
