"""Figures from an NVIDIA kernel: its PTX, ptxas's own report on it, and the cubin's headers.

Instructions are counted in the PTX, as ptxas got it: disassembling the cubin takes some hundred milliseconds more.
"""

from __future__ import annotations

import re
import struct

from geak_evaluator.machine_code import nvidia_loops, occupancy
from geak_evaluator.machine_code.cores import CORES
from geak_evaluator.machine_code.reading import Built, Tally, Unreadable
from geak_evaluator.schema.machine_code import Counts, Figures
from geak_evaluator.schema.target import Target

_REGISTERS = re.compile(r"\bUsed (\d+) registers")
_STACK = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
_USAGE = re.compile(r"\bREG:(\d+) STACK:(\d+)")
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_INSTRUCTION = re.compile(
    r"(?<![\w.%$])((?:ld|st|ldmatrix|stmatrix|cp|mma|wgmma|tcgen05|atom|red|bar|barrier)\.[\w.:]+)([^;]*)"
)
_VECTOR = re.compile(r"\.v(\d)\b")
_TYPE = re.compile(r"\.[bfsu](\d+)$")
_COPIED = re.compile(r"\],\s*(0x[0-9a-f]+|\d+)", re.IGNORECASE)


class Report:
    """What ptxas says of the machine code that it made: registers, stack, spills."""

    def __init__(self, text: str) -> None:
        self.registers = self.stack = 0
        self.spill_stores: int | None = None
        self.spill_loads: int | None = None
        if used := _REGISTERS.findall(text):
            self.registers = max(map(int, used))
            frames = [tuple(map(int, found)) for found in _STACK.findall(text)]
            self.stack, self.spill_stores, self.spill_loads = (sum(column) for column in zip(*frames, strict=True))
        elif usage := _USAGE.search(text):  # cuobjdump, which does not tell spills from the rest of the stack
            self.registers, self.stack = int(usage[1]), int(usage[2])
        else:
            raise Unreadable("neither ptxas nor cuobjdump told how many registers it takes")


def figures(target: Target, ptx: str, cubin: bytes, report: str, built: Built) -> Figures:
    """Reads them off; Unreadable where one of the texts is not what it should be."""
    said = Report(report)
    held = occupancy.nvidia(
        target,
        registers=said.registers,
        shared=built.shared,
        tensor_memory=built.tensor_memory,
        num_warps=built.num_warps,
    )
    return Figures(
        target=target.name,
        kernel=built.kernel,
        num_warps=built.num_warps,
        num_stages=built.num_stages,
        shared_bytes=built.shared,
        scratch_bytes=said.stack,
        occupancy=held.warps,
        occupancy_limit=held.limit,
        limited_by=held.limited_by,
        counts=_counts(ptx),
        code_bytes=code_bytes(cubin),
        registers=said.registers,
        spill_store_bytes=said.spill_stores,
        spill_load_bytes=said.spill_loads,
        tensor_memory=built.tensor_memory if target.capability >= (10, 0) else None,
        loops=nvidia_loops.loops(CORES[target.arch], ptx, _counts) if target.arch in CORES else (),
    )


def _counts(ptx: str) -> Counts:
    tally = Tally()
    for name, rest in _INSTRUCTION.findall(_COMMENT.sub("", ptx)):
        figure, key = _classified(name.split("."), name, rest)
        if figure:
            tally.add(figure, key)
    return tally.counts()


_NOTHING = ("", "")


def _classified(parts: list[str], name: str, rest: str) -> tuple[str, str]:
    """Which figure an instruction counts for, and under what."""
    first = parts[0]
    if first == "mma" or parts[:2] in (["wgmma", "mma_async"], ["tcgen05", "mma"]):
        return "matrix_instructions", name
    if first in ("bar", "barrier"):
        return ("barriers", "") if parts[1] in ("sync", "red", "cta") else _NOTHING
    if first in ("atom", "red"):
        return _NOTHING if any(part.startswith("shared") for part in parts) else ("atomics", "")
    if first in ("ldmatrix", "stmatrix"):
        rows = next((part[1:] for part in parts if part in ("x1", "x2", "x4")), "1")
        return ("shared_loads" if first == "ldmatrix" else "shared_stores"), str(32 * int(rows))
    if first == "cp":
        return _copied(parts, rest)
    if first not in ("ld", "st"):
        return _NOTHING
    shared = any(part.startswith("shared") for part in parts)
    if not shared and "global" not in parts:
        return _NOTHING  # parameters, constants, the stack
    width, vector = _TYPE.search(name), _VECTOR.search(name)
    bits = int(width[1]) * int(vector[1] if vector else 1) if width else 0
    return ("shared_" * shared) + ("loads" if first == "ld" else "stores"), str(bits)


def _copied(parts: list[str], rest: str) -> tuple[str, str]:
    spaces = [part for part in parts if part == "global" or part.startswith("shared")]
    if len(spaces) < 2:
        return _NOTHING  # committing, waiting, prefetching
    into_shared = spaces[0] != "global"
    if "bulk" in parts:
        return ("copies" if into_shared else "stores"), "bulk"
    size = _COPIED.findall(rest)
    return ("copies", str(8 * int(size[-1], 0))) if size else _NOTHING


def code_bytes(cubin: bytes) -> int:
    """The size of the code in a cubin, which is a 64-bit ELF file."""
    try:
        offset, size, count, names = struct.unpack_from("<Q10xHHH", cubin, 40)
        sections = [struct.unpack_from("<IIQQQQ", cubin, offset + i * size) for i in range(count)]
        start = sections[names][4]
        labels = [cubin[start + s[0] :].partition(b"\0")[0] for s in sections]
    except (struct.error, IndexError):
        raise Unreadable("the cubin is no ELF file") from None
    return sum(s[5] for s, label in zip(sections, labels, strict=True) if label.startswith(b".text."))
