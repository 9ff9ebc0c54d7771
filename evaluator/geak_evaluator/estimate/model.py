"""From counts and machine code to a time, by a model of what bounds a launch: a roofline with latency, and no more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from math import prod

from geak_evaluator.estimate.devices import DEVICES, Device, Reached, known_of
from geak_evaluator.estimate.inner import inner
from geak_evaluator.schema import plan
from geak_evaluator.schema.dtypes import resolve
from geak_evaluator.schema.estimate import Bound, Estimate, Part, Traffic, Work
from geak_evaluator.schema.machine_code import Figures
from geak_evaluator.schema.spec import Case
from geak_evaluator.schema.target import TARGETS

_WARPS, _THREADS = 4, 1024
"""What is assumed of a kernel whose machine code is not known: warps of a program, threads on a unit."""
_STACK = 32
"""Bytes of private memory that a sine has for arguments that are never met."""
_SPECIAL = 4
"""Slots that a special operation takes: an eighth or a quarter of the lanes have the unit for it."""


def estimate(
    target: str, case: Case, asked: plan.Plan, works: Sequence[Work], figures: Sequence[Figures], *, note: str = ""
) -> Estimate:
    """How long a plan would take on a target, of whose launches this is known."""
    parts = []
    left = iter(works)
    for step in asked.steps:
        if isinstance(step, plan.Launch):
            work = next(left, None)
            if work is None or not work.traced:
                return Estimate(
                    target, case, trouble=f"kernel {step.kernel}: {work.trouble if work else 'not counted'}"
                )
            parts.append(launch(target, work, _code(step, figures)))
        elif not isinstance(step, plan.Allocate):
            parts.append(launch(target, _moved(step), None))
    if not parts:
        return Estimate(target, case, trouble="its plan has no work")
    partial = tuple(dict.fromkeys(f"{w.kernel}: {w.trouble}" for w in works if w.trouble))
    return total(target, case, parts, "; ".join(filter(None, (note, *partial))))


def stored(asked: plan.Plan, works: Sequence[Work]) -> float:
    """The most bytes that a plan can have written: where some programs only were run, all write as much as any did."""
    left = iter(works)
    found = 0.0
    for step in asked.steps:
        if isinstance(step, plan.Launch):
            work = next(left, Work(step.kernel))
            all_run = work.traced >= work.programs
            found += work.written.unique if all_run else max(work.written.unique, work.most_written * work.programs)
        elif not isinstance(step, plan.Allocate):
            found += _moved(step).written.unique
    return found


def total(target: str, case: Case, parts: Sequence[Part], note: str = "", reached: Reached | None = None) -> Estimate:
    """All steps, one after the other."""
    reached = reached or known_of(target)[0]
    cost = DEVICES[target].launch
    starts = cost * (reached.launch + reached.follow * (len(parts) - 1))
    us = starts + sum(part.us for part in parts)
    sol = sum(part.sol for part in parts)
    least, most = known_of(target)[1]
    times: dict[Bound, float] = {"launch": starts}
    for part in parts:
        times[part.bound] = times.get(part.bound, 0.0) + part.us
    return Estimate(
        target=target,
        case=case,
        us=us,
        low=max(us * least, sol),
        high=max(us * most, sol),
        bound=max(times, key=lambda bound: times[bound]),
        sol=sol,
        parts=tuple(replace(part, times={k: round(v, 4) for k, v in part.times.items()}) for part in parts),
        note=note,
    )


def launch(target: str, work: Work, code: Figures | None, reached: Reached | None = None) -> Part:
    """One launch, without what it costs to begin it."""
    reached = reached or known_of(target)[0]
    device = DEVICES[target]
    shape = _Shape(target, device, work, code)
    peak = _bytes(work.read.unique + work.written.unique) / device.memory
    rate = sum(_rated(device, name, count) for name, count in work.dots.items())
    operations = work.vector + _SPECIAL * work.special + reached.integer * work.integer
    times: dict[Bound, float] = {
        "memory": shape.memory(reached),
        "cache": shape.cache(reached),
        "matrix": rate / reached.matrix * shape.unevenness,
        "vector": operations / (1e6 * device.vector / 2) / reached.vector * shape.unevenness,
        "latency": shape.latency(reached),
        "atomics": work.atomics / (1e3 * device.clock * device.units),
    }
    bound = max(times, key=lambda name: times[name])
    us = sum(time**reached.blend for time in times.values()) ** (1 / reached.blend)
    sol = max(peak, rate, (work.vector + work.special) / (1e6 * device.vector))
    others = max(times["memory"], times["cache"])
    looped = inner(device, work, code, shape.held, others, reached)
    return Part(work.kernel, max(us, sol), bound, sol, times, work, looped)


class _Shape:
    """How a launch's programs lie over a device's units."""

    def __init__(self, target: str, device: Device, work: Work, code: Figures | None) -> None:
        self._device, self._work = device, work
        self._programs = max(work.programs, 1)
        described = TARGETS[target]
        self._stages = code.num_stages if code is not None else 1
        if code is not None and code.occupancy:
            held = code.occupancy * (4 if described.backend == "hip" else 1) / code.num_warps
        else:
            held = _THREADS / (_WARPS * described.warp_size)
        self.held = max(1.0, held)
        """Programs that one unit holds at once."""
        threads = code.num_warps * described.warp_size if code is not None else 0
        self._spilled = _spills(code) * threads if code is not None else 0.0
        self._slots = device.units * self.held
        busiest = math.ceil(self._programs / device.units)
        self.unevenness = busiest * device.units / self._programs
        """How much longer the busiest unit works than it would if all had the same."""
        self._busy = min(1.0, self._programs / device.units)

    def _lines(self, traffic: Traffic) -> float:
        """How many times the sectors the device moves, in lines of its own size."""
        if self._device.line == 32 or not traffic.sectors:
            return 1.0
        return max(1.0, self._device.line * traffic.lines / (32 * traffic.sectors))

    def _again(self) -> float:
        """Bytes that programs read again and their unit's own cache no longer has."""
        work, device = self._work, self._device
        again = max(32 * work.read.sectors - work.read.own, 0.0)
        kept = work.read.own / self._programs * min(self.held, self._programs / device.units) <= device.near / 2
        return 0.0 if kept else again

    def memory(self, reached: Reached) -> float:
        """Bytes out of and into the memory."""
        work, device = self._work, self._device
        unique = work.read.unique * self._lines(work.read) + work.written.unique * self._lines(work.written)
        alive = work.read.own / self._programs * min(self._slots, self._programs)
        missing = max(0.0, 1 - device.cache / alive) if alive else 0.0
        aside = self._spilled * min(self._slots, self._programs)
        spilled = self._spilled * self._programs * max(0.0, 1 - device.cache / aside) if aside else 0.0
        moved = unique + spilled + self._again() * missing * reached.misses
        return _bytes(moved) / (device.memory * reached.memory)

    def cache(self, reached: Reached) -> float:
        """Bytes through the shared cache, and through the units' own."""
        work, device = self._work, self._device
        shared = work.read.own * self._lines(work.read) + work.written.own * self._lines(work.written)
        shared += self._again() + self._spilled * self._programs
        near = 32 * (work.read.sectors * self._lines(work.read) + work.written.sectors * self._lines(work.written))
        return max(
            _bytes(shared) / (device.cache_rate * reached.cache) / self._busy,
            _bytes(near) / (device.units * device.near_rate * device.clock * reached.near) * self.unevenness,
        )

    def latency(self, reached: Reached) -> float:
        """What one program waits, once for each round of programs that a unit can hold."""
        work = self._work
        # The pipeline of a loop with products loads some turns ahead.
        ahead = max(1, self._stages - 1) if work.dots else 1
        rounds = max(1.0, self._programs / self._slots)
        one = max(work.turns, work.longest / rounds) / ahead
        waits = one * self._device.latency / 1000 * reached.waits
        return rounds * (reached.begin + waits + work.steps * reached.meets)


