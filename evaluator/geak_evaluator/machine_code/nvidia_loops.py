"""Inner loops of NVIDIA's PTX, played by one warp: an instruction begins when its registers have their values.

ptxas puts instructions in another order, so only barriers and waits hold back what comes after them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from geak_evaluator.machine_code.cores import PARTS, Core
from geak_evaluator.machine_code.loops import Played, innermost, left_over
from geak_evaluator.schema.machine_code import Counts, Loop

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/|^[ \t]*\.(?:loc|file)\b[^\n]*", re.DOTALL | re.MULTILINE)
_LABELS = re.compile(r"\s*(\$L\w+:)")
_LABEL = re.compile(r"(\$L\w+):$")
_BRANCH = re.compile(r"\bbra(?:\.uni)?\s+(\$L\w+)$")
_PARTS = re.compile(r"(?:@!?%\w+\s+)?([a-z][\w.:]*)\s*(.*)", re.DOTALL)
_REGISTER = re.compile(r"%\w+")
_SHAPE = re.compile(r"m(\d+)n(\d+)k(\d+)")
_FORMATS = {
    "f16": "fp16",
    "bf16": "bf16",
    "tf32": "tf32",
    "f64": "fp64",
    "s8": "int8",
    "u8": "int8",
    "e4m3": "fp8",
    "e5m2": "fp8",
}
_BITS = {"fp16": 16, "bf16": 16, "tf32": 32, "fp64": 64, "int8": 8, "fp8": 8}
_SPECIAL = ("ex2", "lg2", "rcp", "rsqrt", "sqrt", "sin", "cos", "tanh", "div")
_FREE = ("mov", "cvta", "pragma")
"""What is no instruction of the machine, most of the time."""
_LANES = 32


def matrix_shape(name: str) -> tuple[int, int, str]:
    """Of a matrix instruction: operations and elements of the result of one warp, and its operands' format."""
    found, parts = _SHAPE.search(name), name.split(".")
    if found is None or parts[0] not in ("mma", "wgmma"):
        return 0, 0, ""
    rows, columns, depth = (int(n) for n in found.groups())
    warps = PARTS if parts[0] == "wgmma" else 1
    words = _FORMATS.get(parts[-2] if warps > 1 else parts[-3], "")
    return 2 * rows * columns * depth // warps, rows * columns // warps, words


def loops(core: Core, ptx: str, counts: Callable[[str], Counts]) -> tuple[Loop, ...]:
    """Every inner loop of a kernel."""
    code = list(_statements(_COMMENT.sub("", ptx)))
    bodies = innermost(code, _LABEL, _BRANCH)
    return tuple(_Warp(core).loop(_instructions(body), counts(";\n".join((*body, "")))) for body in bodies)


def _statements(ptx: str) -> Iterator[str]:
    """Labels and instructions, in order."""
    for text in ptx.split(";"):
        at = 0
        while found := _LABELS.match(text, at):
            yield found[1]
            at = found.end()
        yield text[at:].strip().lstrip("{}").strip()


def _instructions(body: Sequence[str]) -> list[tuple[str, str]]:
    return [(found[1], found[2]) for text in body if (found := _PARTS.match(text))]


