"""What one compute unit or multiprocessor issues a cycle, by instruction: the constants of the model of inner loops.

Nothing here was fitted. Where a maker says nothing, the source is somebody's microbenchmark, or it says "assumed".
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Core:
    """One unit: four parts (SIMDs, sub-partitions), and what they share; cycles where nothing else is said."""

    issue: int
    """Between two instructions of one wave."""
    vector: int
    """How long a vector instruction keeps the lanes of its part."""
    special: int
    """The same of an exponential, a root or a division."""
    matrix: dict[str, int]
    """Operations a cycle of one part's matrix unit, by the operands' format."""
    matrix_latency: int
    """From the last operation of a matrix instruction to its result."""
    latency: int
    """From a vector instruction to its result."""
    load: int
    """From a load of global memory to its value, where a cache that all units share has it."""
    near: int
    """Bytes a cycle between the unit and its own cache."""
    shared_load: int
    """From a load of shared memory to its value."""
    shared: int
    """Bytes a cycle of shared memory."""
    barrier: int
    """What the waves of a program spend to meet, all else apart."""
    source: str
    """Where the figures come from."""


PARTS = 4
"""Of every unit here."""

_CDNA = "a wave of 64 lanes takes 4 cycles of a SIMD (CDNA ISA guides); LDS 128 bytes a cycle, vector cache 64 (CDNA 3 \
white paper; 128 on CDNA 4's LDS, whose size alone grew, assumed); load: what one wait was fitted to on an MI300X, \
160 ns (estimate/devices.py); LDS latency 64 (AMD's CDNA optimisation guides: at least), barrier assumed; waits after \
a matrix instruction as LLVM's GCNHazardRecognizer inserts them"
_PAPER = "arXiv 2402.13499, table of latencies: shared memory 29, L2 261.5 on A100 and 263 on H100"

CORES: dict[str, Core] = {
    "sm_80": Core(
        issue=1,
        vector=2,
        special=8,
        matrix={"fp64": 32, "tf32": 256, "fp16": 512, "bf16": 512, "int8": 1024},
        matrix_latency=17,
        latency=4,
        load=262,
        near=128,
        shared_load=29,
        shared=128,
        barrier=20,
        source=f"A100 whitepaper: 16 lanes of fp32 a partition, 4 special, 128 bytes a cycle; {_PAPER}; "
        "arXiv 2206.02874: 25 cycles for m16n8k16; barrier assumed",
    ),
    "sm_90": Core(
        issue=1,
        vector=1,
        special=8,
        matrix={"fp64": 64, "tf32": 512, "fp16": 1024, "bf16": 1024, "int8": 2048, "fp8": 2048},
        matrix_latency=17,
        latency=4,
        load=263,
        near=128,
        shared_load=29,
        shared=128,
        barrier=20,
        source=f"H100 whitepaper: 32 lanes of fp32 a partition; {_PAPER}; latency after a product as on the A100",
    ),
    "gfx90a": Core(
        issue=4,
        vector=4,
        special=16,
        matrix={"fp64": 64, "tf32": 64, "fp32": 64, "fp16": 256, "bf16": 256, "int8": 256},
        matrix_latency=12,
        latency=4,
        load=272,
        near=64,
        shared_load=64,
        shared=128,
        barrier=20,
        source=_CDNA,
    ),
    "gfx942": Core(
        issue=4,
        vector=4,
        special=16,
        matrix={"fp64": 64, "tf32": 256, "fp32": 64, "fp16": 512, "bf16": 512, "int8": 1024, "fp8": 1024},
        matrix_latency=12,
        latency=4,
        load=336,
        near=64,
        shared_load=64,
        shared=128,
        barrier=20,
        source=_CDNA,
    ),
    "gfx950": Core(
        issue=4,
        vector=4,
        special=16,
        matrix={"fp64": 32, "tf32": 64, "fp32": 64, "fp16": 1024, "bf16": 1024, "int8": 2048, "fp8": 2048},
        matrix_latency=16,
        latency=4,
        load=384,
        near=64,
        shared_load=64,
        shared=128,
        barrier=20,
        source=_CDNA,
    ),
}
"""By target. sm_100 is not among them: its matrix instructions do not name their shape."""
