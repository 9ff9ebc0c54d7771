"""`geak generate`, `optimize` and `resume` from end to end: a script for a model, a judge that goes by words."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from geak.journal.store import EVENTS
from tests.cli.conftest import Outcome
from tests.loop import stage

BAD, GOOD, UNKNOWN = "verdict: rejected", "verdict: accepted", "verdict: undecided"

Generate = Callable[..., Outcome]


def words(place: Path, *kernels: str, command: str = "generate", what: str = "double.py") -> list[str]:
    """A command whose model writes kernels of which the judge says these words."""
    path = stage.script(place, [stage.kernel(number, *said.split(";")) for number, said in enumerate(kernels)])
    common = ["--judge", stage.JUDGE, "--out", "run", "--rounds", "3"]
    return [command, what, "--model", f"scripted:{path.name}", *common]


def test_the_result_is_on_stdout_and_what_went_on_is_on_stderr(geak, place):
    found = geak(*words(place, BAD, GOOD))
    assert found.code == 0
    assert found.out.splitlines() == [
        "ACCEPTED double  proved by interpreter, 1 case  compiles for gfx942 (16 VGPR, occupancy 8)",
        "  oracle float64, policy pure, sandbox isolated, worst error 0 steps",
        "result  the goal is reached: correct",
        "best    run/best.py (candidate 1.2)",
        found.out.splitlines()[4],
        "go on   geak resume run --goal best",
    ]
    assert found.out.splitlines()[4].startswith("spent   $0.00 of $2.00, 3 calls, ")
    assert "def double(x):" in (place / "run" / "best.py").read_text()
    first, note, folder, *rest = found.err.splitlines()
    assert first.startswith("double: scripted:replies.toml; cap $2.00; at most $0.00 and ")
    assert first.endswith(" tokens; for gfx942, sm_90 (by default)")
    assert note == "note: scripted replies from replies.toml: no model is asked"
    assert folder == "run in run"
    assert [line.split()[0] for line in rest] == [
        *("begun", "moved", "announced", "received", "written", "judged", "announced", "received", "explained"),
        *("moved", "announced", "received", "written", "judged", "explained", "judged", "ended"),
    ]


NEAREST = "none was accepted; the nearest is run/nearest.py (candidate 1.1)"
ENDS = [
    ("goal", 0, (GOOD,), (), "run/best.py (candidate 1.1)", " --goal best"),
    ("rounds", 1, (BAD,) * 3, (), NEAREST, " --rounds 6"),
    ("rounds", 6, (UNKNOWN,) * 3, ("--repairs", "0"), NEAREST, " --rounds 6"),
    ("budget", 4, (BAD,) * 3, ("--calls", "2"), NEAREST, " --calls 4"),
    ("provider", 5, (BAD,), (), NEAREST, ""),
    ("machine", 3, ("dies",) * 3, (), NEAREST, ""),
]
EACH_END = pytest.mark.parametrize(
    ("reason", "code", "kernels", "more", "where", "on"), ENDS, ids=[f"{end[0]}-{end[1]}" for end in ENDS]
)


@EACH_END
def test_each_end_has_its_exit_code_and_says_how_to_go_on(geak, place, reason, code, kernels, more, where, on):
    found = geak(*words(place, *kernels), *more)
    assert found.code == code, found.err
    assert f"ended {reason}: " in found.err
    result, best, _, go_on = found.out[found.out.index("result  ") :].splitlines()
    assert result.removeprefix("result  ") in found.err
    assert best == f"best    {where}"
    assert go_on == f"go on   geak resume run{on}"
    assert "Traceback" not in found.err


@EACH_END
def test_as_json_each_end_is_one_document(geak, place, reason, code, kernels, more, where, on):
    found = geak(*words(place, *kernels), *more, "--json")
    assert found.code == code
    assert found.out.count("\n") == 1
    document = json.loads(found.out)
    assert (document["reason"], document["exit_code"], document["folder"]) == (reason, code, "run")
    assert document["spent"]["calls"] >= 1
    assert document["go_on"] == f"geak resume run{on}"
    if code == 0:
        assert document["best"]["path"] == "run/best.py"
        assert document["best"]["verdict"]["status"] == "accepted"
    else:
        assert document["best"] is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"double.py": "dubble.py"}, "there is no spec 'dubble.py'"),
        ({"scripted:replies.toml": "scripted:nowhere.toml"}, "nowhere.toml"),
        (
            {"scripted:replies.toml": "scriptd:replies.toml"},
            "there is no kind of model 'scriptd'; did you mean scripted?",
        ),
        ({"scripted:replies.toml": "command:true"}, "the price of command:true is not known"),
        ({"3": "three"}, "--rounds: a whole number of at least 1 is wanted, not 'three'"),
        ({"--rounds": "--goal", "3": "fast"}, "--goal 'fast' is no goal; there are correct"),
        ({"--rounds": "--strategy", "3": "luck"}, "there is no strategy 'luck'; there are reflexion, best-of-n"),
        ({"--rounds": "--nonsense"}, "No such option: --nonsense"),
        ({"double.py": "--quiet"}, "name a spec, or say in words"),
    ],
)
def test_what_cannot_be_meant_is_told_before_anything_is_begun(geak, place, change, message):
    command = [change.get(word, word) for word in words(place, GOOD)]
    found = geak(*command)
    assert (found.code, found.out) == (2, "")
    assert message in found.err
    assert "Traceback" not in found.err
    again = geak(*command, "--json")
    assert again.code == 2
    assert json.loads(again.out)["error"]["exit_code"] == 2
    assert not (place / "run").exists()


def test_without_a_model_a_compiler_writes_and_a_key_that_happens_to_exist_is_not_used(geak, place, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a-key-that-happens-to-exist")
    (place / "double.py").write_text(stage.SPEC + "# seeds: 1\n")
    found = geak("generate", "double.py", "--judge", stage.JUDGE, "--out", "run")
    assert found.code == 0, found.err
    assert found.err.splitlines()[:2] == [
        "double: compiler:inductor; no language model is asked, and nothing is spent; for gfx942, sm_90 (by default)",
        "note: compiler:inductor writes what torch.compile emits, and asks no language model",
    ]
    assert "spent   nothing: no language model was asked" in found.out
    assert "best    run/best.py (candidate 1.2)" in found.out
    assert "go on   " not in found.out, "more rounds would find the same"
    assert "asked   goal best, sweep, 4 variants, tuned\n" in geak("show", "run").out
    assert (
        "written by the tuner, from 1.1, which was written by compiler:inductor" in (place / "run/best.py").read_text()
    )


def test_for_words_a_language_model_must_be_named(geak, place):
    found = geak("generate", "--from-text", "twice x", "--judge", stage.JUDGE)
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith("error: no model is named for the drafter; ")
    assert "--model scripted:FILE" in found.err


def test_quiet_shows_no_progress(geak, place):
    found = geak(*words(place, GOOD), "--quiet")
    assert [line.split()[0] for line in found.err.splitlines()] == ["double:", "note:", "run"]
    assert found.out.startswith("ACCEPTED")


def test_a_dry_run_asks_nobody_and_writes_nothing(geak, place):
    before = sorted(place.iterdir())
    command = words(place, GOOD)
    found = geak(*command, "--dry-run")
    assert found.code == 0, found.err
    assert found.out.startswith("double: scripted:replies.toml; cap $2.00; at most $0.00 and ")
    assert "9 calls at the most" in found.out
    assert "--- to the generator, system ---" in found.out
    document = json.loads(geak(*command, "--dry-run", "--json").out)
    assert document["calls"] == 9
    assert {prompt["role"] for prompt in document["prompts"]} >= {"generator"}
    assert sorted(p for p in place.iterdir() if p.name != "replies.toml") == [
        p for p in before if p.name != "replies.toml"
    ]


def test_a_run_is_gone_on_with_and_nothing_is_bought_twice(geak, place):
    command = words(place, BAD, BAD, GOOD)
    assert geak(*command, "--calls", "2").code == 4
    found = geak("resume", "run", "--calls", "50")
    assert found.code == 0, found.err
    assert "resumed rounds 3, goal correct, cap $2.00" in found.err
    assert "begun" not in found.err
    assert "best    run/best.py (candidate 1.3)" in found.out
    assert ", 5 calls, " in found.out


def test_the_same_command_again_goes_on(geak, place):
    command = words(place, BAD, GOOD)
    assert geak(*command, "--calls", "2").code == 4
    found = geak(*command)
    assert found.code == 0, found.err
    assert ", 3 calls, " in found.out


def test_only_what_a_flag_says_is_changed_when_a_run_is_gone_on_with(geak, place):
    assert geak(*words(place, BAD, BAD, BAD)).code == 1
    (place / "geak.toml").write_text("rounds = 7\nusd = 0.5\n")
    found = geak("resume", "run")
    assert "resumed rounds 3, goal correct, cap $2.00" in found.err


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("resume", "nowhere"), "nowhere holds no run"),
        (("resume", "run", "--usd", "lots"), "--usd: a number of at least 0, or none, is wanted, not 'lots'"),
        (("resume", "run", "--model", "scripted:x"), "No such option: --model"),
        (("show", "nowhere"), "nowhere holds no run"),
    ],
)
def test_what_cannot_be_gone_on_with_is_told(geak, place, command, message):
    geak(*words(place, GOOD))
    found = geak(*command)
    assert (found.code, found.out) == (2, "")
    assert message in found.err


def test_results_whose_journal_is_gone_are_not_written_over(geak, place):
    geak(*words(place, GOOD))
    best = (place / "run" / "best.py").read_bytes()
    (place / "run" / EVENTS).write_text("")
    on = geak("resume", "run")
    assert (on.code, "its journal holds no whole line" in on.err) == (2, True), on.err
    again = geak(*words(place, GOOD))
    assert (again.code, again.out) == (2, "")
    assert "run: what a run came to lies there, and its journal does not" in again.err
    assert (place / "run" / "best.py").read_bytes() == best


def test_a_kernel_that_is_given_is_judged_first(geak, place):
    (place / "mine.py").write_text(stage.kernel(7, GOOD, "width: 32"))
    better = words(place, f"{GOOD};width: 128", command="optimize", what="mine.py")
    found = geak(*better, "--spec", "double.py")
    assert found.code == 0, found.err
    assert "moved 0 given" in found.err
    assert found.err.index("judged 0 full") < found.err.index("moved 1.1")
    assert "best    run/best.py (candidate 1.1)" in found.out


def test_a_spec_that_is_drafted_for_a_kernel_is_named_with_its_guesses(geak, place):
    (place / "mine.py").write_text(stage.kernel(7, GOOD, "width: 32"))
    better = words(place, f"{GOOD};width: 128", command="optimize", what="mine.py")
    guess = "nothing in the code says what shape x has"
    dry = geak(*better, "--dry-run")
    assert f"note: the spec is drafted; a run keeps it in its folder\nnote: check in the spec: {guess}\n" in dry.out
    found = geak(*better)
    assert found.code == 0, found.err
    assert f"note: the spec is drafted: run/spec/double.py\nnote: check in the spec: {guess}\n" in found.err
    assert f"#            a guess in the spec: {guess}\n" in (place / "run" / "best.py").read_text()


DRAFT = '''I propose this.

```python
"""Twice each element."""
from geak_evaluator import Axis, Spec, Tensor

spec = Spec(axes={"N": Axis(1, 4096)}, inputs={"x": Tensor("N")}, cases=[{"N": 64}], entry="double")


def reference(x):
    return x * 2
```
'''


def drafting(place: Path) -> list[str]:
    """A command whose model drafts a spec, then writes its kernel."""
    _, _, *rest = words(place, GOOD)
    with (place / "replies.toml").open("a") as file:
        file.write(f"[[reply]]\nrole = 'drafter'\ntext = {json.dumps(DRAFT)}\n")
    return ["generate", "--from-text", "double each element", *rest]


def test_words_become_a_spec_and_what_that_may_cost_is_said_first(geak, place):
    found = geak(*drafting(place))
    assert found.code == 0, found.err
    lines = found.err.splitlines()
    assert lines[0].startswith("from words: scripted:replies.toml; cap $2.00; at most $0.00 and ")
    drafted = next(i for i, line in enumerate(lines) if line.startswith("the spec is drafted: run/spec/"))
    assert lines[drafted + 1] == "note: nobody has confirmed it; until somebody does, every verdict says so"
    assert lines[drafted + 2].startswith("double: scripted:replies.toml; ")
    assert any("received" in line for line in lines[:drafted])
    assert "unreviewed" in (place / "run" / "best.py").read_text()


def test_what_the_draft_of_a_spec_cost_is_counted(geak, place):
    command = [*drafting(place), "--calls", "1"]
    found = geak(*command)
    assert (found.code, "ended budget: no call is left; --calls allows more" in found.err) == (4, True)
    assert re.search(r"^spent   \$0\.00 of \$2\.00, 1 call, [1-9][\d,]* tokens$", found.out, re.M), found.out
    assert re.search(r"^        together \$0\.00 of \$2\.00, 1 call, [1-9]", geak("show", "run").out, re.M)
    again = json.loads(geak(*command, "--json").out)
    assert (again["spent"]["calls"], again["spent"]["tokens"] > 0) == (1, True)


@pytest.mark.parametrize(("answer", "confirmed"), [("y\r", True), ("n\r", False)])
def test_on_a_terminal_a_person_confirms_the_spec(start, place, answer, confirmed):
    child = start(*drafting(place), terminal=True)
    child.wait_for("is this what the kernel is to compute? [y/N] ")
    assert "def reference(x):" in child.said
    child.type(answer)
    code, _ = child.end()
    assert code == 0, child.said
    assert ("unreviewed" not in (place / "run" / "best.py").read_text()) is confirmed


def test_a_dry_run_of_words_shows_how_the_spec_would_be_asked_for(geak, place):
    found = geak(*drafting(place), "--dry-run")
    assert found.code == 0, found.err
    assert "--- to the drafter, system ---" in found.out
    assert "double each element" in found.out
    assert not (place / "run").exists()


COSTLY = """
usd = 50

