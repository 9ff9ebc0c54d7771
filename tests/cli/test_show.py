"""`geak show`: a run's journal as a table, whoever works on it meanwhile."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from geak.journal.events import Announced, Ended, Event, Failed, Judged, Lesson, Move, Moved, Received, Written
from geak.journal.store import EVENTS, Journal
from geak.models.base import Usage
from geak_evaluator.schema.verdict import Cause, Status, Tier
from tests.journal.samples import begun, developed, unwritten, verdict


def journal(folder: Path, *events: Event) -> Journal:
    """A run's folder with these events, still open."""
    made = Journal.create(folder)
    for event in (begun(), *events):
        made.append(event)
    return made


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with one of each: rejected, unwritten, accepted, and refused by the final tier."""
    folder = tmp_path / "run"
    unpriced = Usage(input=100, output=20, cached=700, cache_written=50, reasoning=7)
    events = [
        *developed("1.1", 0, status=Status.REJECTED),
        *unwritten("1.2", 2),
        *developed("2.1", 3, kind="repair", parents=("1.1",)),
        *developed("2.2", 5, kind="optimise", parents=("2.1",)),
        Judged("2.2", Tier.FINAL, verdict(Status.REJECTED)),
        Moved(Move("2.3", "optimise", 2, 3, ("2.1",))),
        Announced(7, "2.3", "optimizer", "local", "prompt", 5000, None),
        Received(7, "reply", "stop", unpriced, None, "local", 1.0),
        Announced(8, "2.3", "generator", "scripted:x", "prompt", 5000, 0.25),
        Failed(8, "cut", "the reply ended in the middle", charged=True),
        Announced(9, "2.3", "generator", "scripted:x", "prompt", 5000, 0.5),
        Failed(9, "limit", "too many requests"),
    ]
    with journal(folder, *events):
        pass
    return folder


def test_each_candidate_is_a_line(geak, run):
    found = geak("show", run)
    assert (found.code, found.err) == (0, "")
    lines = found.out.splitlines()
    assert lines[:3] == [
        "run     abc123 of double, for gfx942, sm_90",
        "asked   goal correct, reflexion, 1 x 10 candidates",
        lines[2],
    ]
    assert lines[2].startswith("state   not ended; the last word is of 20")
    assert [" ".join(line.split()) for line in lines[5:10]] == [
        "1.1 draft rejected wrong_values, 0/1 cases $0.0087 cause of 1.1",
        "1.2 draft no answer held a kernel $0.0043 no kernel",
        "*2.1 repair 1.1 accepted, 1/1 cases $0.0087 cause of 2.1",
        "2.2 optimise 2.1 rejected in the final tier $0.0087 cause of 2.2",
        "2.3 optimise 2.1 under way >$0.2500",
    ]


def test_totals_are_by_role_and_model_and_what_is_unknown_is_said(geak, run):
    lines = geak("show", run).out.splitlines()
    assert lines[11] == "best    2.1  ACCEPTED double proved by interpreter, 1 case"
    assert lines[12:] == [
        "spent   generator, scripted:x: $0.2673, 6 calls, 4,010 tokens in, 1,332 out, 1 lost",
        "spent   reflector, scripted:x: $0.0130, 3 calls, 3,011 tokens in, 999 out",
        "spent   optimizer, local: unknown, 1 call, 850 tokens in (700 cached), 20 out (7 thought)",
        "        together $0.2803 and unknown of $2.00, 10 calls, 10,222 tokens, "
        "1 call without a reply, counted at the bound",
    ]


def test_a_run_that_ended_says_why(geak, tmp_path):
    with journal(tmp_path / "run", Ended("budget", "all 2 calls are made", 4)):
        pass
    assert "state   ended, budget: all 2 calls are made" in geak("show", tmp_path / "run").out.splitlines()


def test_a_run_that_is_worked_on_can_be_shown(geak, tmp_path):
    with journal(tmp_path / "run", *developed("1.1", 0)[:4]) as open_:
        found = geak("show", tmp_path / "run")
        assert found.code == 0
        assert "under way" in found.out
        # A line that is being written is not read yet.
        with (tmp_path / "run" / EVENTS).open("ab") as file:
            file.write(b'{"event":"judg')
        assert geak("show", tmp_path / "run").out == found.out
        assert open_.entries


def test_as_json_it_is_one_document(geak, run):
    found = geak("show", run, "--json")
    document = json.loads(found.out)
    assert found.out.count("\n") == 1
    assert (document["run"], document["best"], document["ended"]) == ("abc123", "2.1", None)
    by_name = {candidate["candidate"]: candidate for candidate in document["candidates"]}
    assert list(by_name) == ["1.1", "1.2", "2.1", "2.2", "2.3"]
    assert by_name["2.1"]["verdict"]["status"] == "accepted"
    assert by_name["1.2"]["trouble"] == "no answer held a kernel"
    assert by_name["2.3"]["spent"]["usd"] is None
    spent = {(row["role"], row["model"]): row for row in document["spent"]}
    assert spent["optimizer", "local"]["usd"] is None
    assert spent["optimizer", "local"]["usage"]["cached"] == 700
    assert spent["reflector", "scripted:x"]["usd"] == pytest.approx(0.013, abs=1e-4)


def test_foreign_words_cannot_paint_the_terminal(geak, tmp_path):
    hostile = "\x1b[2J\r\n\x9b31mred"
    wrong = verdict(Status.REJECTED)
    case = replace(wrong.cases[0], cause=Cause.RAISED, message=hostile)
    events = [
        Moved(Move("1.1", "draft", 1, 1)),
        Written("1.1", "source", hostile),
        Judged("1.1", Tier.FULL, replace(wrong, cases=(case,), log=hostile)),
        *developed("1.2", 0, kind="repair", parents=("1.1",))[:1],
        Ended("provider", hostile, 5),
    ]
    with journal(tmp_path / "run", *events):
        pass
    explained = developed("1.1", 0)[-1]
    with Journal.open(tmp_path / "run") as again:
        again.append(replace(explained, lesson=Lesson(hostile)))
    found = geak("show", tmp_path / "run")
    assert found.code == 0
    assert "red" in found.out
    assert not set(found.out) & set("\x1b\x9b\r")


def test_a_journal_that_cannot_be_read_is_told_with_its_line(geak, run):
    with (run / EVENTS).open("a") as file:
        file.write('{"event":"nonsense","at":""}\n')
    found = geak("show", run)
    assert (found.code, found.out) == (2, "")
    assert f"error: {run / EVENTS}, line " in found.err
