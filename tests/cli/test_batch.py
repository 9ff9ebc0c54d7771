"""`geak batch` from end to end: a script for a model, a judge that goes by words."""

from __future__ import annotations

import json
import shlex
import signal
from pathlib import Path

import pytest

from geak.batch.card import read_card
from tests.batch.stage import BAD, GOOD, SPEC, bought, dataset
from tests.formats.checkouts import ROWS
from tests.loop import stage

ROBUST = ROWS[2].root
RETRY = ("--retry", "failed")


@pytest.fixture
def words(place: Path) -> list[str]:
    """A command whose kernels take two rounds and three calls."""
    (place / "double.py").unlink()
    stage.script(place, [BAD, GOOD])
    common = ["--judge", stage.JUDGE, "--out", "run", "--rounds", "3", "--jobs", "1"]
    return ["batch", "specs", "--model", "scripted:replies.toml", *common]


def test_the_result_is_on_stdout_and_a_line_a_kernel_on_stderr(geak, place, words):
    dataset(place, "", "unreadable: an axis is missing", "")
    found = geak(*words, "--target", "gfx942")
    assert found.code == 1
    assert found.out.splitlines() == [
        "      2  reached the goal",
        "      1  could not be run",
        "         k01: an axis is missing",
        "result  2 of 3 kernels reached their goal",
        "kernels run/kernels",
        found.out.splitlines()[5],
        "page    geak report run",
        f"go on   geak {' '.join(words[:5])} '{stage.JUDGE}' {' '.join(words[6:])} --target gfx942 --retry failed",
    ]
    assert found.out.splitlines()[5].startswith("spent   $0.00, 6 calls, ")
    size, costs, note, folder, *rest = found.err.splitlines()
    assert size == "specs: 3 kernels; 1 at a time, 1 judge at the most"
    assert costs.startswith("scripted:replies.toml; no cap in dollars; at most $0.00 and ")
    assert costs.endswith(" tokens; for gfx942")
    assert (note, folder) == ("note: scripted replies from replies.toml: no model is asked", "run in run")
    assert rest == [
        "1 of 3 goal k00: the goal is reached: correct ($0.00, 3 calls)",
        "2 of 3 skipped k01: an axis is missing",
        "3 of 3 goal k02: the goal is reached: correct ($0.00, 3 calls)",
    ]


@pytest.mark.parametrize(
    ("specs", "more", "code", "reason"),
    [
        (["", ""], (), 0, "complete"),
        (["", "never"], (), 1, "complete"),
        (["", ""], ("--calls", "4"), 4, "budget"),
        (["never"] * 4, (), 5, "provider"),
    ],
    ids=["goal", "missed", "budget", "provider"],
)
def test_as_json_each_end_is_one_document(geak, place, words, specs, more, code, reason):
    dataset(place, *specs)
    if reason == "complete":
        stage.script(place, [BAD, GOOD, BAD])
    found = geak(*words, *more, "--json")
    said = json.loads(found.out)
    assert (found.code, said["exit_code"], said["reason"]) == (code, code, reason)
    assert sum(said["counts"].values()) == len(said["kernels"]) == len(specs)
    assert said["go_on"].startswith("geak batch specs --model") is (reason != "complete")
    assert said["go_on"].endswith("--retry failed") is (reason == "provider")


def test_a_dataset_run_is_shown_as_far_as_it_is(geak, place, words):
    dataset(place, "unreadable: an axis is missing", "", "")
    geak(*words, "--calls", "3", "--target", "gfx942")
    found = geak("show", "run")
    assert (found.code, found.err) == (0, "")
    assert found.out.splitlines()[0] == "dataset specs, 3 tasks, for gfx942"
    assert "state   1 of 2 tasks solved: 50.0 %" in found.out
    assert "1 run not begun, counted as failed." in found.out
    assert "not run k00: an axis is missing" in found.out
    assert [line.split()[:2] for line in found.out.splitlines() if line.startswith("k0")] == [["k01", "accepted"]]
    assert found.out.splitlines()[-2:] == [
        "kernels run/kernels; one of them: geak show run/kernels/k01/1",
        "page    geak report run",
    ]
    assert len(json.loads(geak("show", "run", "--json").out)["outcomes"]) == 2
    refused = geak("resume", "run")
    assert (refused.code, refused.err[:30]) == (2, "error: run is a dataset run: g")
    command = refused.err.strip().rpartition(" as in geak ")[2]
    assert command.startswith("batch specs --out run --target gfx942 --model scripted:")
    assert "goes on with it" in refused.err
    again = geak(*shlex.split(command), "--judge", stage.JUDGE, "--dry-run", "--json")
    assert (again.code, json.loads(again.out)["begun"]) == (0, 1)


def test_what_cannot_be_meant_is_one_sentence(geak, place, words):
    dataset(place, "")
    found = geak(*words, "--filter", "x*", "--json")
    assert (found.code, json.loads(found.out)["error"]["exit_code"]) == (2, 2)
    assert found.err.startswith("error: --filter 'x*' matches none of the 1 tasks of specs; names are k00, ...")
    assert geak("batch", "none").err == "error: none does not exist\n"


