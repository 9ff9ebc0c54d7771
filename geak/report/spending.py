"""What the calls of a run took: by candidate, and by role and model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from geak.journal.events import Announced, Failed, Received
from geak.journal.store import Entry
from geak.models.base import Usage
from geak.words import money, plural
from geak_evaluator.schema import codec


@dataclass
class Spending:
    """What some calls took."""

    calls: int = 0
    usage: Usage = field(default_factory=Usage)
    usd: float = 0.0
    unpriced: int = 0
    """Calls whose price nobody knows."""
    lost: int = 0
    """Calls without a reply that may have to be paid for, counted at their bounds."""

    def pay(self, usd: float | None) -> None:
        """Takes note of what one call cost."""
        self.unpriced += usd is None
        self.usd += usd or 0.0

    def brief(self) -> str:
        """In a table: ">$1.00" where some of it is not known."""
        if self.unpriced and self.usd:
            return f">{money(self.usd)}"
        return money(self.usd, self.unpriced)

    def plain(self) -> Mapping[str, Any]:
        """For a program."""
        return {
            "usd": None if self.unpriced else self.usd,
            "unpriced_calls": self.unpriced,
            "calls": self.calls,
            "lost_calls": self.lost,
            "usage": codec.to_json(self.usage),
        }

    def words(self) -> str:
        """For a person."""
        usage = self.usage
        read = usage.input + usage.cached + usage.cache_written
        parts = [money(self.usd, self.unpriced), plural(self.calls, "call")]
        parts.append(f"{read:,} tokens in" + f" ({usage.cached:,} cached)" * bool(usage.cached))
        parts.append(f"{usage.output:,} out" + f" ({usage.reasoning:,} thought)" * bool(usage.reasoning))
        parts += [f"{self.lost} lost"] * bool(self.lost)
        return ", ".join(parts)


def spending(entries: Iterable[Entry]) -> tuple[dict[str, Spending], dict[tuple[str, str], Spending]]:
    """What each candidate cost, and each role's model."""
    calls: dict[int, Announced] = {}
    costs: dict[str, Spending] = defaultdict(Spending)
    totals: dict[tuple[str, str], Spending] = defaultdict(Spending)
    for event in (entry.event for entry in entries):
        if isinstance(event, Announced):
            calls[event.call] = event
        if not isinstance(event, Announced | Received | Failed):
            continue
        call = calls[event.call]
        for sum_ in (costs[call.candidate], totals[call.role, call.model]):
            if isinstance(event, Announced):
                sum_.calls += 1
            elif isinstance(event, Received):
                sum_.usage += event.usage
                sum_.pay(event.usd)
            elif event.charged:
                sum_.lost += 1
                sum_.pay(call.bound_usd)
    return dict(costs), dict(totals)
