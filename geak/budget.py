"""Money, tokens, calls and minutes: what may be spent, what is reserved for calls under way, and what is gone."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace

from geak.journal.events import Announced, Caps, Event, Failed, Received, Resumed
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
        elif isinstance(event, Resumed):
            self.abandon()

    def __add__(self, other: Account) -> Account:
        """Both together; what is under way is the other's."""
        return Account(
            self.nanos + other.nanos,
            self.unpriced + other.unpriced,
            self.usage + other.usage,
            self.calls + other.calls,
            self.lost + other.lost,
            self.lost_nanos + other.lost_nanos,
            self.lost_tokens + other.lost_tokens,
            dict(other.open),
        )

    def abandon(self) -> None:
        """Whoever sent what is open was ended before the reply came, and nobody waits for it any more."""
        for bound in self.open.values():
            self._lose(bound)
        self.open.clear()

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


class Turnstile:
    """Where those wait who could go on once something else has changed."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    async def wait(self) -> None:
        """Until the next change; what changes between the look and this call cannot be missed."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        await place

    def turn(self) -> None:
        """Lets all of them look again."""
        waiting, self._waiting = self._waiting, []
        for place in waiting:
            if not place.done():
                place.set_result(None)


class Purse:
    """What several runs may spend together; each of them has caps of its own besides."""

    def __init__(self, caps: Caps) -> None:
        self.caps = caps
        self.account = Account()
        self.changes = Turnstile()
        """Turned whenever a call is settled: what it leaves may do for another."""
        self.refused = ""
        """Why a call could not be paid for, once one could not: nothing more is begun then."""
        self.before = 0.0
        """Minutes of earlier sittings."""
        self._since = time.monotonic()
        self._calls = 0

    @property
    def minutes(self) -> float:
        """How long was worked on all of it."""
        return self.before + (time.monotonic() - self._since) / 60

    def left(self, *, settled: bool = False) -> Caps:
        """What remains for all of them."""
        return left(self.caps, self.account, self.minutes, settled=settled)

    def number(self) -> int:
        """The next call's, among those of all runs."""
        self._calls += 1
        return self._calls


class Part:
    """One run's part in a purse: it tells of its own calls, numbered as they are in its journal."""

    def __init__(self, purse: Purse) -> None:
        self.purse = purse
        self._numbers: dict[int, int] = {}

    def add(self, event: Event) -> None:
        """Takes note of what happened in the run."""
        if isinstance(event, Announced):
            self._numbers[event.call] = self.purse.number()
            self.purse.account.add(replace(event, call=self._numbers[event.call]))
        elif isinstance(event, Received | Failed):
            self.purse.account.add(replace(event, call=self._numbers.pop(event.call)))
        elif isinstance(event, Resumed):
            self.end()

    def end(self) -> None:
        """Nobody works on the run any more: what is under way is lost, and stays counted at its bound."""
        for number in self._numbers.values():
            self.purse.account.add(Failed(number, "lost", "the run was left before the reply came", charged=True))
        self._numbers.clear()


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


def least(one: Caps, other: Caps) -> Caps:
    """Of each cap the lower."""
    pairs = {name: (getattr(one, name), getattr(other, name)) for name in ("usd", "tokens", "minutes", "calls")}
    known = {name: [value for value in pair if value is not None] for name, pair in pairs.items()}
    return Caps(**{name: min(values, default=None) for name, values in known.items()})


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
