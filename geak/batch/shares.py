"""What each kernel may spend of what all may: an equal part of what the others left, and never too little to try."""

from __future__ import annotations

from geak.budget import Account
from geak.journal.events import Caps

_FIELDS = ("usd", "tokens", "calls")


class Shares:
    """Who was granted how much of one budget; what a kernel leaves of its share is there for the others."""

    def __init__(self, caps: Caps, smallest: Caps) -> None:
        self._caps = caps
        self._smallest = smallest
        """What one candidate may cost: with less a kernel could not even begin."""
        self._granted = dict.fromkeys(_FIELDS, 0.0)

    def spent(self, account: Account) -> None:
        """A kernel that nobody works on has cost so much."""
        for name, value in _gone(account).items():
            self._granted[name] += value

    def grant(self, so_far: Account, claimants: int) -> Caps:
        """What a kernel may spend in all, counting what it has, where so many kernels still want their part."""
        gone = _gone(so_far)
        allowed: dict[str, float | None] = {}
        for name in _FIELDS:
            cap, smallest = getattr(self._caps, name), getattr(self._smallest, name) or 0.0
            if cap is None:
                allowed[name] = None
                continue
            more = max((cap - self._granted[name]) / claimants, smallest)
            more = more if name == "usd" else int(more)
            self._granted[name] += more
            allowed[name] = gone[name] + more
        return _caps(allowed)

    def ended(self, allowed: Caps, account: Account) -> None:
        """A kernel that was granted so much has come to so much."""
        gone = _gone(account)
        for name in _FIELDS:
            if getattr(allowed, name) is not None:
                self._granted[name] += gone[name] - getattr(allowed, name)

    def claimants(self, want: int) -> int:
        """Of those that want more than their share, how many can be given enough for another candidate; 0 is none."""
        for name in _FIELDS:
            cap, smallest = getattr(self._caps, name), getattr(self._smallest, name) or 0.0
            if cap is not None:
                rest = cap - self._granted[name]
                if rest <= 0 and smallest > 0:
                    return 0
                want = min(want, max(int(rest / smallest), 1)) if smallest > 0 else want
        return want


def part(caps: Caps, number: int, of: int) -> Caps:
    """What one of several processes may spend of it; together they have what there is, to the last call."""

    def whole(cap: int | None) -> int | None:
        return None if cap is None else cap * number // of - cap * (number - 1) // of

    return Caps(None if caps.usd is None else caps.usd / of, whole(caps.tokens), caps.minutes, whole(caps.calls))


def _gone(account: Account) -> dict[str, float]:
    return {"usd": account.spent_usd, "tokens": account.spent_tokens, "calls": account.calls}


def _caps(values: dict[str, float | None]) -> Caps:
    usd, tokens, calls = (values[name] for name in _FIELDS)
    return Caps(usd, None if tokens is None else int(tokens), None, None if calls is None else int(calls))
