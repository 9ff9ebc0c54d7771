"""Sizes of a task that was watched, tried with its own kernel: which count, and what freedom there is around them."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from geak.formats.sizes import elements
from geak.formats.written import Plan, Sizes, kernel_text, launches, spec_text
from geak.journal.store import write
from geak.judges import Judges
from geak_evaluator.schema.observed import Trials, Tried
from geak_evaluator.schema.verdict import Policy, Tier

CASES = 4
"""Of one spec at the most: a test of forty sizes repeats itself."""
_TRIED = 8
"""Sizes that are drawn at random before a domain is believed."""
_DRAWS = 3
"""Of the values of a case: that a random matrix is positive definite once is luck."""


class Trying:
    """Trial specs in the task's folder, and what a judge says of their cases."""

    def __init__(self, folder: Path, judges: Judges) -> None:
        self._folder, self.judges = folder, judges

    async def some(self, plan: Plan, cases: Sequence[tuple[int, Sizes]]) -> tuple[Plan, list[tuple[int, Sizes]], str]:
        """The cases that are accepted, under a plan that was mended where that was all that it lacked."""
        whys: list[str] = []
        for attempt in _mended(plan):
            good, failed = await self._accepted(attempt, cases)
            # What an original changes is not seen where its test is too large to be carried out.
            while failed is not None and (name := failed.changed) and name not in attempt.sketch.changes:
                attempt = _changing(attempt, name)
                good, failed = await self._accepted(attempt, cases)
            if good:
                return attempt, good, ""
            whys.append(f"{failed.cause}: {failed.message}" if failed else "no case was tried")
            if failed is not None and failed.cause not in ("original", "wrong_type", "raised", "race"):
                break
        return plan, [], next((why for why in whys if why.startswith("no_kernel")), whys[0])

    async def _accepted(
        self, plan: Plan, cases: Sequence[tuple[int, Sizes]]
    ) -> tuple[list[tuple[int, Sizes]], Tried | None]:
        """The cases that are accepted, and the first fault; a reference is asked about several draws."""
        good, fault = list(cases), None
        for _ in range(_DRAWS if plan.material.torch else 1):
            tried = (await self.ask(plan, good, Tier.FULL)).cases if good else ()
            fault = fault or next((one for one in tried if one.cause), None)
            good = [case for case, one in zip(good, tried, strict=False) if not one.cause]
        return good, fault

    async def freedom(self, plan: Plan) -> dict[str, str]:
        """Sizes that the kernel is accepted at besides those that were seen, as axes."""
        loose = _loose(plan)
        if not loose:
            return {}
        number, base = _base(plan)
        steps = {"": 1, "multiple_of=16": 16}
        moved = [{**base, **{n: base[n] + step for n in loose}} for step in steps.values()]
        single = [{**base, n: base[n] + 1} for n in loose] if len(loose) > 1 else []
        tried = (await self.ask(plan, [(number, sizes) for sizes in (*moved, *single)])).cases
        for (extra, step), one in zip(steps.items(), tried, strict=False):
            if not one.cause and all(step == 1 or not any(s % step for s in _seen(plan, n)) for n in loose):
                return {n: _axis(plan, n, extra) for n in loose}
        odd = [n for n, one in zip(loose, tried[2:], strict=False) if not one.cause]
        if len(odd) > 1:
            [both] = (await self.ask(plan, [(number, {**base, **{n: base[n] + 1 for n in odd}})])).cases
            odd = odd if not both.cause else odd[:1]
        return {n: _axis(plan, n, "") for n in odd}

    async def sure(self, plan: Plan, free: dict[str, str]) -> dict[str, str]:
        """The freedom that was found, if sizes drawn from it at random are accepted as well; else what is left of it.

        An axis that may not be large while the others are small is not free: two may have been one, or ordered.
        """
        number, base = _base(plan)
        rng = random.Random(plan.name)
        others = [sizes for sizes in plan.sizes if sizes != base]
        while free:
            ends = {n: (_least(text), _top(text, base[n])) for n, text in free.items()}
            alone = [(n, {**base, n: size}) for n in free for size in ends[n] if len(free) > 1]
            drawn = [{**base, **{n: _draw(text, base[n], rng) for n, text in free.items()}} for _ in range(_TRIED)]
            drawn.append({**base, **{n: least for n, (least, _) in ends.items()}})
            asked = [(number, sizes) for sizes in (*(sizes for _, sizes in alone), *drawn)]
            # With what else is settled in another case: a size may be bound to one that is not free.
            asked += [(number, {**sizes, **{n: ends[n][0] for n in free}}) for sizes in others]
            asked += [(number, {**s, **{n: _draw(text, s[n], rng) for n, text in free.items()}}) for s in others]
            tried = (await self.ask(plan, asked)).cases
            if not any(one.cause for one in tried):
                return free
            strays = {n for (n, _), one in zip(alone, tried, strict=False) if one.cause}
            left = {n: free[n] for n in free if alone and n not in strays}
            free = left if len(left) < len(free) else {}
        return free

    async def tied(self, plan: Plan) -> bool:
        """Whether a number, or a type, of one call is refused with the sizes of another."""
        number, base = _base(plan)
        chosen = {n: v for n, v in base.items() if n not in plan.sketch.axes}
        others = [
            {**base, name: other}
            for cases in (plan.sizes, plan.sketch.cases)  # first what is accepted somewhere
            for name, value in chosen.items()
            for other in sorted({s[name] for s in cases if name in s} - {value})
        ]
        asked = [s for i, s in enumerate(others) if s not in others[:i]][: 2 * CASES]
        if not asked or any(plan.sketch.values):
            return False
        return any(one.cause for one in (await self.ask(plan, [(number, s) for s in asked])).cases)

    async def ask(self, plan: Plan, cases: Sequence[tuple[int, Sizes]], tier: Tier = Tier.GATE) -> Trials:
        """What becomes of each case; in the full tier with the configurations of an autotuned kernel."""
        tried = replace(plan, cases=tuple(i for i, _ in cases), sizes=tuple(s for _, s in cases), trial=True)
        spec = self._folder / f"{plan.name}.py"
        kernel = "" if plan.material.torch else kernel_text(tried)
        if kernel:
            path = self._folder / f"{plan.name}_original.py"
            write(path, kernel.encode("utf-8", "surrogateescape"))
        write(spec, spec_text(tried).encode("utf-8", "surrogateescape"))
        return await self.judges.tried(spec, kernel, policy=Policy.OPEN, tier=tier)