def test_a_dry_run_names_the_tasks_and_writes_nothing(geak, place, words):
    dataset(place, *[""] * 5)
    found = geak(*words, "--dry-run", "--shard", "2/2")
    assert found.code == 0
    assert found.out.splitlines()[0] == "specs: 2 kernels, part 2/2 of 5 kernels; 1 at a time, 1 judge at the most"
    assert [line.split()[0] for line in found.out.splitlines()[-2:]] == ["k01", "k03"]
    assert not (place / "run").exists()


@pytest.mark.slow
def test_ten_thousand_tasks_are_listed_and_three_of_them_run(geak, place, words):
    folder = place / "specs"
    folder.mkdir()
    for number in range(10_000):
        (folder / f"k{number:05}.py").write_text(f"{SPEC}# {number}\n")
    found = geak(*words, "--slice", "-3:", "--calls", "9")
    assert (found.code, "all 3 kernels reached their goal" in found.out) == (0, True)
    assert len(read_card(place / "run").tasks) == 3
    assert len(list(place.glob("run/kernels/*"))) == 3
    found = geak(*words[:-2], "--jobs", "8", "--out", "all", "--calls", "0", "--json")
    assert (found.code, json.loads(found.out)["counts"]) == (4, {"waiting": 10_000})


def test_the_first_interrupt_ends_cleanly_and_the_same_command_goes_on(start, geak, place, words):
    dataset(place, *[""] * 3)
    stage.script(place, [stage.kernel(0, "verdict: rejected", "burns: 1"), GOOD])
    child = start(*words)
    child.wait_for("1 of 3 goal k00")
    child.process.send_signal(signal.SIGINT)
    code, out = child.end()
    assert code == 130
    assert "stopping: what is under way is finished first; ^C again leaves it" in child.said
    assert "Traceback" not in child.said
    assert "go on   geak batch specs --model" in out
    found = geak(*words)
    assert (found.code, "all 3 kernels reached their goal" in found.out) == (0, True)
    assert set(bought(place / "run").values()) == {1}


def test_on_a_terminal_there_is_a_table(start, place, words):
    dataset(place, "", "")
    stage.script(place, [stage.kernel(0, "verdict: rejected", "burns: 0.5"), GOOD])
    child = start(*words, "--calls", "9", terminal=True)
    code, out = child.end()
    assert code == 0
    assert "specs: 0 of 2 kernels" in child.said
    assert "specs: 1 of 2 kernels (1 goal)" in child.said
    assert "k01" in child.said
    assert "of 9 calls" in child.said
    assert child.said.rindex("\x1b[?25h") > child.said.rindex("\x1b[?25l")
    assert "\x1b" not in out


def test_with_no_model_named_the_compiler_writes(geak, place):
    folder = place / "specs"
    folder.mkdir()
    for number in range(2):
        (folder / f"k{number}.py").write_text(f"{SPEC}# seeds: 2\n")
    found = geak("batch", "specs", "--judge", stage.JUDGE, "--out", "run")
    assert found.code == 0
    assert "compiler:inductor; no language model is asked, and nothing is spent" in found.err
    assert "spent   nothing: no language model was asked" in found.out


def test_a_foreign_task_that_no_work_would_pass_is_counted_apart(geak, tmp_path, running_judge):
    """Both tasks have a tolerance of their own; lint finds that zeros would pass one of them."""
    stage.script(tmp_path, ["def nothing():\n    pass\n"] * 2)
    words = ["--model", f"scripted:{tmp_path / 'replies.toml'}", "--judge", running_judge, "--out", tmp_path / "run"]
    few = ["--rounds", 1, "--jobs", 1, "--elements", 300, "--target", "gfx942", "--quiet"]
    tasks = ["--filter", "kernelbench/level_1/task_7/forward", "--filter", "tiny_linear/forward"]
    assert geak("batch", ROBUST, *words, *few, *tasks).code == 1
    groups = json.loads((tmp_path / "run" / "summary.json").read_text())["groups"]
    assert [(group["tasks"], group.get("soft", False)) for group in groups] == [(1, False), (1, True)]
    told = json.loads(geak("report", tmp_path / "run", "--format", "json", "--out", "-").out)
    assert {o["task"]: o.get("soft", False) for o in told["outcomes"]} == {
        "kernelbench/level_1/task_7/forward": True,
        "tiny_linear/forward": False,
    }


def test_what_is_over_spends_nothing_more_and_says_so(geak, place, words):
    dataset(place, "", "unreadable: an axis is missing")
    first = geak(*words, "--target", "gfx942")
    again = geak(*words, "--target", "gfx942")
    costs = "scripted:replies.toml; every kernel is at its end, and nothing more is spent; for gfx942"
    assert again.err.splitlines()[:2] == ["specs: 2 kernels, 1 begun before; 1 at a time, 1 judge at the most", costs]
    assert again.out == first.out
    (_, both), (_, one) = (
        geak(*words, "--target", "gfx942", "--dry-run", *more).out.splitlines()[:2] for more in ((), RETRY)
    )
    assert both == costs
    assert "; at most $0.00 and " in one  # what could not be run is tried again, and may cost something