class _Warp(Played):
    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self._last = 0.0
        """When the last instruction began."""
        self._copies: list[float] = []
        """When each group of asynchronous copies will be there; and what is in the group that is open."""
        self._copy = 0.0
        self._products: list[float] = []
        """The same of asynchronous products."""
        self._product = 0.0

    def turn(self) -> None:
        """The loop turns when its branch is issued: not before what it was computed from, and the next is fetched."""
        self.now = max(self.now, self._last)

    def step(self, name: str, operands: str) -> None:
        """One instruction."""
        parts = name.split(".")
        first = parts[0]
        if first in ("bar", "barrier"):
            self._fence(self._last)
            self.now += self._core.barrier
        elif first in ("cp", "wgmma") and self._asynchronous(parts, operands):
            pass
        elif matrix_shape(name)[0]:
            self._matrix(name, operands)
        elif first in ("ld", "st", "ldmatrix", "stmatrix", "cp", "atom", "red"):
            self._access(name, parts, operands)
        elif first == "bra":
            self.tally["scalar"] += 1
            self._begin(operands)
        elif first in _FREE:
            result, inputs = _split(operands)
            self.write(result, max(self.now, self.value_of(inputs)))
        else:
            self._compute(first, operands)

    def _begin(self, operands: str, cost: float = 1.0) -> float:
        start = max(self.now, self.value_of(_REGISTER.findall(operands)))
        self.busy["issue"] += cost
        self._last = max(self._last, start)
        return start

    def _fence(self, until: float) -> None:
        self.now = max(self.now, until)
        self._last = max(self._last, self.now)

    def _asynchronous(self, parts: Sequence[str], operands: str) -> bool:
        """Whether it commits or waits for copies or products."""
        queue = self._copies if parts[0] == "cp" else self._products
        if "commit_group" in parts:
            queue.append(self._copy if parts[0] == "cp" else self._product)
            self._copy = self._copy if parts[0] == "wgmma" else 0.0
        elif "wait_group" in parts or "wait_all" in parts:
            self.tally["waits"] += 1
            digits = re.match(r"\d+", operands.split(",")[-1].strip() if parts[0] == "cp" else _last(operands))
            self._fence(left_over(queue, int(digits[0]) if digits and "wait_group" in parts else 0))
        else:
            return "fence" in parts
        return True

    def _matrix(self, name: str, operands: str) -> None:
        core, shape = self._core, matrix_shape(name)
        result, inputs = _split(operands)
        grouped = name.startswith("wgmma")
        # A sum goes on from the sum before it.
        start = max(self.now, self.value_of([one for one in inputs if one not in result]))
        start = self.multiply(max(start, 0.0 if grouped else self.value_of(result) - core.matrix_latency), shape)
        end = self.matrix_free + core.matrix_latency
        self.write(result, end)
        if grouped:
            self._product = end
            bytes_ = _BITS.get(shape[2], 16) // 8
            rows, columns, depth = (int(n) for n in _SHAPE.findall(name)[0])
            in_registers = "{" in operands.split("}", 1)[-1]
            self.busy["shared"] += ((0 if in_registers else rows) + columns) * depth * bytes_ / core.shared / PARTS
        self._last = max(self._last, start)
        self.busy["issue"] += 1

    def _access(self, name: str, parts: Sequence[str], operands: str) -> None:
        core = self._core
        shared = any(part.startswith("shared") for part in parts) and parts[0] != "cp"
        if not shared and parts[0] != "cp" and "global" not in parts:
            result, _ = _split(operands)
            self.write(result, self.now)  # a parameter, a constant
            return
        moved = _moved(name, parts, operands) * _LANES
        start = self._begin(operands if parts[0] != "ld" and parts[0] != "ldmatrix" else _inputs(operands))
        self.busy["shared" if shared else "memory"] += moved / (core.shared if shared else core.near)
        if parts[0] == "cp":
            self.busy["shared"] += moved / core.shared
            self._copy = max(self._copy, start + core.load)
        elif parts[0] in ("ld", "ldmatrix", "atom"):
            result, _ = _split(operands)
            self.write(result, start + (core.shared_load if shared else core.load) + moved / core.shared)

    def _compute(self, first: str, operands: str) -> None:
        result, inputs = _split(operands)
        start = self._begin(" ".join(inputs))
        self.write(result, start + self._core.latency + self.compute(special=first in _SPECIAL))


def _split(operands: str) -> tuple[list[str], list[str]]:
    """What an instruction writes, and what it reads."""
    text = operands.strip()
    if text.startswith("{"):
        result, _, rest = text.partition("}")
    else:
        result, _, rest = text.partition(",")
    return _REGISTER.findall(result), _REGISTER.findall(rest)


def _inputs(operands: str) -> str:
    return operands.strip().partition("}" if operands.strip().startswith("{") else ",")[2]


def _last(operands: str) -> str:
    return operands.split()[-1] if operands.split() else ""


def _moved(name: str, parts: Sequence[str], operands: str) -> float:
    """Bytes of one lane."""
    if parts[0] in ("ldmatrix", "stmatrix"):
        return 4.0 * int(next((part[1:] for part in parts if part in ("x1", "x2", "x4")), "1"))
    if parts[0] == "cp":
        sizes = re.findall(r"\],\s*(0x[0-9a-f]+|\d+)", operands, re.IGNORECASE)
        return float(int(sizes[-1], 0)) if sizes else 16.0
    width, many = re.search(r"\.[bfsu](\d+)$", name), re.search(r"\.v(\d)\b", name)
    return (int(width[1]) if width else 32) / 8 * int(many[1] if many else 1)