def _draw(axis: str, size: int, rng: random.Random) -> int:
    if rng.random() < 1 / 3:
        return _least(axis)  # many kernels go wrong where one size is small and another is odd
    low, _ = _bounds(axis)
    step = _step(axis)
    return rng.randint(-(-low // step), _top(axis, size) // step) * step


def _least(axis: str) -> int:
    """The smallest size that is tried."""
    low, _ = _bounds(axis)
    step = _step(axis)
    return -(-low // step) * step


def _top(axis: str, size: int) -> int:
    """The largest size that is tried."""
    low, high = _bounds(axis)
    step = _step(axis)
    return max(low, min(high, max(2 * size, 64))) // step * step


def _bounds(axis: str) -> tuple[int, int]:
    low, high = (int(n) for n in re.findall(r"\d+", axis)[:2])
    return low, high


def _step(axis: str) -> int:
    return 16 if "multiple_of" in axis else 1


def _changing(plan: Plan, name: str) -> Plan:
    return replace(plan, sketch=replace(plan.sketch, changes=(*plan.sketch.changes, name)))


def _mended(plan: Plan) -> list[Plan]:
    """The plan, and others for what it may lack."""
    sketch = plan.sketch
    both = tuple({**whole, **floats} for whole, floats in zip(sketch.values, sketch.floats, strict=True))
    exact = [replace(plan, sketch=replace(sketch, values=both))] if both != sketch.values else []
    if plan.material.torch:
        declared = replace(plan, oracle="declared")
        return [
            plan,
            declared,
            *exact,
            *(replace(one, oracle="declared") for one in exact),
            replace(declared, tensors_only=True),
        ]
    plans = [plan, *exact, *_distinct(plan)]
    return plans if launches(plan) else [one for attempt in plans for one in (attempt, _wrapped(attempt))]


def _distinct(plan: Plan) -> list[Plan]:
    """The same with numbers that a table has twice made different: what is stored twice at one place is no result."""
    tables = tuple({name: _told_apart(value) for name, value in values.items()} for values in plan.sketch.values)
    if tables == plan.sketch.values:
        return []
    about = f"{plan.about}\nNote: whole numbers that its test drew twice are different here."
    return [replace(plan, sketch=replace(plan.sketch, values=tables), about=about)]


def _told_apart(value: Any) -> Any:
    """A row of numbers of which each comes once; what is no row of whole numbers from 0 on stays as it is."""
    if not isinstance(value, list) or not all(type(n) is int and n >= 0 for n in value):
        return value
    free = iter(n for n in range(2 * len(value)) if n not in value)
    seen: set[int] = set()
    found = []
    for n in value:
        one = next(free) if n in seen else n
        seen.add(one)
        found.append(one)
    return found


def _wrapped(plan: Plan) -> Plan:
    entry = plan.entry if not plan.sketch.plain else f"{plan.entry}_entry"
    return replace(plan, tensors_only=True, entry=entry)


def _base(plan: Plan) -> tuple[int, Sizes]:
    """The case that others are tried around: with as much as a test ever passed, and small."""
    without = plan.sketch.without
    found = zip(plan.cases, plan.sizes, strict=True)
    return min(found, key=lambda one: (len(without[one[0]]), elements(plan.sketch, one[1])))


def _seen(plan: Plan, axis: str) -> list[int]:
    return [s[axis] for s in (*plan.sizes, *plan.sketch.cases) if isinstance(s.get(axis), int)]


def _axis(plan: Plan, axis: str, extra: str) -> str:
    seen = _seen(plan, axis)
    low = min(s[axis] for s in plan.sizes)
    return f"Axis({min(low, min(seen))}, {max(seen) + (0 if max(seen) > low else 64)}{', ' * bool(extra)}{extra})"


def _loose(plan: Plan) -> list[str]:
    """Axes that no literal value depends on."""
    literal = {name for values in plan.sketch.values for name in values}
    if literal:
        return []  # positions, lengths, tables: they speak of the sizes around them
    return [name for name in plan.sketch.axes if all(s[name] > 1 for s in plan.sizes)]
