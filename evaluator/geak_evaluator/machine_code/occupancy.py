"""How many warps a multiprocessor can hold at once, from the architecture's limits; nothing here was measured."""

from __future__ import annotations

from dataclasses import dataclass

from geak_evaluator.schema.machine_code import Limit
from geak_evaluator.schema.target import Target

KIB = 1024


@dataclass(frozen=True)
class Occupancy:
    """How full one multiprocessor can become with programs of one kernel."""

    warps: float
    """Waves for each SIMD of a compute unit (AMD), warps for an SM (NVIDIA)."""
    limit: int
    """The most that the hardware takes."""
    programs: int
    """Whole programs on one multiprocessor at once; 0 where not even one fits."""
    limited_by: tuple[Limit, ...]


@dataclass(frozen=True)
class _ComputeUnit:
    shared: int
    shared_unit: int


# LDS of a compute unit: "AMD Instinct MI200" and "MI300" CDNA2/CDNA3 ISA guides (64 KiB, allocated in blocks of 128
# dwords), "AMD CDNA 4 Instruction Set Architecture" (160 KiB, in blocks of 320 dwords).
_COMPUTE_UNITS = {
    "gfx90a": _ComputeUnit(64 * KIB, 512),
    "gfx942": _ComputeUnit(64 * KIB, 512),
    "gfx950": _ComputeUnit(160 * KIB, 1280),
}
# "User Guide for AMDGPU Backend" (LLVM) and the CDNA2/3/4 ISA guides, which agree for all three: four SIMDs, eight
# waves on each; 512 vector registers a lane, ordinary and accumulation ones from one file, in blocks of 8; 800 scalar
# registers a SIMD, in blocks of 16; barriers for 16 work-groups of more than one wave.
_SIMDS, _WAVES = 4, 8
_VGPRS, _VGPR_UNIT = 512, 8
_SGPRS, _SGPR_UNIT = 800, 16
_BARRIERS = 16


@dataclass(frozen=True)
class _Multiprocessor:
    shared: int
    tensor_memory: int = 0


# "CUDA C++ Programming Guide", technical specifications per compute capability: shared memory of an SM; "Parallel
# Thread Execution ISA", tensor memory: 512 columns on sm_100.
_MULTIPROCESSORS = {
    "sm_80": _Multiprocessor(164 * KIB),
    "sm_90": _Multiprocessor(228 * KIB),
    "sm_100": _Multiprocessor(228 * KIB, tensor_memory=512),
}
# The same table, equal for 8.0, 9.0 and 10.0: 64 warps, 32 blocks and 64 Ki registers an SM.
_WARPS, _BLOCKS, _REGISTERS = 64, 32, 65536
# "Nsight Compute", occupancy calculator: registers are given to whole warps in units of 256, from four partitions of
# the file; shared memory in units of 128 bytes. "NVIDIA Ampere/Hopper/Blackwell Tuning Guide": the system keeps 1 KiB
# of shared memory a block for itself.
_REGISTER_UNIT, _PARTITIONS, _SHARED_UNIT, _SYSTEM_SHARED = 256, 4, 128, 1 * KIB


def amd(target: Target, *, vgprs: int, sgprs: int, shared: int, num_warps: int) -> Occupancy:
    """Of a kernel on an AMD compute unit."""
    unit = _COMPUTE_UNITS[target.arch]
    by_vgprs = _VGPRS // _round_up(max(vgprs, 1), _VGPR_UNIT) * _SIMDS
    by_sgprs = _SGPRS // _round_up(max(sgprs, 1), _SGPR_UNIT) * _SIMDS
    programs: dict[Limit, int] = {
        "waves": _WAVES * _SIMDS // num_warps,
        "programs": _WAVES * _SIMDS if num_warps == 1 else _BARRIERS,
        "registers": by_vgprs // num_warps,
        "scalar_registers": by_sgprs // num_warps,
    }
    if shared:
        programs["shared"] = unit.shared // _round_up(shared, unit.shared_unit)
    return _tightest(programs, num_warps, _SIMDS, _WAVES)


def nvidia(target: Target, *, registers: int, shared: int, tensor_memory: int, num_warps: int) -> Occupancy:
    """Of a kernel on an NVIDIA streaming multiprocessor."""
    unit = _MULTIPROCESSORS[target.arch]
    of_a_warp = _round_up(max(registers, 1) * target.warp_size, _REGISTER_UNIT)
    programs: dict[Limit, int] = {
        "waves": _WARPS // num_warps,
        "programs": _BLOCKS,
        "registers": _REGISTERS // _PARTITIONS // of_a_warp * _PARTITIONS // num_warps,
        "shared": unit.shared // _round_up(shared + _SYSTEM_SHARED, _SHARED_UNIT),
    }
    if tensor_memory:
        programs["tensor_memory"] = unit.tensor_memory // tensor_memory
    return _tightest(programs, num_warps, 1, _WARPS)


def _tightest(programs: dict[Limit, int], num_warps: int, parts: int, limit: int) -> Occupancy:
    fewest = min(programs.values())
    limited_by = tuple(name for name, most in programs.items() if most == fewest)
    if own := tuple(name for name in limited_by if name in ("waves", "programs")):
        limited_by = own[:1]  # full: nothing of the kernel's own stands in the way
    return Occupancy(fewest * num_warps / parts, limit, fewest, limited_by)


def _round_up(value: int, unit: int) -> int:
    return -(-value // unit) * unit
