"""How many calls a model is asked at a time: fewer when it says that they are too many, slowly more when not."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from geak.errors import ModelError, Trouble


class Pace:
    """A limit on calls under way that halves with each refusal and grows by one with each round that went well."""

    def __init__(self, most: int) -> None:
        self.most = max(1, most)
        self.running = 0
        self._allowed = float(self.most)
        self._cuts = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def allowed(self) -> int:
        """How many may be under way now: at least one, never more than the model's concurrency."""
        return int(self._allowed)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """A place among the calls under way, in the order of asking; how the call ends sets the pace by itself."""
        await self._enter()
        began = self._cuts
        try:
            yield
        except ModelError as error:
            # Those that were under way together are refused together; it is one refusal.
            if error.trouble is Trouble.LIMIT and began == self._cuts:
                self.on_limit()
            raise
        else:
            self.on_success()
        finally:
            self.running -= 1
            self._admit()

    def on_limit(self) -> None:
        """The model said that there were too many."""
        self._cuts += 1
        self._allowed = max(1.0, self._allowed / 2)

    def on_success(self) -> None:
        """A call went well."""
        # As many good calls as are allowed make it one more.
        self._allowed = min(float(self.most), self._allowed + 1 / self._allowed)
        self._admit()

    async def _enter(self) -> None:
        if self.running < self.allowed:  # whoever waits has been let in before
            self.running += 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.running -= 1  # it was let in and leaves at once
                self._admit()
            raise

    def _admit(self) -> None:
        while self._waiting and self.running < self.allowed:
            place = self._waiting.popleft()
            if not place.done():
                self.running += 1
                place.set_result(None)