def _spills(code: Figures) -> float:
    """Bytes that one thread moves since its registers do not hold them: stored and loaded again, at least once."""
    if code.spill_store_bytes is not None and code.spill_load_bytes is not None:
        return code.spill_store_bytes + code.spill_load_bytes
    return 2.0 * max(0, code.scratch_bytes - _STACK)


def _rated(device: Device, name: str, count: float) -> float:
    rate = device.matrix.get(name) or device.matrix["fp16"]
    return count / (1e6 * rate)


def _bytes(count: float) -> float:
    """In the unit of GB/s times microseconds."""
    return count / 1e3


def _code(step: plan.Launch, figures: Sequence[Figures]) -> Figures | None:
    """The machine code of a launch; of several specialisations, the one with its own options."""
    named = [one for one in figures if one.kernel == step.kernel]
    asked = step.options.get("num_warps")
    return next((one for one in named if asked in (None, one.num_warps)), named[0] if named else None)


def _moved(step: plan.Fill | plan.Copy | plan.Library) -> Work:
    """A step that is no launch, as what it moves: each byte once."""
    if isinstance(step, plan.Fill):
        return _moves("fill", (), (step.view,))
    if isinstance(step, plan.Copy):
        return _moves("copy", (step.source,), (step.target,))
    views = [item.view for item in (*step.arguments, *step.keywords.values()) if item.view is not None]
    work = _moves(step.operation, views, step.results)
    if step.operation.split(".")[1] in ("mm", "bmm", "addmm", "baddbmm") and views and step.results:
        inner = views[-1].shape[-2]
        work = replace(work, dots={views[-1].format: 2.0 * prod(step.results[0].shape) * inner})
    return work


def _moves(name: str, read: Sequence[plan.View], written: Sequence[plan.View]) -> Work:
    def traffic(views: Sequence[plan.View]) -> Traffic:
        count = float(sum(prod(view.shape) * resolve(view.format).bytes for view in views))
        return Traffic(count, count / 32, count / 128, count, count)

    elements = sum(prod(view.shape) for view in written)
    grid = (max(1, math.ceil(elements / 4096)), 1, 1)
    return Work(name, grid, traced=1, read=traffic(read), written=traffic(written), turns=1.0, longest=1.0)
