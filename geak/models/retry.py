"""The one policy of trying again: what, how often, after how long, and how it ends."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from geak.errors import PASSING, ModelError, Trouble

MOST = 5
"""How often a call is tried."""
LONGEST_WAIT = 120.0
"""Seconds; a provider that asks for more is not waited for."""
TOTAL = 1800.0
"""Seconds for all tries and waits together, before another wait begins."""

OnWait = Callable[[ModelError, float, int], None]
"""Told before each wait: why, how many seconds, which try it was."""


def attempts(
    on_wait: OnWait,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    chance: Callable[[], float] = random.random,
    total: float = TOTAL,
) -> AsyncRetrying:
    """Tries: `async for attempt in attempts(...): with attempt: ...`; it ends with a reply or the last ModelError."""

    def wait(state: RetryCallState) -> float:
        return _seconds(_error(state), state.attempt_number, chance())

    def before_sleep(state: RetryCallState) -> None:
        on_wait(_error(state), state.upcoming_sleep, state.attempt_number)

    def over(state: RetryCallState) -> bool:
        return bool(_why_over(state, total))

    def end(state: RetryCallState) -> None:
        error = _error(state)
        sentence = f"{error}; {_why_over(state, total)}"
        raise ModelError(sentence, error.trouble, retry_after=error.retry_after, charged=error.charged) from None

    return AsyncRetrying(
        sleep=sleep,
        retry=retry_if_exception(lambda error: isinstance(error, ModelError) and error.trouble in PASSING),
        wait=wait,
        stop=over,
        before_sleep=before_sleep,
        retry_error_callback=end,
    )


def _seconds(error: ModelError, tried: int, chance: float) -> float:
    doubled = 2.0 ** (tried - 1)
    if error.retry_after is not None:
        # Never sooner than asked; a little later, so that not all who were refused come back at once.
        return max(error.retry_after, doubled) + chance
    # A limit is by the minute: five tries of it span more than one.
    return doubled * (5 if error.trouble is Trouble.LIMIT else 1) * (1 + chance / 4)


def _why_over(state: RetryCallState, total: float) -> str:
    asked = _error(state).retry_after
    if asked is not None and asked > LONGEST_WAIT:
        return f"it asks to wait {asked:.0f} s, and no call waits longer than {LONGEST_WAIT:.0f} s"
    if state.attempt_number >= MOST:
        return f"it was tried {MOST} times"
    gone = max(state.seconds_since_start or 0.0, state.idle_for)
    if gone + state.upcoming_sleep > total:
        return f"it was tried {_times(state.attempt_number)} in {gone:.0f} s"
    return ""


def _error(state: RetryCallState) -> ModelError:
    assert state.outcome is not None
    error = state.outcome.exception()
    assert isinstance(error, ModelError)
    return error


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
