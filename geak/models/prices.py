"""What a model costs: as geak.toml says, else as a kept library knows; what nobody knows is unknown, never 0."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from geak.models.base import Message, Price

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice, PriceCalculation

NOTHING = Price(0.0, 0.0, source="it costs nothing")


def price_of(
    provider: str,
    model: str,
    configured: Price | None = None,
    *,
    base_url: str = "",
    asked: Mapping[str, Any] | None = None,
) -> Price | None:
    """The price of a provider's model, or of one at an address; `asked` is what else is asked for, such as a tier.

    Where long prompts cost more, it is the price of the shorter ones: see `dearer_above`.
    """
    if configured is not None:
        return configured
    known = _known(provider, model, base_url, asked or {})
    return None if known is None else _price(known.model_price)


def dearer_above(provider: str, model: str, configured: Price | None = None, *, base_url: str = "") -> int | None:
    """How many tokens a prompt may hold before it costs more than `price_of` says; such a prompt is not sent."""
    # The price of long prompts, twice the other, would make every bound and every sum of the usual ones wrong.
    known = None if configured is not None else _known(provider, model, base_url, {})
    if known is None:
        return None
    starts = [tier.start for rate in vars(known.model_price).values() for tier in getattr(rate, "tiers", ())]
    return min(starts, default=None)


def most_tokens(messages: Iterable[Message]) -> int:
    """The most tokens that any known tokenizer makes of a prompt: one for two ASCII characters, one a byte else."""
    most = 0
    for message in messages:
        ascii_characters = len(message.text.encode("ascii", "ignore"))
        rest = len(message.text.encode("utf-8", "surrogatepass")) - ascii_characters
        most += (ascii_characters + 1) // 2 + rest + 16
    return most


def _known(provider: str, model: str, base_url: str, asked: Mapping[str, Any]) -> PriceCalculation | None:
    import genai_prices
    from genai_prices.types import TimeOfDateConstraint

    none, context = genai_prices.Usage(), {key: value for key, value in asked.items() if isinstance(value, str)}
    try:
        if base_url:
            found = genai_prices.calc_price(none, model, provider_api_url=base_url, price_context=context)
        else:
            found = genai_prices.calc_price(none, model, provider_id=provider, price_context=context)
    except LookupError:
        return None
    # A price that changes with the hour is none that a whole run can be bounded with.
    prices = found.model.prices
    by_the_hour = isinstance(prices, list) and any(isinstance(p.constraint, TimeOfDateConstraint) for p in prices)
    return None if by_the_hour else found


def _price(rates: ModelPrice) -> Price | None:
    import genai_prices

    if rates.requests_kcount is not None:
        return None  # each call costs something beside its tokens
    given, written = _base(rates.input_mtok), _base(rates.output_mtok)
    if given is None or written is None:
        return None
    # Where the cache has no price of its own, what it reads and keeps costs like everything else.
    cached, kept = _base(rates.cache_read_mtok), _base(rates.cache_write_mtok)
    return Price(
        input=given,
        output=written,
        cached=given if cached is None else cached,
        cache_written=given if kept is None else kept,
        source=f"genai-prices {genai_prices.__version__}",
    )


def _base(rate: Any) -> float | None:
    return None if rate is None else float(getattr(rate, "base", rate))
