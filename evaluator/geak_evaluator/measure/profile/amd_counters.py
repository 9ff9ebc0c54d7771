"""AMD's basic counters as metrics: what is asked for, in groups that the hardware counts at a time, and what follows.

The formulas are those of AMD's documentation of its counters (MI200, MI300 and MI350 series) and of the panels of
rocprof-compute; a counter that a device lacks takes only what needs it along.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from geak_evaluator.schema.profile import Absent, Metric, Tool

Values = Mapping[str, float]

_WAVES = 32
"""Waves that one compute unit of CDNA 2 to 4 can hold."""
_MOPS = 512
"""Operations that one step of the counters of matrix operations stands for."""
_MATRIX = ("F16", "BF16", "F32", "F64", "I8", "F8")
_UNITS = {"gfx90a": 110, "gfx942": 304, "gfx950": 256}
_XCDS = {"gfx90a": 1, "gfx942": 8, "gfx950": 8}


def groups(target: str) -> tuple[tuple[str, ...], ...]:
    """Counters to ask for together: at most eight of SQ, four of TCP and of TCC, two of TA and of GRBM in each."""
    ea = _ea(target)
    matrix = [f"SQ_INSTS_VALU_MFMA_MOPS_{name}" for name in _MATRIX if name != "F8" or target != "gfx90a"]
    return (
        (
            *("SQ_WAVES", "SQ_WAVE_CYCLES", "SQ_ACTIVE_INST_VALU", "SQ_ACTIVE_INST_SCA"),
            *("SQ_VALU_MFMA_BUSY_CYCLES", "SQ_WAIT_ANY", "SQ_WAIT_INST_ANY", "GRBM_GUI_ACTIVE"),
            *("TCC_HIT_sum", "TCC_MISS_sum", "TCC_REQ_sum"),
        ),
        (
            *("SQ_INSTS", "SQ_THREAD_CYCLES_VALU", "SQ_ACTIVE_INST_VALU", "SQ_LDS_BANK_CONFLICT", "SQ_LDS_IDX_ACTIVE"),
            *("SQ_WAIT_INST_LDS", "SQ_ACTIVE_INST_VMEM", "SQ_WAVE_CYCLES", "GRBM_GUI_ACTIVE"),
            *(f"{ea}_RDREQ_sum", f"{ea}_RDREQ_32B_sum", f"{ea}_WRREQ_sum", f"{ea}_WRREQ_64B_sum"),
            *(
                "TCP_TOTAL_CACHE_ACCESSES_sum",
                "TCP_TCC_READ_REQ_sum",
                "TCP_TCC_WRITE_REQ_sum",
                "TCP_TOTAL_ACCESSES_sum",
            ),
            "TA_TOTAL_WAVEFRONTS_sum",
        ),
        (
            *matrix,
            "SQ_ACTIVE_INST_FLAT",
            *(() if target == "gfx90a" else ("TCC_BUBBLE_sum",)),
        ),
    )


def _ea(target: str) -> str:
    return "TCC_EA" if target == "gfx90a" else "TCC_EA0"


def metrics(values: Values, target: str, tool: Tool, why: Mapping[str, str]) -> tuple[list[Metric], list[Absent]]:
    """Metrics from the counters of one launch; `why` says of a counter why it is not there."""
    found: list[Metric] = []
    absent: list[Absent] = []
    for name, (unit, counters, compute) in _formulas(target).items():
        missing = [counter for counter in counters if counter not in values]
        if missing:
            reason = next((why[c] for c in missing if c in why), f"{tool} did not give {missing[0]}")
            absent.append(Absent(name, reason))
            continue
        try:
            value = compute(values)
        except ZeroDivisionError:
            absent.append(Absent(name, f"{counters[-1]} was 0"))
            continue
        found.append(Metric(name, value, unit, tool, ", ".join(counters)))
    if target != "gfx90a":
        reason = "its counters lie before the Infinity Cache: see fabric_read and fabric_written"
        absent += [Absent("dram_read", reason), Absent("dram_written", reason)]
    return found, absent


Formula = tuple[str, tuple[str, ...], Callable[[Values], float]]


def _formulas(target: str) -> dict[str, Formula]:
    ea, bubble = _ea(target), target != "gfx90a"
    units, xcds = _UNITS.get(target, 304), _XCDS.get(target, 8)

    def cycles(v: Values) -> float:
        """Of one XCD: the counter adds up what each of them counts."""
        return v["GRBM_GUI_ACTIVE"] / xcds

    def share(counter: str, wide: int = 1) -> Formula:
        names = (counter, "GRBM_GUI_ACTIVE")
        return "%", names, lambda v: 100 * v[counter] / (cycles(v) * units * wide)

    def of_wave(counter: str) -> Formula:
        return "%", (counter, "SQ_WAVE_CYCLES"), lambda v: 100 * v[counter] / v["SQ_WAVE_CYCLES"]

    def read(v: Values) -> float:
        wide = v["TCC_BUBBLE_sum"] if bubble else 0.0
        short = v[f"{ea}_RDREQ_32B_sum"]
        return 128 * wide + 64 * (v[f"{ea}_RDREQ_sum"] - wide - short) + 32 * short

    def written(v: Values) -> float:
        whole = v[f"{ea}_WRREQ_64B_sum"]
        return 64 * whole + 32 * (v[f"{ea}_WRREQ_sum"] - whole)

    matrix = tuple(f"SQ_INSTS_VALU_MFMA_MOPS_{name}" for name in _MATRIX if name != "F8" or bubble)
    beyond = "fabric" if bubble else "dram"
    accesses = "TCP_TOTAL_CACHE_ACCESSES_sum"
    reads = (f"{ea}_RDREQ_sum", f"{ea}_RDREQ_32B_sum", *(("TCC_BUBBLE_sum",) if bubble else ()))
    vmem = ("SQ_ACTIVE_INST_VMEM", "SQ_ACTIVE_INST_FLAT", "GRBM_GUI_ACTIVE")
    lds = ("SQ_LDS_BANK_CONFLICT", "SQ_LDS_IDX_ACTIVE")
    return {
        "duration": ("us", ("duration",), lambda v: v["duration"]),
        f"{beyond}_read": ("bytes", reads, read),
        f"{beyond}_written": ("bytes", (f"{ea}_WRREQ_sum", f"{ea}_WRREQ_64B_sum"), written),
        "l2_bytes": ("bytes", ("TCC_REQ_sum",), lambda v: 128 * v["TCC_REQ_sum"]),
        "l2_hit": (
            "%",
            ("TCC_HIT_sum", "TCC_MISS_sum"),
            lambda v: 100 * v["TCC_HIT_sum"] / (v["TCC_HIT_sum"] + v["TCC_MISS_sum"]),
        ),
        "l1_hit": (
            "%",
            ("TCP_TCC_READ_REQ_sum", "TCP_TCC_WRITE_REQ_sum", accesses),
            lambda v: max(0.0, 100 - 100 * (v["TCP_TCC_READ_REQ_sum"] + v["TCP_TCC_WRITE_REQ_sum"]) / v[accesses]),
        ),
        "coalescing": (
            "%",
            ("TA_TOTAL_WAVEFRONTS_sum", "TCP_TOTAL_ACCESSES_sum"),
            lambda v: 100 * 64 * v["TA_TOTAL_WAVEFRONTS_sum"] / (4 * v["TCP_TOTAL_ACCESSES_sum"]),
        ),
        # By Little's law: the time that waves spend there, over the time that there is.
        "occupancy": (
            "%",
            ("SQ_WAVE_CYCLES", "GRBM_GUI_ACTIVE"),
            lambda v: 100 * 4 * v["SQ_WAVE_CYCLES"] / (cycles(v) * units * _WAVES),
        ),
        "waves": ("count", ("SQ_WAVES",), lambda v: v["SQ_WAVES"]),
        "instructions": ("count", ("SQ_INSTS",), lambda v: v["SQ_INSTS"]),
        "lanes": (
            "%",
            ("SQ_THREAD_CYCLES_VALU", "SQ_ACTIVE_INST_VALU"),
            lambda v: 100 * v["SQ_THREAD_CYCLES_VALU"] / (64 * v["SQ_ACTIVE_INST_VALU"]),
        ),
        "vector_busy": share("SQ_ACTIVE_INST_VALU"),
        "scalar_busy": share("SQ_ACTIVE_INST_SCA"),
        "matrix_busy": share("SQ_VALU_MFMA_BUSY_CYCLES", 4),
        "memory_busy": (
            "%",
            vmem,
            lambda v: 100 * (v["SQ_ACTIVE_INST_VMEM"] + v["SQ_ACTIVE_INST_FLAT"]) / (cycles(v) * units),
        ),
        "matrix_operations": ("count", matrix, lambda v: _MOPS * sum(v[name] for name in matrix)),
        "lds_conflicts": (
            "per access",
            lds,
            lambda v: v["SQ_LDS_BANK_CONFLICT"] / (v["SQ_LDS_IDX_ACTIVE"] - v["SQ_LDS_BANK_CONFLICT"]),
        ),
        "stall_wait": of_wave("SQ_WAIT_ANY"),
        "stall_issue": of_wave("SQ_WAIT_INST_ANY"),
        "stall_lds": of_wave("SQ_WAIT_INST_LDS"),
        "registers": ("count", ("VGPR_Count",), lambda v: v["VGPR_Count"] + v.get("Accum_VGPR_Count", 0.0)),
        "scalar_registers": ("count", ("SGPR_Count",), lambda v: v["SGPR_Count"]),
        "lds_bytes": ("bytes", ("LDS_Block_Size",), lambda v: v["LDS_Block_Size"]),
        "scratch_bytes": ("bytes", ("Scratch_Size",), lambda v: v["Scratch_Size"]),
    }
