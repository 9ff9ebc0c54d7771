"""What a launch's metrics mean: where it lies under the roofline, and a short list of what holds it back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from geak_evaluator.estimate.devices import DEVICES, Device
from geak_evaluator.measure.floor import bandwidth
from geak_evaluator.schema.estimate import Work
from geak_evaluator.schema.profile import METRICS, Bottleneck, Counters, Roofline

MOST = 4
"""Bottlenecks that are told of a launch."""
_NEAR = 0.6
"""The share of a roof from which on the roof itself is what holds a launch back."""
_LAUNCH_US = 5.0


def roofline(known: Counters, target: str, work: Work | None, product: str = "") -> Roofline | None:
    """Where a launch lies under this product's roofs; None without its duration, its counts or its data sheet."""
    duration, device = known.value("duration"), DEVICES.get(target)
    if not duration or device is None or work is None or not work.traced:
        return None
    moved = [known.value(name) for name in ("dram_read", "dram_written")]
    # Behind an Infinity Cache, what the L2 caches fetch is more than what the memory moves.
    counted = any(value is None for value in moved)
    bytes = work.read.unique + work.written.unique if counted else sum(value or 0.0 for value in moved)
    operations = sum(work.dots.values()) + work.vector + work.special
    of_memory = bytes / 1e3 / bandwidth(target, product) / duration
    of_compute = _least(device, work) / duration
    bound: Literal["memory", "compute"] = "compute" if of_compute > of_memory else "memory"
    return Roofline(operations, bytes, counted, of_memory, of_compute, bound)


def _least(device: Device, work: Work) -> float:
    """Microseconds at the data sheet's rates."""
    products = sum(count / (1e6 * device.matrix.get(name, device.matrix["fp16"])) for name, count in work.dots.items())
    return max(products, (work.vector + work.special) / (1e6 * device.vector))


@dataclass(frozen=True)
class _Rule:
    metric: str
    holds: Callable[[float], bool]
    weight: Callable[[float], float]
    """How much it matters, from 0 to 1: what is told first."""
    what: str
    roofs: bool = True
    """Whether it matters although a roof is near."""


_RULES = (
    _Rule("scratch_bytes", lambda v: v > 0, lambda v: 0.85, "registers are spilled to memory"),
    _Rule("spill_bytes", lambda v: v > 0, lambda v: 0.85, "registers are spilled to memory"),
    _Rule("coalescing", lambda v: v < 50, lambda v: 1 - v / 100, "loads touch more lines than they use"),
    _Rule("lds_conflicts", lambda v: v > 0.5, lambda v: min(1.0, v / 4), "lanes meet in the same banks of LDS"),
    _Rule("lanes", lambda v: v < 50, lambda v: 1 - v / 100, "many lanes are switched off"),
    _Rule(
        "occupancy", lambda v: v < 20, lambda v: 0.7 - v / 50, "few waves are there to hide what others wait for", False
    ),
    _Rule("stall_memory", lambda v: v > 40, lambda v: v / 100, "warps wait for global memory", False),
    _Rule("stall_wait", lambda v: v > 40, lambda v: v / 100, "waves wait for memory, LDS or a barrier", False),
    _Rule("stall_lds", lambda v: v > 25, lambda v: v / 100, "waves wait for LDS"),
    _Rule("stall_barrier", lambda v: v > 25, lambda v: v / 100, "warps wait for each other at barriers"),
    _Rule("stall_math", lambda v: v > 40, lambda v: v / 100, "warps wait for a unit that computes"),
    _Rule("stall_queue", lambda v: v > 25, lambda v: v / 100, "more loads and stores are asked for than are taken"),
    _Rule("stall_issue", lambda v: v > 50, lambda v: v / 200, "waves are ready and not issued"),
)


def bottlenecks(known: Counters, target: str, work: Work | None) -> tuple[Bottleneck, ...]:
    """What holds a launch back, the heaviest first, each with the metric that shows it."""
    found = sorted(_weighed(known, target, work), key=lambda pair: -pair[0])
    return tuple(bottleneck for _, bottleneck in found[:MOST])


def _weighed(known: Counters, target: str, work: Work | None) -> Iterator[tuple[float, Bottleneck]]:
    roof, duration = known.roofline, known.value("duration")
    near = roof is not None and roof.reached >= _NEAR
    if roof is not None and near:
        what = "the memory's bandwidth" if roof.bound == "memory" else "the rate of its arithmetic"
        yield 1.0, Bottleneck(f"{what}: it is near the roof", f"of_{roof.bound}", 100 * roof.reached, "% of peak")
    if duration is not None and duration < _LAUNCH_US:
        yield 0.95, Bottleneck("it is so short that launching it counts", "duration", duration, "us")
    busy, device = known.value("matrix_busy"), DEVICES.get(target)
    if (
        busy is not None
        and busy < 30
        and roof is not None
        and roof.bound == "compute"
        and work is not None
        and work.dots
    ):
        yield 0.8, Bottleneck("the matrix units idle", "matrix_busy", busy, "%")
    if work is not None and device is not None and 0 < work.programs < device.units:
        yield 0.9, Bottleneck(f"fewer programs than the {device.units} units", "programs", work.programs, "programs")
    for rule in _RULES:
        value = known.value(rule.metric)
        if value is not None and rule.holds(value) and (rule.roofs or not near):
            yield rule.weight(value), Bottleneck(rule.what, rule.metric, value, METRICS[rule.metric].unit)
