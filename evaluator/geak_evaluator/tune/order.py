"""What the compiler settled for a configuration, as figures, and the order that they suggest; no speed is meant by it.

Each figure counts by how many times it falls short of what is enough, so that a factor of two in one stands for a
factor of two in another. Whatever no figure tells apart keeps the order of the file: the present values come first.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log2

from geak_evaluator.schema.machine_code import Figures
from geak_evaluator.tune.knobs import Space, Values

_ENOUGH_OCCUPANCY, _ENOUGH_BESIDE_PRODUCTS = 0.5, 0.25
"""Of what the hardware takes; a product keeps its units busy with fewer waves, since each has more to do."""
_ENOUGH_BITS = 128.0
"""The widest access of one lane, on every target here."""
_ENOUGH_REUSE = 64.0
"""Of a tile of 128 by 128: beyond it, caches see to the rest."""
_NO_MATRIX_UNIT = 4.0
"""A product without matrix instructions is slower by about this many factors of two."""
_SCALAR_SPILLS = 0.25
"""Kept in lanes of vector registers, they cost an instruction each time."""
_WIDTH = 0.5
"""Narrow accesses of neighbouring lanes are joined by the hardware: they cost issue slots, not traffic."""
_ENOUGH_WARPS, _DISPATCH = 4.0, 0.25
"""A multiprocessor has four schedulers: of smaller programs it takes more to fill them, and each is dispatched."""


def figures(found: tuple[Figures, ...], reuse: float) -> dict[str, float]:
    """The figures of all kernels of one configuration, of each the worst."""
    told: dict[str, float] = {
        "spills": sum(spilled(one) for one in found),
        "scalar_spills": sum(one.sgpr_spills or 0 for one in found),
        "registers": max((one.vgprs if one.vgprs is not None else one.registers or 0) for one in found),
        "shared": max(one.shared_bytes for one in found),
        "warps": min(one.num_warps for one in found),
        "occupancy": min(one.occupancy for one in found),
        "full": min(one.occupancy / one.occupancy_limit for one in found),
        "matrix": sum(sum(one.counts.matrix_instructions.values()) for one in found),
        "code_bytes": sum(one.code_bytes for one in found),
    }
    loads = [width for one in found if (width := _width(one.counts.loads, one.counts.copies))]
    stores = [width for one in found if (width := _width(one.counts.stores))]
    told |= {"load_bits": min(loads)} if loads else {}
    told |= {"store_bits": min(stores)} if stores else {}
    return {name: round(value, 3) for name, value in (told | ({"reuse": reuse} if reuse else {})).items()}


def badness(told: Mapping[str, float], *, dot: bool) -> float:
    """In how many factors of two a configuration falls short, all figures together."""
    bad = 0.0
    if dot and not told["matrix"]:
        bad += _NO_MATRIX_UNIT
    enough = _ENOUGH_BESIDE_PRODUCTS if dot else _ENOUGH_OCCUPANCY
    bad += _short(told["full"], enough) + _DISPATCH * _short(told["warps"], _ENOUGH_WARPS)
    if told.get("scalar_spills"):
        bad += _SCALAR_SPILLS
    for name in ("load_bits", "store_bits"):
        bad += _WIDTH * _short(told.get(name, _ENOUGH_BITS), _ENOUGH_BITS)
    return round(bad + _short(told.get("reuse", _ENOUGH_REUSE), _ENOUGH_REUSE), 3)


def reuse(space: Space, values: Values) -> float:
    """How many multiply-adds a program does for each element that it loads: from the tiles of its products."""
    found = []
    for kernel in {knob.kernel for knob in space.knobs.values() if knob.dot}:
        own = [(n, k) for n, k in space.knobs.items() if k.kernel == kernel]
        tiles = [values[name] for name, knob in own if knob.block and knob.grid and values[name] > 0]
        if tiles:
            found.append(1 / sum(1 / tile for tile in tiles))
    return min(found, default=0.0)


def distance(space: Space, values: Values) -> float:
    """How far a configuration is from the present one, in factors of two and in things changed."""
    far = 0.0
    for name, knob in space.knobs.items():
        if values[name] != knob.value:
            far += 1 + abs(log2(max(values[name], 1) / max(knob.value, 1)))
    return far


def spilled(one: Figures) -> int:
    """Registers, or on NVIDIA bytes, that go to memory; AMD keeps scalar ones in lanes of vector registers."""
    scalar = one.sgpr_spills if one.scratch_bytes else 0
    return sum(n or 0 for n in (one.vgpr_spills, scalar, one.spill_store_bytes, one.spill_load_bytes))


def _width(*tables: Mapping[str, int]) -> float:
    """The mean width of accesses in bits, each kind for itself: a pipeline writes its copies out once a stage."""
    means = []
    for table in tables:
        bits = sum((float(name) if name.isdigit() else _ENOUGH_BITS) * count for name, count in table.items())
        means += [bits / sum(table.values())] if sum(table.values()) else []
    return sum(means) / len(means) if means else 0.0


def _short(value: float, enough: float) -> float:
    return max(0.0, log2(enough / max(value, enough / 1024)))
