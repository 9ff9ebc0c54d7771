"""Money, tokens, calls and minutes: what may be spent, what is reserved for calls under way, and what is gone."""

from __future__ import annotations

from dataclasses import dataclass, field

from geak.journal.events import Announced, Caps, Event, Failed, Received
from geak.models.base import Call, Price, Usage
from geak.models.prices import most_tokens


@dataclass
class Account:
    """A fold over the events of calls: a call counts at its bound from its announcement until it is settled."""

    nanos: int = 0
    """Settled, in billionths of a dollar: sums that come out the same in every order."""
    unpriced: int = 0
    """Settled calls whose price nobody knows."""
    usage: Usage = field(default_factory=Usage)
    calls: int = 0
    lost: int = 0
    """Calls without a reply that may have to be paid for: their bounds stay spent."""
    lost_nanos: int = 0
    lost_tokens: int = 0
    open: dict[int, Announced] = field(default_factory=dict)
    """Announced and not settled."""

    def add(self, event: Event) -> None:
        """Takes note of an event."""
        if isinstance(event, Announced):
            self.calls += 1
            self.open[event.call] = event
        elif isinstance(event, Received):
            self.open.pop(event.call)
            self.usage += event.usage
            self.unpriced += event.usd is None
            self.nanos += _nanos(event.usd)
        elif isinstance(event, Failed):
            bound = self.open.pop(event.call)
            if event.charged:
                self._lose(bound)

    @property
    def usd(self) -> float:
        """Dollars that are gone: what was settled, and the bounds of what was lost."""
        return (self.nanos + self.lost_nanos) / 1e9

    @property
    def lost_usd(self) -> float:
        """Dollars that calls without a reply may have cost."""
        return self.lost_nanos / 1e9

    @property
    def spent_usd(self) -> float:
        """Dollars, with the bounds of what is under way."""
        return self.usd + sum(a.bound_usd or 0.0 for a in self.open.values())

    @property
    def spent_tokens(self) -> int:
        """Tokens, with the bounds of what is under way or was lost."""
        return self.usage.total + self.lost_tokens + sum(a.bound_tokens for a in self.open.values())

    def _lose(self, bound: Announced) -> None:
        self.lost += 1
        self.lost_nanos += _nanos(bound.bound_usd)
        self.lost_tokens += bound.bound_tokens


@dataclass(frozen=True)
class Bound:
    """What a call may cost at the most."""

    tokens: int
    usd: float | None


def bound(call: Call, price: Price | None) -> Bound:
    """The most that a call can cost: no tokenizer makes more of a text than this."""
    asked = most_tokens(call.messages)
    usage = Usage(cache_written=asked, output=call.max_tokens)
    dear = price and Price(price.input, price.output, cache_written=max(price.input, price.cache_written))
    return Bound(usage.total, None if dear is None else dear.of(usage))


def left(caps: Caps, account: Account, minutes: float, *, settled: bool = False) -> Caps:
    """What remains of each cap; with `settled`, as if calls under way cost nothing."""
    usd, tokens = account.spent_usd, account.spent_tokens
    if settled:
        usd = account.usd
        tokens = account.usage.total + account.lost_tokens
    return Caps(
        usd=None if caps.usd is None else caps.usd - usd,
        tokens=None if caps.tokens is None else caps.tokens - tokens,
        minutes=None if caps.minutes is None else caps.minutes - minutes,
        calls=None if caps.calls is None else caps.calls - account.calls,
    )


def fits(call: Bound, rest: Caps) -> bool:
    """Whether a call can be paid for at its bound."""
    return (
        (rest.usd is None or call.usd is None or call.usd <= rest.usd)
        and (rest.tokens is None or call.tokens <= rest.tokens)
        and (rest.minutes is None or rest.minutes > 0)
        and (rest.calls is None or rest.calls >= 1)
    )


def _nanos(usd: float | None) -> int:
    return round((usd or 0.0) * 1e9)
