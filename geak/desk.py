"""The one place that talks to a model: announced and reserved before it is sent, on disk before it is used."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from geak.budget import Bound, Part, Turnstile, bound, fits, least, left
from geak.errors import BudgetSpent, ModelError
from geak.hiding import without
from geak.journal.events import Announced, Caps, Failed, Received
from geak.models.base import Call, Message, Model, Price, Reply, Role, prompt_text
from geak.models.pace import Pace
from geak.models.retry import attempts
from geak.record import Record, Waiting

SHORTEST = 2_000
"""Tokens of an answer, below which a call is not worth its money."""


class Desk:
    """Buys answers for one run, none twice."""

    def __init__(
        self,
        record: Record,
        models: Mapping[Role, Model],
        paces: Mapping[str, Pace],
        secrets: Iterable[str] = (),
        *,
        proceed: Callable[[], None] = lambda: None,
        part: Part | None = None,
    ) -> None:
        self._record = record
        self._models = models
        self._paces = paces
        self._secrets = tuple(secrets)
        """What is taken out of an answer before it is kept or read: a model may repeat what it was sent with."""
        self._proceed = proceed
        """Raises where nothing more may be begun."""
        self._part = part
        """In the budget that the run shares with others, if it does."""
        self._changes = part.purse.changes if part is not None else Turnstile()
        self._asked: dict[tuple[str, Role], int] = defaultdict(int)
        self._bought: dict[tuple[str, Role], list[Received]] = defaultdict(list)
        self._by_call: dict[int, Announced] = {}
        for event in record.events:
            self._note(event)

    async def ask(self, candidate: str, role: Role, messages: tuple[Message, ...]) -> Reply:
        """The answer to a candidate's next question in a role: the one on disk, or else one that is bought now."""
        place = (candidate, role)
        number = self._asked[place]
        self._asked[place] += 1
        if number < len(self._bought[place]):
            had = self._bought[place][number]
            return Reply(self._record.text(had.reply), had.finish, had.usage, had.model)
        model, pace = self._models[role], self._paces[self._models[role].name]
        asked = self._record.population.conditions.models[role]
        call = Call(
            messages,
            role,
            _lineage(candidate),
            self._turn(candidate, role),
            asked.max_tokens,
            asked.temperature,
            asked.effort,
        )

        def waits(error: ModelError, seconds: float, attempt: int) -> None:
            self._record.tell(Waiting(model.name, str(error), seconds, attempt))

        async for attempt in attempts(waits):
            with attempt:
                async with pace.slot():
                    return await self._buy(candidate, call, model, asked.price)
        raise AssertionError("the policy ends with an answer or an error")

    async def _buy(self, candidate: str, call: Call, model: Model, price: Price | None) -> Reply:
        self._proceed()
        prompt = self._record.keep(prompt_text(call.messages))
        call, most = await self._afford(call, price)
        number = len(self._by_call)
        announced = Announced(number, candidate, call.role, model.name, prompt, most.tokens, most.usd)
        self._add(announced)
        started = 0.0
        try:
            await self._record.durable()
            started = time.monotonic()
            reply = await model.ask(call)
        except ModelError as error:
            error.args = (without(str(error), self._secrets),)
            self._add(Failed(number, error.trouble.value, str(error), error.charged))
            raise
        except asyncio.CancelledError:
            # Once it was sent it may have to be paid for, though whoever waited for it has left.
            self._add(Failed(number, "cancelled", "the run was left before the reply came", charged=started > 0))
            raise
        reply = replace(reply, text=without(reply.text, self._secrets), model=without(reply.model, self._secrets))
        usd = None if price is None else price.of(reply.usage)
        kept = self._record.keep(reply.text)
        seconds = round(time.monotonic() - started, 3)
        self._add(Received(number, kept, reply.finish, reply.usage, usd, reply.model, seconds))
        await self._record.durable()
        return reply

    def left(self, *, settled: bool = False) -> Caps:
        """What the run may still spend: of its own caps, and of what it shares."""
        population = self._record.population
        own = left(population.caps, population.account, self._record.minutes, settled=settled)
        return own if self._part is None else least(own, self._part.purse.left(settled=settled))

    async def _afford(self, call: Call, price: Price | None) -> tuple[Call, Bound]:
        """Waits until the call can be paid for at its bound; where it never will be, shortens it or gives up."""
        while True:
            most = bound(call, price)
            if fits(most, self.left()):
                return call, most
            # It may once what is under way is settled, here or in a run beside this one.
            if fits(most, self.left(settled=True)):
                await self._changes.wait()
                self._proceed()
                continue
            shorter = self._shortened(call, price)
            if shorter is None:
                raise BudgetSpent(self._spent(most))
            call = shorter

    def _shortened(self, call: Call, price: Price | None) -> Call | None:
        rest = self.left()
        without = bound(replace(call, max_tokens=0), price)
        room = [call.max_tokens - 1]
        if rest.tokens is not None:
            room.append(rest.tokens - without.tokens)
        if rest.usd is not None and price is not None and without.usd is not None and price.output > 0:
            room.append(int((rest.usd - without.usd) / price.output * 1e6))
        shorter = replace(call, max_tokens=min(room))
        if shorter.max_tokens < SHORTEST or not fits(bound(shorter, price), rest):
            return None
        return shorter

    def _spent(self, most: Bound) -> str:
        population = self._record.population
        own = left(population.caps, population.account, self._record.minutes)
        if self._part is None or not fits(most, own):
            return spent(most, population.caps, own)
        purse = self._part.purse
        purse.refused = spent(most, purse.caps, purse.left(), " for all kernels")
        return purse.refused

    def _add(self, event: Announced | Received | Failed) -> None:
        self._record.add(event)
        self._note(event)
        if self._part is not None:
            self._part.add(event)
        if not isinstance(event, Announced):
            self._changes.turn()

    def _note(self, event: object) -> None:
        if isinstance(event, Announced):
            self._by_call[event.call] = event
        elif isinstance(event, Received):
            announced = self._by_call[event.call]
            self._bought[announced.candidate, announced.role].append(event)

    def _turn(self, candidate: str, role: Role) -> int:
        lineage = _lineage(candidate)
        return sum(len(v) for (name, who), v in self._bought.items() if who == role and _lineage(name) == lineage)


def spent(most: Bound, caps: Caps, rest: Caps, whose: str = "") -> str:
    """Why a call cannot be paid for, and what to say to allow it."""
    if rest.calls is not None and rest.calls < 1:
        made = f"all {caps.calls} calls{whose} are made" if caps.calls else f"no call{whose} is left"
        return f"{made}; --calls allows more"
    if rest.minutes is not None and rest.minutes <= 0:
        return f"the {caps.minutes:g} minutes{whose} are over; --minutes allows more"
    if rest.tokens is not None and most.tokens > rest.tokens:
        few = max(rest.tokens, 0)
        return f"{few} of {caps.tokens} tokens{whose} are left, too few for another call; --tokens allows more"
    left_usd = max(rest.usd or 0.0, 0.0)
    return f"${left_usd:.2f} of ${caps.usd:.2f}{whose} is left, too little for another call; --usd allows more"


def _lineage(candidate: str) -> int:
    return int(candidate.partition(".")[0])
