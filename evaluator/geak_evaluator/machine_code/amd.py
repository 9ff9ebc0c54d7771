"""Figures from the assembly text of an AMD kernel."""

from __future__ import annotations

import re

from geak_evaluator.machine_code import amd_loops, occupancy
from geak_evaluator.machine_code.cores import CORES
from geak_evaluator.machine_code.reading import Built, Tally, Unreadable
from geak_evaluator.schema.machine_code import Counts, Figures
from geak_evaluator.schema.target import Target

_COUNT = re.compile(
    r"^\s+(?:- )?\.(vgpr_count|agpr_count|sgpr_count|vgpr_spill_count|sgpr_spill_count|private_segment_fixed_size)"
    r":\s+(\d+)$",
    re.MULTILINE,
)
_CODE_BYTES = re.compile(r"^; codeLenInByte = (\d+)$", re.MULTILINE)
_INSTRUCTION = re.compile(r"^\t((?:v_s?mf|ds_|global_|buffer_|flat_|s_barrier)\w*)([^\n]*)", re.MULTILINE)
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
# load_dwordx4, load_ushort, load_short_d16_hi, load_sbyte; and in DS instructions b128, u16, i8
_MEMORY = re.compile(r"(?:load|store)_(?:lds_)?(?:[us]?(byte|short)|(dword)(?:x(\d+))?)")
_SHARED = re.compile(r"ds_(read|write|load|store)(2(?:st64)?)?_(?:addtid_)?[biu](\d+)")
_BITS = {"byte": 8, "short": 16, "dword": 32}


def figures(target: Target, assembly: str, built: Built) -> Figures:
    """Reads them off; Unreadable where the text is none of the compiler's."""
    # Inline assembly comes before the notes, so what it says about itself is not what is read.
    code, _, notes = assembly.rpartition("\t.amdgpu_metadata")
    counts = {name: int(value) for name, value in _COUNT.findall(notes)}
    sizes = _CODE_BYTES.findall(code)
    if not sizes or not {"vgpr_count", "sgpr_count"} <= counts.keys():
        raise Unreadable("the assembly has no kernel metadata")
    held = occupancy.amd(
        target,
        vgprs=counts["vgpr_count"],
        sgprs=counts["sgpr_count"],
        shared=built.shared,
        num_warps=built.num_warps,
    )
    return Figures(
        target=target.name,
        kernel=built.kernel,
        num_warps=built.num_warps,
        num_stages=built.num_stages,
        shared_bytes=built.shared,
        scratch_bytes=counts.get("private_segment_fixed_size", 0),
        occupancy=held.warps,
        occupancy_limit=held.limit,
        limited_by=held.limited_by,
        counts=_counts(code),
        code_bytes=sum(map(int, sizes)),  # a function that was not inlined has a size of its own
        vgprs=counts["vgpr_count"],
        agprs=counts.get("agpr_count", 0),
        sgprs=counts["sgpr_count"],
        vgpr_spills=counts.get("vgpr_spill_count", 0),
        sgpr_spills=counts.get("sgpr_spill_count", 0),
        loops=amd_loops.loops(CORES[target.arch], code, _counts),
    )


def _counts(code: str) -> Counts:
    tally = Tally()
    for name, rest in _INSTRUCTION.findall(_COMMENT.sub("", code)):
        if name.startswith("v_"):
            tally.add("matrix_instructions", name)
        elif name == "s_barrier":
            tally.add("barriers")
        elif name.startswith("ds_"):
            if found := _SHARED.match(name):
                bits = int(found[3]) * (2 if found[2] else 1)
                tally.add("shared_loads" if found[1] in ("read", "load") else "shared_stores", bits)
        elif "_atomic" in name:
            tally.add("atomics")
        elif (width := _MEMORY.search(name)) and "-byte Folded" not in rest:  # a spill is no load of the kernel's
            past_registers = "_lds_" in name or rest.split(";")[0].rstrip().endswith(" lds")
            kind = "copies" if past_registers else "loads" if "_load_" in name else "stores"
            tally.add(kind, _BITS[width[1] or width[2]] * int(width[3] or 1))
    return tally.counts()
