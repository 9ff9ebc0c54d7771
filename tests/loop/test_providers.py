"""Whole runs with the real SDKs against a provider on the loopback, which answers, breaks off, refuses and counts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import geak
from geak.journal.events import Announced, Ended, Event, Failed, Received
from geak.journal.store import EVENTS, Entry, read
from geak.models.base import Usage
from geak.record import Waiting
from geak.runs import Result, begin
from geak.settings import Settings
from geak.tasks import for_spec
from geak.workplace import workplace
from tests.loop.stage import JUDGE, kernel, spec
from tests.models.asking import NAMES, surroundings
from tests.models.wire import Behaviour, Breaks, Provider, Says, Status, error

every = pytest.mark.parametrize("name", NAMES)
REJECTED = "verdict: rejected"
LESSON = Says('{"cause": "it is wrong", "advice": "mend it", "tried": "a guess", "outcome": "avoid"}')
PRICE = {"input": 3.0, "output": 15.0, "cached": 0.3, "cache_written": 3.75}
USED = Usage(input=1000, output=500, cached=2000, cache_written=100, reasoning=200)
COST = (1000 * 3.0 + 500 * 15.0 + 2000 * 0.3 + 100 * 3.75) / 1e6


def writes(number: int, *words: str, **more: Any) -> Says:
    """A reply with a kernel in it."""
    return Says(f"I write this.\n\n```python\n{kernel(number, *words)}```\n", **more)


def settings(name: str, provider: Provider, **more: Any) -> Settings:
    """The model of such a name (KIND:MODEL) at this provider, at a price."""
    kind, _, model = name.partition(":")
    table = {"kind": kind, "model": model, "price": PRICE, "concurrency": 4}
    common = {"model": "mine", "models": {"mine": table}, "judge": (JUDGE,), "rounds": 4}
    return Settings(**common, environment=surroundings(provider), **more)


def run(place: Path, name: str, *behaviours: Behaviour, **more: Any) -> tuple[Result, Provider]:
    with Provider(*behaviours) as provider:
        result = geak.generate(spec(place), settings=settings(name, provider), out=place / "run", **more)
    return result, provider


def events(result: Result) -> list[Event]:
    return [entry.event for entry in read(result.folder)]


def of(result: Result, kind: type[Any]) -> list[Any]:
    return [event for event in events(result) if isinstance(event, kind)]


@every
def test_a_run_reaches_its_goal_and_its_journal_says_what_the_provider_counted(tmp_path: Path, name: str) -> None:
    result, provider = run(tmp_path, name, writes(1, REJECTED, usage=USED), LESSON, writes(2, usage=USED))
    assert (result.exit_code, result.source) == (0, kernel(2)), result.message
    assert len(provider.requests) == 3
    first, lesson, last = of(result, Received)
    assert (first.usage, last.usage, lesson.usage) == (USED, USED, LESSON.usage)
    assert first.usd == last.usd == pytest.approx(COST)
    account = result.population.account
    assert account.usage == USED + USED + LESSON.usage
    assert account.usd == pytest.approx(2 * COST + (11 * 3.0 + 7 * 15.0) / 1e6)
    assert (account.unpriced, account.lost) == (0, 0)
    assert first.model == f"{name.partition(':')[2]}-20260101", "by the provider's own word"
    for announced, received in zip(of(result, Announced), of(result, Received), strict=True):
        assert received.usd <= announced.bound_usd


@every
def test_a_reply_that_is_cut_in_the_middle_is_asked_for_again_and_counts_at_its_bound(
    tmp_path: Path, name: str
) -> None:
    told: list[Entry | Waiting] = []
    result, provider = run(tmp_path, name, Breaks("cut"), writes(1, usage=USED), watch=told.append)
    assert (result.exit_code, len(provider.requests)) == (0, 2), result.message
    assert provider.requests[0].body == provider.requests[1].body
    (failed,) = of(result, Failed)
    assert (failed.trouble, failed.charged) == ("cut", True)
    (waiting,) = [what for what in told if isinstance(what, Waiting)]
    assert (waiting.model, waiting.attempt) == ("mine", 1)
    assert "ended in the middle" in waiting.why
    lost, account = of(result, Announced)[0], result.population.account
    assert (account.lost, account.lost_tokens) == (1, lost.bound_tokens)
    assert account.lost_usd == pytest.approx(lost.bound_usd)
    assert account.usd == pytest.approx(lost.bound_usd + COST)


@every
def test_a_limit_is_waited_for_and_halves_the_pace(tmp_path: Path, name: str) -> None:
    busy = Status(429, error("rate_limit_error", "too many"), {"retry-after": "0"})
    with Provider(busy, writes(1)) as provider:
        waits: list[tuple[Waiting, int]] = []

        async def work() -> Result:
            async with workplace(settings(name, provider)) as place:
                (pace,) = place.paces.values()
                assert pace.allowed == 4

                def watch(what: Entry | Waiting) -> None:
                    if isinstance(what, Waiting):
                        waits.append((what, pace.allowed))

                return await begin(for_spec(str(spec(tmp_path))), place, out=tmp_path / "run", watch=watch)

        result = asyncio.run(work())
    assert result.exit_code == 0, result.message
    ((waiting, allowed),) = waits
    assert allowed == 2
    assert "asks to wait for 0 s" in waiting.why
    (failed,) = of(result, Failed)
    assert (failed.trouble, failed.charged) == ("limit", False)
    assert (result.population.account.lost, result.population.account.calls) == (0, 2)


@every
def test_a_key_that_is_refused_in_the_middle_loses_nothing_and_the_run_goes_on(tmp_path: Path, name: str) -> None:
    refused = Status(401, error("authentication_error", "no such key"))
    first, provider = run(tmp_path, name, writes(1, REJECTED, usage=USED), LESSON, refused)
    assert (first.exit_code, first.reason, len(provider.requests)) == (5, "provider", 3), "it is not tried again"
    assert "does not accept the key in " in first.message
    assert "\n" not in first.message
    assert first.population.candidates["1.1"].developed
    assert first.population.account.usd == pytest.approx(COST + (11 * 3.0 + 7 * 15.0) / 1e6)
    before = (first.folder / EVENTS).read_bytes()
    with Provider(writes(2, usage=USED)) as provider:
        second = geak.resume(first.folder, settings=settings(name, provider))
    assert (second.exit_code, second.source, len(provider.requests)) == (0, kernel(2), 1), second.message
    assert (first.folder / EVENTS).read_bytes().startswith(before)
    assert second.population.account.usd == pytest.approx(2 * COST + (11 * 3.0 + 7 * 15.0) / 1e6)
    assert [ended.reason for ended in of(second, Ended)] == ["provider", "goal"]


@every
@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (Says("I would rather not.", finish="refusal", usage=USED), "the model refused to answer"),
        (Says("```python\nimport tri", finish="length", usage=USED), "the answer was cut at 500 tokens"),
        (Says("", usage=USED), "the answer was empty"),
    ],
    ids=["refused", "cut short", "empty"],
)
def test_an_answer_without_a_kernel_costs_one_more_question(tmp_path: Path, name: str, bad: Says, why: str) -> None:
    result, provider = run(tmp_path, name, bad, writes(1, usage=USED))
    assert (result.exit_code, list(result.population.candidates)) == (0, ["1.1"]), result.message
    assert len(provider.requests) == 2
    assert why not in str(provider.requests[0].body)
    assert why in str(provider.requests[1].body)
    assert result.population.account.usd == pytest.approx(2 * COST), "the bad answer is paid for as well"
    assert not of(result, Failed)


def test_a_second_answer_without_a_kernel_is_the_last(tmp_path: Path) -> None:
    result, provider = run(tmp_path, NAMES[0], *[Says("No.", finish="refusal")] * 2, rounds=1)
    assert (result.exit_code, len(provider.requests)) == (1, 2)
    assert "the model refused to answer" in result.population.candidates["1.1"].trouble


def test_what_a_lost_reply_may_have_cost_is_gone(tmp_path: Path) -> None:
    with Provider(Breaks("cut"), writes(1)) as provider:
        asked = settings(NAMES[0], provider, usd=0.3)
        result = geak.generate(spec(tmp_path), settings=asked, out=tmp_path / "run")
    assert len(provider.requests) == 1
    assert (result.exit_code, result.reason) == (4, "budget")
    assert "--usd allows more" in result.message
    assert 0.2 < result.population.account.lost_usd == result.population.account.usd <= 0.3
