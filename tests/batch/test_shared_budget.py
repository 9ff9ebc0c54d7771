"""One budget for many kernels: never overspent, whatever is under way; and what one leaves another may use."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import geak
from geak.batch.shares import Shares, part
from geak.batch.standing import minutes
from geak.budget import Account, Part, Purse
from geak.desk import Desk
from geak.errors import BudgetSpent, ModelError, Trouble, UsageError
from geak.journal.events import Announced, Begun, Caps, Failed, Received
from geak.journal.store import Journal
from geak.models.base import Call, Message, Price, Reply, Usage
from geak.models.pace import Pace
from geak.record import Record
from geak.settings import Settings
from tests.batch.stage import BAD, GOOD, batch, bought, dataset, fates
from tests.journal.samples import conditions
from tests.loop import stage

PRICE = Price(input=1.0, output=10.0)


class Chancy:
    """A model whose replies cost what a table says, after as many turns of the loop; some calls break off."""

    name = "chancy"
    paid = True
    price: Price | None = PRICE
    note = ""
    concurrency = 8

    def __init__(self, replies: list[tuple[int, int, int]]) -> None:
        self._replies = replies
        self._asked = 0

    async def ask(self, call: Call) -> Reply:
        output, turns, fault = self._replies[self._asked % len(self._replies)]
        self._asked += 1
        for _ in range(turns):
            await asyncio.sleep(0)
        if fault == 0:
            raise ModelError("it broke off", Trouble.REQUEST, charged=True)
        return Reply("x", "stop", Usage(input=1, output=min(output, call.max_tokens)))

    async def close(self) -> None:
        pass


async def _buy_all(base: Path, caps: Caps, replies: list[tuple[int, int, int]], runs: int) -> Purse:
    model, purse, pace = Chancy(replies), Purse(caps), Pace(8)
    asked = conditions(caps=Caps(usd=None))
    asked = replace(asked, models={role: replace(m, max_tokens=6000, price=PRICE) for role, m in asked.models.items()})

    def watch(what: object) -> None:
        rest = purse.left()
        assert all(cap is None or cap >= -1e-9 for cap in (rest.usd, rest.tokens, rest.calls))

    async def one(number: int) -> None:
        with Journal.create(base / str(number)) as journal:
            begun = Begun(2, str(number), asked, "0")
            record = Record(journal, begun, watch)
            record.add(begun)
            desk = Desk(record, {"generator": model}, {"chancy": pace}, part=Part(purse))
            for turn in range(1, 5):
                try:
                    await desk.ask(f"1.{turn}", "generator", (Message("user", "a question " * number),))
                except BudgetSpent:
                    return
                except ModelError:
                    continue

    async with asyncio.timeout(60):
        await asyncio.gather(*map(one, range(runs)))
    return purse


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 6000), st.integers(0, 5), st.integers(0, 4)), min_size=1, max_size=8),
    st.integers(1, 6),
    st.one_of(st.none(), st.floats(0.02, 0.6)),
    st.one_of(st.none(), st.integers(2000, 60_000)),
    st.one_of(st.none(), st.integers(0, 20)),
)
def test_it_is_never_overspent_and_nobody_waits_for_ever(replies, runs, usd, tokens, calls):  # type: ignore[no-untyped-def]
    with tempfile.TemporaryDirectory() as base:
        purse = asyncio.run(_buy_all(Path(base), Caps(usd, tokens, None, calls), replies, runs))
    assert not purse.account.open
    assert usd is None or purse.account.spent_usd <= usd + 1e-9
    assert tokens is None or purse.account.spent_tokens <= tokens
    assert calls is None or purse.account.calls <= calls


def test_what_a_run_had_announced_when_it_was_left_is_lost() -> None:
    purse = Purse(Caps(usd=1.0))
    one, other = Part(purse), Part(purse)
    one.add(Announced(0, "1.1", "generator", "m", "p", 100, 0.25))
    other.add(Announced(0, "1.1", "generator", "m", "p", 100, 0.5))
    assert purse.left().usd == 0.25
    one.end()
    other.add(Received(0, "r", "stop", Usage(1, 1), 0.125, "m", 1.0))
    assert purse.left().usd == purse.left(settled=True).usd == 1 - 0.25 - 0.125
    assert (purse.account.lost, purse.account.open) == (1, {})


def test_shares_are_equal_parts_of_what_the_others_left() -> None:
    shares = Shares(Caps(usd=10.0, calls=100), Caps(usd=0.5, calls=2))
    fresh = Account()
    first = shares.grant(fresh, 4)
    assert (first.usd, first.calls) == (2.5, 25)
    assert shares.grant(fresh, 3).usd == 2.5
    shares.ended(first, _spent(0.5, 5))
    third = shares.grant(fresh, 2)  # what the first left is shared by those to come
    assert (third.usd, third.calls) == (3.5, 35)
    assert shares.claimants(3) == 3
    again = shares.grant(_spent(3.5, 35), 1)
    assert (again.usd, again.calls) == (7.0, 70)
    assert shares.claimants(3) == 0


def test_a_share_is_never_too_little_for_a_candidate() -> None:
    shares = Shares(Caps(usd=1.0, tokens=1000), Caps(usd=0.4, tokens=300))
    granted = [shares.grant(Account(), count) for count in range(10, 0, -1)]
    assert {one.usd for one in granted} == {0.4}
    assert {one.tokens for one in granted} == {300}


@given(st.integers(0, 1000), st.integers(1, 20))
def test_the_parts_of_shards_are_the_whole(calls: int, of: int) -> None:
    parts = [part(Caps(usd=1.0, tokens=calls, calls=calls), number, of) for number in range(1, of + 1)]
    assert sum(one.calls or 0 for one in parts) == sum(one.tokens or 0 for one in parts) == calls
    assert sum(one.usd or 0.0 for one in parts) == pytest.approx(1.0)


def test_minutes_side_by_side_count_once() -> None:
    at = [f"2026-01-01T00:0{n}:00.000Z" for n in range(10)]
    assert minutes([(at[0], at[4]), (at[2], at[5]), (at[7], at[8])]) == 6


def test_the_budget_ends_the_whole_and_more_goes_on(tmp_path: Path) -> None:
    dataset(tmp_path, *[""] * 6)
    first = batch(tmp_path, calls=8, jobs=1)
    assert (first.reason, first.exit_code, first.account.calls) == ("budget", 4, 8)
    assert "all 8 calls for all kernels are made; --calls allows more; 2 of 6 kernels" in first.message
    assert first.counts == {"goal": 2, "budget": 1, "waiting": 3}
    again = batch(tmp_path, calls=8, jobs=2)
    assert (again.exit_code, again.account.calls) == (4, 8)
    more = batch(tmp_path, calls=18, jobs=2)
    assert (more.exit_code, more.account.calls) == (0, 18)
    assert set(bought(tmp_path / "run").values()) == {1}


@pytest.mark.parametrize("hard", [0, 1])
def test_what_some_leave_is_there_for_those_that_need_more(tmp_path: Path, hard: int) -> None:
    """Ten calls for two: a share is five. The one that is done with three leaves two for the other, also afterwards."""
    dataset(tmp_path, *(["never", ""] if hard == 0 else ["", "never"]))
    kernels = [BAD, GOOD, *(stage.kernel(number) for number in range(2, 8))]
    ended = []
    result = batch(tmp_path, *kernels, rounds=6, calls=10, jobs=1, watch=lambda what: ended.append(type(what).__name__))
    easy = 1 - hard
    assert fates(result) == {f"k0{hard}": "budget", f"k0{easy}": "goal"}
    assert [result.outcomes[n].calls for n in (hard, easy)] == [7, 3]
    assert ended.count("Done") == (3 if hard == 0 else 2)
    assert set(bought(tmp_path / "run").values()) == {1}


def test_kernels_that_cost_less_than_their_share_do_not_end_one_another(tmp_path: Path) -> None:
    dataset(tmp_path, *[""] * 4)
    script = stage.script(tmp_path, [BAD, GOOD])
    table = {"kind": "scripted", "model": str(script), "price": {"input": 1.0, "output": 10.0}}
    asked = Settings(model="priced", models={"priced": table}, usd=0.3, judge=(stage.JUDGE,), rounds=3, max_tokens=4000)
    result = geak.batch(tmp_path / "specs", settings=asked, jobs=4, out=tmp_path / "run")
    assert result.exit_code == 0, result.message
    assert 0 < result.account.usd <= 0.3


def test_a_paid_model_is_not_asked_before_a_person_says_what_it_may_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    dataset(tmp_path, "")
    with pytest.raises(UsageError, match="openai:some-model is paid for by the call; say what all kernels together"):
        geak.batch(tmp_path / "specs", model="openai:some-model", judge=(stage.JUDGE,), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def _spent(usd: float, calls: int) -> Account:
    return Account(nanos=round(usd * 1e9), calls=calls)


def test_a_call_that_failed_frees_its_bound_for_the_others() -> None:
    purse = Purse(Caps(usd=1.0))
    one = Part(purse)
    one.add(Announced(0, "1.1", "generator", "m", "p", 100, 0.75))
    one.add(Failed(0, "busy", "no", charged=False))
    assert purse.left().usd == 1.0
