"""What may be spent: a bound is a bound, and a cap is kept."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from geak.budget import Account, Bound, bound, fits, left
from geak.journal.events import Announced, Caps, Received
from geak.models.base import Call, Message, Price, Usage

PRICE = Price(input=3.0, output=15.0, cached=0.3, cache_written=3.75)


@given(st.text(), st.integers(0, 10_000), st.integers(0, 10_000))
def test_no_reply_costs_more_than_its_bound(text: str, written: int, cached: int) -> None:
    call = Call((Message("user", text),), max_tokens=10_000)
    most = bound(call, PRICE)
    read = most.tokens - call.max_tokens
    cached = min(cached, read)
    for usage in (
        Usage(input=read - cached, cached=cached, output=written),
        Usage(cache_written=read - cached, cached=cached, output=written),
    ):
        assert usage.total <= most.tokens
        assert most.usd is not None
        assert PRICE.of(usage) <= most.usd + 1e-12


def test_every_text_has_fewer_tokens_than_are_assumed() -> None:
    # Worst cases of tokenizers that are known: digits and punctuation two characters a token, other scripts a byte.
    for text, tokens in (("0.1," * 500, 1000), ("語" * 100, 300), ("x" * 4000, 500), ("", 0)):
        assert bound(Call((Message("user", text),), max_tokens=0), None).tokens >= tokens


def test_an_unknown_price_is_unknown_and_never_nothing() -> None:
    assert bound(Call((Message("user", "x"),)), None).usd is None


def test_what_is_under_way_counts_at_its_bound() -> None:
    account = Account()
    account.add(Announced(0, "1.1", "generator", "m", "p", 1000, 0.5))
    caps = Caps(usd=1.0, tokens=1500, minutes=10, calls=2)
    assert left(caps, account, 4) == Caps(0.5, 500, 6, 1)
    assert left(caps, account, 4, settled=True) == Caps(1.0, 1500, 6, 1)
    account.add(Received(0, "r", "stop", Usage(100, 50), 0.125, "m", 1.0))
    assert left(caps, account, 4) == Caps(0.875, 1350, 6, 1)


def test_a_call_fits_only_under_every_cap() -> None:
    rest, call = Caps(usd=1.0, tokens=100, minutes=1, calls=1), Bound(100, 1.0)
    assert fits(call, rest)
    assert fits(Bound(100, None), rest)  # who has no price has other caps
    assert fits(Bound(10**9, 10.0**9), Caps(None, None, None, None))
    for less in ({"usd": 0.99}, {"tokens": 99}, {"minutes": 0.0}, {"calls": 0}):
        assert not fits(call, replace(rest, **less))
