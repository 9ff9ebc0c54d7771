"""Trying again: what, after how long, and with which words it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geak.errors import PASSING, ModelError, Trouble
from geak.models.retry import LONGEST_WAIT, attempts


class Tries:
    """Calls that fail as they are told, without any waiting."""

    def __init__(self, *ends: ModelError | str, chance: float = 0.0, total: float = 600) -> None:
        self.ends = list(ends)
        self.slept: list[float] = []
        self.told: list[tuple[str, float, int]] = []
        self.how: dict[str, Any] = {"chance": lambda: chance, "total": total}

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def _on_wait(self, error: ModelError, seconds: float, tried: int) -> None:
        self.told.append((str(error), seconds, tried))

    def run(self, before: Callable[[], None] = lambda: None) -> str:
        async def all_of_them() -> str:
            said = ""
            async for attempt in attempts(self._on_wait, sleep=self._sleep, **self.how):
                with attempt:
                    before()
                    end = self.ends.pop(0)
                    if isinstance(end, ModelError):
                        raise end
                    said = end
            return said

        return asyncio.run(all_of_them())


def trouble(kind: Trouble, retry_after: float | None = None, charged: bool = False) -> ModelError:
    return ModelError("it did not work", kind, retry_after=retry_after, charged=charged)


def test_what_passes_is_tried_again_and_each_wait_is_told() -> None:
    tries = Tries(trouble(Trouble.BUSY), trouble(Trouble.CUT), "here it is")
    assert tries.run() == "here it is"
    assert tries.slept == [1.0, 2.0]
    assert tries.told == [("it did not work", 1.0, 1), ("it did not work", 2.0, 2)]


@pytest.mark.parametrize("kind", sorted(set(Trouble) - PASSING))
def test_what_does_not_pass_ends_at_once(kind: Trouble) -> None:
    tries = Tries(trouble(kind), "never")
    with pytest.raises(ModelError) as caught:
        tries.run()
    assert (str(caught.value), tries.slept, len(tries.ends)) == ("it did not work", [], 1)


@pytest.mark.parametrize("kind", sorted(PASSING))
def test_it_ends_after_five_tries_and_says_so(kind: Trouble) -> None:
    tries = Tries(*[trouble(kind, charged=True)] * 9)
    with pytest.raises(ModelError) as caught:
        tries.run()
    assert str(caught.value) == "it did not work; it was tried 5 times"
    assert (caught.value.trouble, caught.value.charged) == (kind, True)
    assert (len(tries.ends), len(tries.slept)) == (4, 4)


def test_five_tries_of_a_limit_span_more_than_a_minute() -> None:
    tries = Tries(*[trouble(Trouble.LIMIT)] * 5)
    with pytest.raises(ModelError):
        tries.run()
    assert tries.slept == [5.0, 10.0, 20.0, 40.0]


@given(asked=st.floats(0, LONGEST_WAIT), chance=st.floats(0, 1, exclude_max=True))
def test_a_wait_is_never_shorter_than_asked(asked: float, chance: float) -> None:
    tries = Tries(trouble(Trouble.LIMIT, retry_after=asked), "yes", chance=chance)
    assert tries.run() == "yes"
    assert asked <= tries.slept[0] <= max(asked, 1.0) + 1.0


def test_a_wait_that_is_too_long_is_not_waited() -> None:
    tries = Tries(trouble(Trouble.LIMIT, retry_after=3600), "never")
    with pytest.raises(ModelError, match="it asks to wait 3600 s, and no call waits longer than 120 s"):
        tries.run()
    assert tries.slept == []


def test_waiting_has_an_end_as_a_whole() -> None:
    tries = Tries(*[trouble(Trouble.LIMIT, retry_after=20)] * 5, total=30)
    with pytest.raises(ModelError, match="it was tried 2 times in 20 s"):
        tries.run()
    assert tries.slept == [20.0]


def test_what_is_no_models_trouble_goes_through() -> None:
    tries = Tries("never")

    def broken() -> None:
        raise KeyError("ours")

    with pytest.raises(KeyError):
        tries.run(broken)
    assert tries.slept == []
