"""A bounded search over configurations: all of them where they are few, else one number at a time, from many starts."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from math import prod

from geak_evaluator.tune.knobs import Values

Key = tuple[float, ...]
"""The smaller the better."""
_RESTARTS = 20
_BATCH = 4
"""So few at a time that time can run out between them."""


class Search:
    """Coordinate descent with restarts; the same seed tries the same configurations."""

    def __init__(
        self,
        choices: Mapping[str, Sequence[int]],
        *,
        evaluate: Callable[[Sequence[Values]], Sequence[Key]],
        admits: Callable[[Values], bool],
        over: Callable[[], bool],
        limit: int,
        seed: int = 0,
    ) -> None:
        self._choices = {name: tuple(values) for name, values in choices.items()}
        self._evaluate, self._admits, self._over, self._limit = evaluate, admits, over, limit
        self._random = random.Random(seed)
        self.tried: dict[tuple[int, ...], Key] = {}

    def run(self, starts: Sequence[Values]) -> None:
        """Tries as many as it may, those to begin from first."""
        self._try(starts)
        if prod(map(len, self._choices.values())) <= self._limit:
            every = [dict(zip(self._choices, values, strict=True)) for values in product(*self._choices.values())]
            # Those beside the first start come first, should time run out.
            self._try(sorted(every, key=lambda one: sum(one[name] != starts[0][name] for name in one)))
            return
        for start in sorted(starts, key=lambda one: self._key(one) or (2.0,)):
            self._descend(start)
        for _ in range(_RESTARTS):
            self._descend({name: self._random.choice(values) for name, values in self._choices.items()})

    def _descend(self, start: Values) -> None:
        self._try([start])
        best, better = start, True
        while better and self._key(best) is not None and not self._done():
            better = False
            names = list(self._choices)
            self._random.shuffle(names)
            for name in names:
                beside = [{**best, name: value} for value in self._choices[name]]
                self._try(beside)
                for one in beside:
                    key, least = self._key(one), self._key(best)
                    if key is not None and least is not None and key < least:
                        best, better = one, True

    def _try(self, found: Sequence[Values]) -> None:
        new: dict[tuple[int, ...], Values] = {}
        for one in found:
            place = tuple(one[name] for name in self._choices)
            first = not self.tried and not new  # as the file has it, whatever that is
            if place not in self.tried and (first or self._admits(one)):
                new.setdefault(place, one)
        waiting = list(new.items())
        while waiting and not self._done():
            batch = waiting[: min(_BATCH, self._limit - len(self.tried))]
            del waiting[: len(batch)]
            keys = self._evaluate([values for _, values in batch])
            self.tried |= {place: key for (place, _), key in zip(batch, keys, strict=True)}

    def _key(self, values: Values) -> Key | None:
        return self.tried.get(tuple(values[name] for name in self._choices))

    def _done(self) -> bool:
        return len(self.tried) >= self._limit or bool(self.tried and self._over())
