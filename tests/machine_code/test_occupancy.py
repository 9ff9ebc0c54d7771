"""Occupancy by hand, for a few counts that lie just before and just after a step."""

from __future__ import annotations

import pytest

from geak_evaluator.machine_code import occupancy
from geak_evaluator.schema.target import find

KIB = 1024


@pytest.mark.parametrize(
    ("arch", "vgprs", "shared", "warps", "waves", "limited_by"),
    [
        ("gfx942", 64, 0, 4, 8, ("waves",)),  # 512 / 64
        ("gfx942", 65, 0, 4, 7, ("registers",)),  # 512 / 72
        ("gfx942", 128, 0, 4, 4, ("registers",)),
        ("gfx942", 129, 0, 4, 3, ("registers",)),  # 512 / 136
        ("gfx90a", 256, 0, 4, 2, ("registers",)),
        ("gfx90a", 257, 0, 4, 1, ("registers",)),  # 512 / 264
        ("gfx950", 512, 0, 4, 1, ("registers",)),
        ("gfx950", 512, 0, 8, 0, ("registers",)),  # two waves on a SIMD do not fit
        ("gfx942", 32, 64 * KIB, 4, 1, ("shared",)),  # one program in 64 KiB
        ("gfx942", 32, 32 * KIB, 4, 2, ("shared",)),
        ("gfx942", 32, 32 * KIB + 1, 4, 1, ("shared",)),  # rounded up to 512
        ("gfx950", 32, 31 * KIB, 4, 5, ("shared",)),  # 31744 becomes 32000
        ("gfx950", 32, 32 * KIB, 4, 4, ("shared",)),  # 32768 becomes 33280, and five of them are over 160 KiB
        ("gfx950", 32, 64 * KIB, 4, 2, ("shared",)),
        ("gfx942", 128, 16 * KIB, 4, 4, ("registers", "shared")),
        ("gfx942", 32, 0, 1, 8, ("waves",)),  # 32 programs of one wave need no barrier
        ("gfx942", 32, 0, 2, 8, ("waves",)),  # 16 programs have one
        ("gfx942", 32, 64 * KIB, 1, 0.25, ("shared",)),
        ("gfx942", 32, 64 * KIB, 8, 2, ("shared",)),
    ],
)
def test_amd(arch: str, vgprs: int, shared: int, warps: int, waves: float, limited_by: tuple[str, ...]) -> None:
    found = occupancy.amd(find(arch), vgprs=vgprs, sgprs=32, shared=shared, num_warps=warps)
    assert (found.warps, found.limited_by, found.limit) == (waves, limited_by, 8)


def test_scalar_registers_cost_an_amd_wave_too() -> None:
    found = occupancy.amd(find("gfx942"), vgprs=32, sgprs=108, shared=0, num_warps=4)
    assert (found.warps, found.limited_by) == (7, ("scalar_registers",))  # 800 / 112
    assert occupancy.amd(find("gfx942"), vgprs=32, sgprs=96, shared=0, num_warps=4).warps == 8


@pytest.mark.parametrize(
    ("arch", "registers", "shared", "warps", "resident", "limited_by"),
    [
        ("sm_80", 32, 0, 4, 64, ("waves",)),  # 65536 / (32 x 32)
        ("sm_80", 33, 0, 4, 48, ("registers",)),  # 40 x 32 = 1280 a warp: 12 in each quarter
        ("sm_90", 64, 0, 4, 32, ("registers",)),
        ("sm_90", 65, 0, 4, 28, ("registers",)),  # 72 x 32 = 2304 a warp: 7 in each quarter
        ("sm_90", 128, 0, 4, 16, ("registers",)),
        ("sm_90", 168, 0, 4, 12, ("registers",)),
        ("sm_90", 255, 0, 4, 8, ("registers",)),
        ("sm_90", 255, 0, 16, 0, ("registers",)),  # 8 warps fit, and a block has 16
        ("sm_80", 32, 40 * KIB, 4, 16, ("shared",)),  # 164 / 41
        ("sm_80", 32, 163 * KIB, 4, 4, ("shared",)),
        ("sm_90", 32, 113 * KIB, 4, 8, ("shared",)),  # 228 / 114
        ("sm_90", 32, 113 * KIB + 1, 4, 4, ("shared",)),
        ("sm_100", 32, 227 * KIB, 8, 8, ("shared",)),
        ("sm_90", 16, 0, 1, 32, ("programs",)),  # 32 blocks
        ("sm_90", 128, 56 * KIB, 4, 16, ("registers", "shared")),
    ],
)
def test_nvidia(arch: str, registers: int, shared: int, warps: int, resident: int, limited_by: tuple[str, ...]) -> None:
    found = occupancy.nvidia(find(arch), registers=registers, shared=shared, tensor_memory=0, num_warps=warps)
    assert (found.warps, found.limited_by, found.limit) == (resident, limited_by, 64)


def test_tensor_memory_is_shared_out_too() -> None:
    found = occupancy.nvidia(find("sm_100"), registers=64, shared=0, tensor_memory=256, num_warps=4)
    assert (found.warps, found.limited_by) == (8, ("tensor_memory",))