[models.costly]
kind = "openai-compatible"
model = "x"
base_url = "http://127.0.0.1:9/v1"
price = {input = 1000, output = 1000}
"""


def test_much_money_is_not_spent_unasked(geak, place):
    (place / "geak.toml").write_text(COSTLY)
    found = geak("generate", "double.py", "--model", "costly", "--judge", stage.JUDGE, "--out", "run")
    assert (found.code, found.out) == (2, "")
    assert "cap $50.00; at most $50.00" in found.err
    assert found.err.endswith("error: up to $50.00 may be spent, which is more than $10; say --yes, or lower --usd\n")
    assert not (place / "run").exists()


@pytest.mark.parametrize("json_", [False, True], ids=["page", "json"])
def test_the_first_interrupt_ends_cleanly_and_says_how_to_go_on(start, geak, place, json_):
    child = start(*words(place, BAD, f"{BAD};burns: 2", BAD), *["--json"] * json_)
    child.wait_for("written 1.2")
    child.process.send_signal(signal.SIGINT)
    code, out = child.end()
    assert code == 130
    assert "stopping: what is under way is finished first; ^C again leaves it" in child.said
    assert "judged 1.2" in child.said
    assert "moved 1.3" not in child.said
    assert "Traceback" not in child.said
    if json_:
        assert json.loads(out)["go_on"] == "geak resume run"
    else:
        assert out.endswith("go on   geak resume run\n")
    found = geak("resume", "run", "--judge", stage.JUDGE)
    assert (found.code, "moved 1.3" in found.err) == (1, True)


@pytest.mark.parametrize("json_", [False, True], ids=["page", "json"])
def test_the_second_interrupt_leaves_at_once(start, geak, place, json_):
    child = start(*words(place, f"{BAD};burns: 600", GOOD), *["--json"] * json_)
    child.wait_for("written 1.1")
    child.process.send_signal(signal.SIGINT)
    child.wait_for("stopping")
    child.process.send_signal(signal.SIGINT)
    code, out = child.end()  # also its judge is gone: it has the same standard error
    assert code == 130
    assert child.said.endswith("left; geak resume run goes on with it\n")
    assert out == ('{"error":{"message":"interrupted","exit_code":130},"folder":"run"}\n' if json_ else "")
    assert "state   not ended" in geak("show", "run").out


def test_on_a_terminal_there_is_a_page_and_the_cursor_comes_back(start, place):
    child = start(*words(place, f"{BAD};burns: 0.3", GOOD), terminal=True)
    code, out = child.end()
    assert code == 0
    assert "double: round 1 of 3" in child.said
    assert "1.1    draft     is judged" in child.said
    assert "announced 1.1" not in child.said
    assert child.said.rindex("\x1b[?25h") > child.said.rindex("\x1b[?25l")
    assert out.startswith("ACCEPTED double")
    assert "\x1b" not in out


@pytest.mark.parametrize(("answer", "code"), [("n\r", 2), ("\r", 2), ("\x03", 130)], ids=["no", "nothing", "interrupt"])
def test_a_terminal_is_asked_before_much_money_is_spent(start, place, answer, code):
    (place / "geak.toml").write_text(COSTLY)
    child = start("generate", "double.py", "--model", "costly", "--judge", stage.JUDGE, "--out", "run", terminal=True)
    child.wait_for("up to $50.00 may be spent; go on? [y/N] ")
    if answer == "\x03":
        child.process.send_signal(signal.SIGINT)
    else:
        child.type(answer)
    ended, out = child.end()
    assert (ended, out) == (code, "")
    assert "Traceback" not in child.said
    assert not (place / "run").exists()
