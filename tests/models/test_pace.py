"""How many calls go at a time: never above the bounds, fewer after a refusal, in the order of asking."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geak.errors import ModelError, Trouble
from geak.models.pace import Pace

LIMIT = ModelError("slow down", Trouble.LIMIT)
BUSY = ModelError("oops", Trouble.BUSY)


@given(most=st.integers(-1, 40), news=st.lists(st.booleans(), max_size=200))
def test_it_stays_between_one_and_what_the_model_takes(most: int, news: list[bool]) -> None:
    pace = Pace(most)
    for good in news:
        pace.on_success() if good else pace.on_limit()
        assert 1 <= pace.allowed <= max(1, most)


@given(
    most=st.integers(1, 6),
    ends=st.lists(st.sampled_from(["good", "limit", "busy", "cancel"]), max_size=40),
    order=st.randoms(use_true_random=False),
)
def test_never_more_under_way_than_allowed_and_nobody_is_forgotten(most: int, ends: list[str], order: object) -> None:
    asyncio.run(_crowd(most, ends, order))


async def _crowd(most: int, ends: list[str], order: object) -> None:
    pace = Pace(most)
    under_way: list[asyncio.Event] = []
    peak = 0

    async def call(end: str) -> None:
        nonlocal peak
        async with pace.slot():
            assert pace.running <= most
            peak = max(peak, pace.running)
            done = asyncio.Event()
            under_way.append(done)
            await done.wait()
            if end != "good":
                raise {"limit": LIMIT, "busy": BUSY, "cancel": asyncio.CancelledError()}[end]

    tasks = [asyncio.create_task(call(end)) for end in ends]
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0)
        if under_way:
            under_way.pop(order.randrange(len(under_way))).set()  # type: ignore[attr-defined]
        elif pace.running == 0 and not all(task.done() for task in tasks):
            await asyncio.sleep(0)
            assert pace.running or under_way or all(task.done() for task in tasks), "somebody waits for ever"
    await asyncio.gather(*tasks, return_exceptions=True)
    assert pace.running == 0
    assert peak <= most


def test_a_refusal_halves_and_good_calls_bring_it_back_slowly() -> None:
    pace = Pace(8)
    pace.on_limit()
    assert pace.allowed == 4
    for _ in range(3):
        pace.on_success()
    assert pace.allowed == 4
    for _ in range(2):
        pace.on_success()
    assert pace.allowed == 5
    for _ in range(100):
        pace.on_success()
    assert pace.allowed == 8


def test_those_who_are_refused_together_are_one_refusal() -> None:
    async def storm() -> int:
        pace = Pace(8)
        together = asyncio.Barrier(8)

        async def call() -> None:
            async with pace.slot():
                await together.wait()
                raise LIMIT

        await asyncio.gather(*(call() for _ in range(8)), return_exceptions=True)
        return pace.allowed

    assert asyncio.run(storm()) == 4


def test_other_trouble_is_no_matter_of_pace() -> None:
    async def once() -> int:
        pace = Pace(8)
        with pytest.raises(ModelError):
            async with pace.slot():
                raise BUSY
        return pace.allowed

    assert asyncio.run(once()) == 8


def test_who_asks_first_goes_first() -> None:
    async def queue() -> list[int]:
        pace, seen = Pace(1), []

        async def call(number: int) -> None:
            async with pace.slot():
                seen.append(number)
                await asyncio.sleep(0)

        await asyncio.gather(*(call(number) for number in range(10)))
        return seen

    assert asyncio.run(queue()) == list(range(10))


def test_a_place_that_was_given_to_one_who_left_goes_on() -> None:
    async def leave() -> int:
        pace = Pace(1)
        release = asyncio.Event()

        async def holder() -> None:
            async with pace.slot():
                await release.wait()
            leaver.cancel()  # who has been let in, and does not know it yet

        async def other() -> int:
            async with pace.slot():
                return pace.running

        first = asyncio.create_task(holder())
        await asyncio.sleep(0)
        leaver, last = asyncio.create_task(other()), asyncio.create_task(other())
        await asyncio.sleep(0)
        release.set()
        await first
        return await asyncio.wait_for(last, 5)

    assert asyncio.run(leave()) == 1
