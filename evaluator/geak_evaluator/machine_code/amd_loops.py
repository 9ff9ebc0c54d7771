"""Inner loops of AMD's assembly, played by one wave in the order of the instructions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from geak_evaluator.machine_code.cores import Core
from geak_evaluator.machine_code.loops import Played, innermost, left_over
from geak_evaluator.schema.machine_code import Counts, Loop

_LABEL = re.compile(r"(\.LBB\d+_\d+):")
_BRANCH = re.compile(r"^\ts_c?branch\w*\s+(\.LBB\d+_\d+)")
_LINE = re.compile(r"^\t([a-z]\w+)\s*([^;]*)")
_REGISTER = re.compile(r"\b([va])(?:\[(\d+):(\d+)\]|(\d+)\b)")
_MATRIX = re.compile(r"v_mfma_\w*?_(\d+)x(\d+)x(\d+)_?(?:(\d+)b_)?([a-z]\w*)")
_SPECIAL = re.compile(r"v_(?:exp|log|rcp|rsq|sqrt|sin|cos)_")
_MEMORY = re.compile(r"(?:global|buffer|flat|scratch)_(?:load|store|atomic)_")
_WIDTH = re.compile(r"[us]?(byte|short|dword)(?:x(\d+))?")
_SHARED = re.compile(r"ds_(?:read|write|load|store)(2(?:st64)?)?_\w*?[biu](\d+)")
_WAIT = re.compile(r"(vmcnt|lgkmcnt)\((\d+)\)")
_FORMATS = (
    ("xf32", "tf32"),
    ("bf16", "bf16"),
    ("f16", "fp16"),
    ("f32", "fp32"),
    ("f64", "fp64"),
    ("i8", "int8"),
    ("fp8", "fp8"),
    ("bf8", "fp8"),
    ("f8f6f4", "fp8"),
)
_LANES, _MOST_REGISTERS = 64, 512
_BITS = {"byte": 8, "short": 16, "dword": 32}


def matrix_shape(name: str) -> tuple[int, int, str]:
    """Of a matrix instruction: its operations, the elements of its result, and its operands' format."""
    found = _MATRIX.match(name)
    if found is None:
        return 0, 0, ""
    rows, columns, depth = (int(found[n]) for n in (1, 2, 3))
    blocks = int(found[4] or (16 if rows == 4 else 1))
    words = next((word for start, word in _FORMATS if found[5].startswith(start)), "")
    return 2 * rows * columns * depth * blocks, rows * columns * blocks, words


def loops(core: Core, assembly: str, counts: Callable[[str], Counts]) -> tuple[Loop, ...]:
    """Every inner loop of a kernel."""
    bodies = innermost(assembly.splitlines(), _LABEL, _BRANCH)
    return tuple(_Wave(core).loop(_instructions(body), counts("\n".join(body))) for body in bodies)


def _instructions(body: Sequence[str]) -> list[tuple[str, str]]:
    return [(found[1], found[2].strip()) for line in body if (found := _LINE.match(line))]


class _Wave(Played):
    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self._memory: list[float] = []
        """When each access that is on its way will be there, in the order in which they were issued."""
        self._near: list[float] = []
        """The same of shared memory and of scalars."""
        self._passed: dict[str, float] = {}
        """When a unit is through with the last of them."""

    def turn(self) -> None:
        """Nothing is: its waits stand in the code."""

    def step(self, name: str, operands: str) -> None:
        """One instruction."""
        if name.startswith("s_"):
            self._scalar(name, operands)
        elif name.startswith("v_mfma"):
            self._matrix(name, operands)
        elif name.startswith("v_"):
            self._vector(name, operands)
        elif name.startswith("ds_"):
            self._shared(name, operands)
        elif _MEMORY.match(name):
            self._issue(operands)
            found = _WIDTH.search(name)
            bits = _BITS[found[1]] * int(found[2] or 1) if found else 32
            self._send("memory", self._memory, bits * _LANES / 8 / self._core.near, self._core.load)

    def _issue(self, operands: str, cost: float = 0.0) -> None:
        """A place in the queue, once its operands are there."""
        self.now = max(self.now, self.value_of(_registers(operands))) + max(cost, self._core.issue)
        self.busy["issue"] += self._core.issue

    def _scalar(self, name: str, operands: str) -> None:
        core = self._core
        if name == "s_waitcnt":
            self.tally["waits"] += 1
            for what, most in _WAIT.findall(operands):
                queue = self._memory if what == "vmcnt" else self._near
                self.now = max(self.now, left_over(queue, int(most)))
        elif name == "s_barrier":
            self.now += core.barrier
        elif name == "s_nop":
            self.now += core.issue * (1 + (int(operands) if operands.isdecimal() else 0))
        else:
            self.tally["scalar"] += 1
            self.now += core.issue
            self.busy["issue"] += core.issue
            if name.startswith("s_load"):
                self._near.append(self.now + core.shared_load)

    def _vector(self, name: str, operands: str) -> None:
        self._issue(operands, self.compute(special=bool(_SPECIAL.match(name))))

    def _matrix(self, name: str, operands: str) -> None:
        core = self._core
        result, *rest = _split(operands)
        # A sum goes on from the sum before it: the unit hands it to itself.
        inputs = _registers(",".join(rest[:2] if rest[2:] == [result] else rest))
        self.now = self.multiply(max(self.now, self.value_of(inputs)), matrix_shape(name))
        self.write(_registers(result), self.matrix_free + core.matrix_latency)
        self.now += core.issue
        self.busy["issue"] += core.issue

    def _shared(self, name: str, operands: str) -> None:
        found = _SHARED.match(name)
        bits = int(found[2]) * (2 if found[1] else 1) if found else 32
        self._issue(operands)
        self._send("shared", self._near, bits * _LANES / 8 / self._core.shared, self._core.shared_load)

    def _send(self, unit: str, queue: list[float], cost: float, latency: float) -> None:
        """An access gets under way once those before it have passed."""
        self.busy[unit] += cost
        self._passed[unit] = max(self.now, self._passed.get(unit, 0.0)) + cost
        queue.append(self._passed[unit] + latency)


def _split(operands: str) -> list[str]:
    return [part.strip() for part in re.split(r",(?![^\[]*\])", operands.split(" cbsz")[0])]


def _registers(operands: str) -> list[str]:
    found = []
    for kind, first, last, single in _REGISTER.findall(operands):
        low, high = (int(first), int(last)) if first else (int(single), int(single))
        found += [f"{kind}{n}" for n in range(low, min(high, low + _MOST_REGISTERS) + 1)]
    return found
