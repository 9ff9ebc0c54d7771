"""A launch by its inner loop: how long a unit full of its programs takes for a turn, as its machine code is written.

It tells tiles, warps and stages apart, which counts alone do not. No GPU has confirmed it (docs/estimate.md).
"""

from __future__ import annotations

import math

from geak_evaluator.estimate.devices import Device, Reached
from geak_evaluator.machine_code.cores import PARTS
from geak_evaluator.schema.estimate import Inner, Part, Work
from geak_evaluator.schema.machine_code import Figures, Loop


def inner(
    device: Device, work: Work, code: Figures | None, held: float, others: float, reached: Reached
) -> Inner | None:
    """By the loop with the most products; None where there is none, or nothing is known of it.

    `held` programs fit on a unit at once; `others` are the microseconds that the launch's memory asks for.
    """
    loops = [one for one in code.loops if one.operations] if code is not None else []
    if code is None or not loops or not work.products:
        return None
    loop = max(loops, key=lambda one: one.operations)
    turns = work.products / _per_turn(loop, work, code)
    busiest = math.ceil(work.programs / device.units)
    full, rest = divmod(busiest, max(1, int(held)))
    most = min(busiest, max(1, int(held)))
    cycles = full * _cycles(loop, most, code.num_warps)[0]
    if rest:
        cycles += _cycles(loop, rest, code.num_warps)[0]
    rounds = full + (rest > 0)
    us = turns * cycles / (1e3 * device.clock) + rounds * reached.begin
    joined = (us**reached.blend + others**reached.blend) ** (1 / reached.blend)
    one, held_by = _cycles(loop, most, code.num_warps)
    return Inner(round(joined, 4), round(turns, 2), one, loop.span, held_by)


def between(part: Part) -> float:
    """Half way, by factors, between a launch's estimate and its inner loop: an order among tiles, and no time."""
    return math.sqrt(part.us * part.inner.us) if part.inner is not None else part.us


def _per_turn(loop: Loop, work: Work, code: Figures) -> float:
    """How many of the kernel's products one turn does: no more than stand in its text."""
    calls = sum(work.dots.values()) / work.programs / work.products
    # Where a tile is smaller than what the warps do at once, some of them do the same.
    alike = max(1.0, code.num_warps * loop.area / work.tile) if work.tile else 1.0
    seen = max(1, round(loop.operations * code.num_warps / alike / calls)) if calls else 1
    return min(seen, code.products) if code.products else seen


def _cycles(loop: Loop, programs: int, warps: int) -> tuple[float, str]:
    """Of one turn of so many programs on a unit, and what it is that takes them."""
    beside = math.ceil(programs * warps / PARTS)
    times = {name: loop.busy.get(name, 0.0) * beside for name in ("issue", "vector", "matrix")}
    times |= {name: loop.busy.get(name, 0.0) * programs * warps for name in ("shared", "memory")}
    times["waits"] = loop.span
    held_by = max(times, key=lambda name: times[name])
    return times[held_by], held_by
