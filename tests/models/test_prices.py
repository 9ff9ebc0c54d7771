"""Prices: known, unknown and never 0 by accident."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geak.models.base import Message, Price, Usage
from geak.models.prices import dearer_above, most_tokens, price_of

counts = st.integers(0, 10**9)
usages = st.builds(Usage, counts, counts, counts, counts, counts)
rates = st.floats(0, 1000)
prices = st.builds(Price, rates, rates, rates, rates)


@given(prices, usages, usages)
def test_a_price_adds_up(price: Price, one: Usage, other: Usage) -> None:
    assert price.of(one + other) == pytest.approx(price.of(one) + price.of(other))
    assert price.of(one) >= 0


def test_what_is_configured_counts() -> None:
    ours = Price(1, 2, 3, 4, source="geak.toml")
    assert price_of("anthropic", "claude-opus-5", ours) is ours
    assert dearer_above("openai", "gpt-6-sol", ours) is None


def test_what_the_library_knows() -> None:
    price = price_of("anthropic", "claude-opus-5")
    assert price is not None
    assert (price.input, price.output, price.cached, price.cache_written) == (5.0, 25.0, 0.5, 6.25)
    assert price.source.startswith("genai-prices ")
    assert dearer_above("anthropic", "claude-opus-5") is None


def test_of_two_prices_the_lower_with_its_end() -> None:
    price = price_of("openai", "gpt-6-sol")
    assert price is not None
    assert (price.input, price.output) == (2.0, 10.0)
    assert dearer_above("openai", "gpt-6-sol") == 272_000


def test_where_the_cache_has_no_price_it_is_not_free() -> None:
    price = price_of("openai", "gpt-4")
    assert price is not None
    assert price.cached == price.cache_written == price.input > 0


def test_another_tier_has_another_price() -> None:
    usual, fast = (price_of("anthropic", "claude-opus-5", asked=asked) for asked in ({}, {"speed": "fast", "n": 1}))
    assert usual is not None
    assert fast is not None
    assert fast.output == 2 * usual.output


@pytest.mark.parametrize(
    ("provider", "model", "url"),
    [
        ("anthropic", "claude-of-tomorrow", ""),
        ("nobody", "claude-opus-5", ""),
        ("", "qwen", "http://gpu-box:8000/v1"),
        ("", "deepseek-chat", "https://api.deepseek.com/v1"),
        ("perplexity", "sonar", ""),
        ("openai", "text-embedding-3-large", ""),
    ],
    ids=["no such model", "no such provider", "a server of ours", "by the hour", "by the call", "writes nothing"],
)
def test_what_nobody_knows_is_unknown(provider: str, model: str, url: str) -> None:
    assert price_of(provider, model, base_url=url) is None


@given(st.text())
def test_a_prompt_has_no_more_tokens_than_bytes(text: str) -> None:
    most = most_tokens([Message("user", text)]) - 16
    assert len(text) // 2 <= most <= len(text.encode("utf-8", "surrogatepass"))
