"""What physics allows: a plan's speed of light on a device, and a floor that no honest time is under."""

from __future__ import annotations

import re

from geak_evaluator.estimate.devices import DEVICES
from geak_evaluator.schema.estimate import Estimate, Part

_BANDWIDTH = {
    "h200": 4800.0,
    "gh200 144g": 4900.0,
    "gh200": 4000.0,
    "h100 pcie": 2039.0,
    "h100 nvl": 3938.0,
    "a100-sxm4-40gb": 1555.0,
    "a100-pcie-40gb": 1555.0,
    "a100 80gb pcie": 1935.0,
    "mi325x": 6000.0,
}
"""GB/s by product, where it is not its target's in `estimate/devices.py`: of the makers' data sheets."""
_FASTEST = {"sm_80": 2039.0, "sm_90": 4900.0, "sm_100": 8000.0, "gfx90a": 1638.0, "gfx942": 6000.0, "gfx950": 8000.0}
"""Of any product with that architecture."""
_MARGIN = 0.8
"""A boosted clock is above the data sheet's by less than this leaves."""


def speed_of_light(estimate: Estimate, product: str) -> float:
    """Microseconds that the counted bytes and operations take at this product's peaks; 0 where nothing was counted."""
    device = DEVICES.get(estimate.target)
    if device is None or estimate.trouble:
        return 0.0
    rate = bandwidth(estimate.target, product)
    return sum(max(_bytes(part) / rate, _compute(part, device.memory)) for part in estimate.parts)


def floor(estimate: Estimate) -> float:
    """Microseconds under which a time is refused: what must be read from memory, or computed, at any product's peak.

    Writes are left out, as far as the last cache holds them: they may reach the memory after the clock has stopped.
    """
    device = DEVICES.get(estimate.target)
    if device is None or estimate.trouble:
        return 0.0
    rate = _FASTEST.get(estimate.target, device.memory)
    total, held = 0.0, float(device.cache)
    written_before: float = 0.0
    for part in estimate.parts:
        read = part.work.read.unique if part.work else 0.0
        written = part.work.written.unique if part.work else 0.0
        # What an earlier launch wrote may still be in the cache when a later one reads it.
        fresh = max(0.0, read - min(written_before, held))
        spills = max(0.0, written - held)
        total += max((fresh + spills) / 1e3 / rate, _compute(part, device.memory))
        written_before += read + written
    return _MARGIN * total


def bandwidth(target: str, product: str) -> float:
    """GB/s of a product's memory."""
    found = next((rate for name, rate in _BANDWIDTH.items() if re.search(rf"\b{name}", product.lower())), None)
    return found or DEVICES[target].memory


def _bytes(part: Part) -> float:
    return (part.work.read.unique + part.work.written.unique) / 1e3 if part.work else 0.0


def _compute(part: Part, memory: float) -> float:
    """The share of a part's speed of light that is no traffic: all of it, unless the traffic alone makes it."""
    moved = _bytes(part) / memory
    return part.sol if part.sol > moved * 1.000001 else 0.0
