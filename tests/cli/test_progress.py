"""What is said of a run while it goes on: lines for a log, a page for a terminal."""

from __future__ import annotations

import pytest

from geak.cli.progress import Lines, Page, progress
from geak.journal.events import Ended, Event, Failed, Planned, Received, Unjudged, Unwritten
from geak.journal.store import Entry
from geak.models.base import Usage
from geak.population import Population, fold
from geak.record import Waiting
from geak_evaluator.schema.verdict import Status, Tier
from tests.journal.samples import begun, bought, conditions, developed, unwritten

AT = "2026-01-01T00:00:00.000Z"
WAITING = Waiting("anthropic:x", "too many requests\nat a time", 12.4, 2)


def entries(*events: Event) -> list[Entry]:
    return [Entry(number, AT, event) for number, event in enumerate(events)]


def lines(*events: Event) -> list[str]:
    writer = Lines()
    return [writer.line(entry) for entry in entries(*events)]


def page(*events: Event | Waiting, seconds: float = 0, **asked: object) -> list[str]:
    shown = Page(Population(conditions(**asked)))
    for event in events:
        shown.note(event if isinstance(event, Waiting) else Entry(0, AT, event))
    return shown.lines(seconds)


def test_each_event_is_one_line_that_begins_with_its_name():
    assert lines(begun(), *developed("1.1", 0), *unwritten("1.2", 2)) == [
        "begun abc123 double",
        "moved 1.1 draft",
        "announced 1.1 generator scripted:x",
        "received 1.1 1000 in, 333 out, $0.0043, 0 s",
        "written 1.1 plan of 1.1",
        "judged 1.1 full ACCEPTED double proved by interpreter, 1 case",
        "announced 1.1 reflector scripted:x",
        "received 1.1 1001 in, 333 out, $0.0043, 0 s",
        "explained 1.1 worked: cause of 1.1",
        "moved 1.2 draft",
        "announced 1.2 generator scripted:x",
        "received 1.2 1002 in, 333 out, $0.0043, 0 s",
        "unwritten 1.2 no answer held a kernel",
        "explained 1.2 neutral: no kernel",
    ]


def test_the_other_events_have_their_line():
    announced, _ = bought("1.1", 0, "optimizer")
    assert lines(
        developed("1.2", 4, kind="optimise", parents=("1.1", "2.1"))[0],
        announced,
        Failed(0, "limit", "too many requests"),
        Received(7, "reply", "length", Usage(5, 6, cached=7), None, "x", 90.0),
        Planned("1.2", "wider loads"),
        Unjudged("1.2", Tier.FULL, "the judge ended"),
        Ended("budget", "all is spent", 4),
    ) == [
        "moved 1.2 optimise of 1.1, 2.1",
        "announced 1.1 optimizer scripted:x",
        "failed 1.1 limit: too many requests",
        "received ? 12 in, 6 out, unknown, 2 min, length",
        "planned 1.2 wider loads",
        "unjudged 1.2 full the judge ended",
        "ended budget: all is spent",
    ]
    assert Lines().line(WAITING) == "waiting anthropic:x 12 s, attempt 2: too many requests at a time"


def test_foreign_words_stay_in_their_line():
    hostile = "\x1b[2J\r\nended goal: all is well\x07" + "x" * 1000
    (line,) = lines(Unwritten("1.1", hostile))
    assert line.startswith("unwritten 1.1 �[2J� ended goal")
    assert len(line) <= 400
    shown = page(begun(), *developed("1.1", 0)[:1], Waiting("m", hostile, 1, 1), spec=hostile)
    assert all(text.isprintable() for text in shown)


def test_the_page_says_round_stage_best_and_money():
    first, second = developed("1.1", 0), developed("1.2", 2, kind="optimise", parents=("1.1",))
    assert page(begun()) == [
        "double: round 0 of 10, 0 s",
        "best   none yet",
        "spent  $0.00 of $2.00, 0 calls, 0 tokens",
    ]
    assert page(begun(), *first[:2]) == [
        "double: round 1 of 10, 0 s",
        "  1.1    draft     asks scripted:x as generator",
        "best   none yet",
        "spent  $0.00 of $2.00 ($0.0500 more is reserved), 1 call, 0 tokens",
    ]
    shown = page(begun(), *first, *second[:4], seconds=30)
    assert shown[0] == "double: round 2 of 10, 30 s, at most about 4 min more"
    assert shown[1] == "  1.2    optimise  is judged"
    assert shown[2] == "best   1.1  ACCEPTED double proved by interpreter, 1 case"
    assert shown[3] == "spent  $0.0130 of $2.00, 3 calls, 4,002 tokens"


def test_a_sweep_ends_by_itself_and_promises_no_rounds():
    shown = page(begun(), *developed("1.1", 0), strategy="sweep", samples=4, seconds=30)
    assert shown[0] == "double: round 1, 4 variants, 30 s"


def test_the_reason_of_an_end_is_said_once():
    assert lines(Ended("interrupted", "interrupted; nothing is lost", 130)) == ["ended interrupted; nothing is lost"]


@pytest.mark.parametrize(
    ("count", "stage"),
    [(1, "begins"), (2, "asks scripted:x as generator"), (3, "has its answer"), (4, "is judged"), (5, "is explained")],
)
def test_each_step_of_a_candidate_is_a_stage(count, stage):
    assert page(*developed("1.1", 0)[:count])[1] == f"  1.1    draft     {stage}"


def test_a_wait_is_shown_with_its_reason_until_the_call_goes_out():
    moved, announced, _ = developed("1.1", 0)[:3]
    shown = page(moved, announced, Failed(0, "limit", "too many"), WAITING)
    assert shown[1] == "  1.1    draft     asks again"
    assert shown[-1] == "waiting 12 s for anthropic:x, attempt 2: too many requests at a time"
    assert not page(moved, announced, Failed(0, "limit", "too many"), WAITING, bought("1.1", 1, "generator")[0])[
        -1
    ].startswith("waiting")


def test_a_price_that_nobody_knows_is_unknown():
    announced, received = bought("1.1", 0, "generator")
    unpriced = Received(0, "reply", "stop", received.usage, None, "x", 0.5)
    assert page(announced, unpriced)[-1] == "spent  unknown of $2.00, 1 call, 1,333 tokens"


def test_what_was_done_before_does_not_make_it_look_fast():
    before = fold(conditions(), [begun(), *developed("1.1", 0, status=Status.REJECTED)])
    shown = Page(before)
    assert shown.lines(60)[0] == "double: round 1 of 10, 1 min"
    for event in developed("1.2", 2):
        shown.note(Entry(0, AT, event))
    assert shown.lines(60)[0] == "double: round 2 of 10, 1 min, at most about 8 min more"


def test_without_a_terminal_there_are_lines_and_with_quiet_nothing(capfd):
    for quiet, expected in ((False, ["begun abc123 double", "moved 1.1 draft"]), (True, [])):
        with progress(Population(conditions()), quiet=quiet) as watch:
            for entry in entries(begun(), developed("1.1", 0)[0]):
                watch(entry)
        out, err = capfd.readouterr()
        assert (out, err.splitlines()) == ("", expected)
