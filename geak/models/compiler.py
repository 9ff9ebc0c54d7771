"""`compiler:inductor`: a model that is no language model. It answers with what a compiler emits for the reference."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from geak.errors import JudgeDied, ModelError, Trouble
from geak.models.base import INDUCTOR, Call, Price, Reply
from geak_evaluator.schema.seed import Seeds

Emit = Callable[[], Awaitable[Seeds]]
"""Has a compiler write its kernels for one spec; it happens in a judge's sandbox, never here."""


class Compiler:
    """First kernels for one spec, the n-th for lineage n; a language model is not needed, nor a key."""

    paid = False
    concurrency = 64

    def __init__(self, name: str = INDUCTOR, emit: Emit | None = None) -> None:
        self.name = name
        self.price: Price | None = Price(0.0, 0.0, source="free")
        self.note = f"{name} writes what torch.compile emits, and asks no language model"
        self._emit = emit
        self._seeds: Seeds | None = None
        self._once = asyncio.Lock()

    def at(self, emit: Emit) -> Compiler:
        """The same for a spec."""
        return Compiler(self.name, emit)

    async def ask(self, call: Call) -> Reply:
        """A kernel as a language model would answer with it, or why there is none."""
        seeds = await self._emitted()
        number = call.lineage - 1 + call.turn
        if number < len(seeds.seeds):
            seed = seeds.seeds[number]
            return Reply(f"{seed.about}\n\n```python\n{seed.source}\n```\n", model=seed.name)
        why = "it has no further variant" if seeds.seeds else seeds.trouble or "the compiler gave no reason"
        return Reply(why, "refusal", model=self.name)

    async def close(self) -> None:
        """Nothing is held."""

    async def _emitted(self) -> Seeds:
        if self._emit is None:
            raise ModelError(f"{self.name} needs a spec to compile: geak generate SPEC", Trouble.REQUEST)
        async with self._once:
            if self._seeds is None:
                try:
                    self._seeds = await self._emit()
                except JudgeDied as error:
                    self._seeds = Seeds(trouble=str(error))
        return self._seeds
