"""What each described device can do, by its maker's data sheet, and what of it kernels have been seen to get.

Figures of the second kind were fitted to recorded times of an A100 and an MI300X (docs/estimate.md); the other targets
take over those of their maker.
"""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20
KIB = 1 << 10


@dataclass(frozen=True)
class Device:
    """One target's limits."""

    units: int
    """Compute units (AMD) or multiprocessors (NVIDIA)."""
    clock: float
    """GHz, boosted."""
    memory: float
    """GB/s of its memory."""
    cache: int
    """Bytes of the last cache that all units share."""
    cache_rate: float
    """GB/s of the cache that all units share."""
    near: int
    """Bytes of a unit's own cache."""
    near_rate: int
    """Bytes a clock of a unit's own cache."""
    line: int
    """Bytes that one miss of a unit's own cache moves."""
    matrix: dict[str, float]
    """Tera-operations a second of its matrix units, dense, by the operands' format."""
    vector: float
    """Tera-operations a second on fp32, a product and a sum counted as two."""
    latency: float
    """Nanoseconds from a load to its value, out of memory."""
    launch: float
    """Microseconds of a launch that does nothing, between the events around it."""
    source: str
    """Where the figures come from."""


DEVICES: dict[str, Device] = {
    "sm_80": Device(
        units=108,
        clock=1.41,
        memory=2039,
        cache=40 * MIB,
        cache_rate=7219,
        near=192 * KIB,
        near_rate=128,
        line=32,
        matrix={"fp64": 19.5, "tf32": 156, "fp16": 312, "bf16": 312, "int8": 624, "fp8": 312, "fp32": 19.5},
        vector=19.5,
        latency=600,
        launch=5.0,
        source="NVIDIA A100 datasheet (80 GB SXM); A100 whitepaper: 5120 bytes a clock of L2",
    ),
    "sm_90": Device(
        units=132,
        clock=1.83,
        memory=3350,
        cache=50 * MIB,
        cache_rate=9370,
        near=256 * KIB,
        near_rate=128,
        line=32,
        matrix={"fp64": 67, "tf32": 495, "fp16": 989, "bf16": 989, "int8": 1979, "fp8": 1979, "fp32": 67},
        vector=67,
        latency=600,
        launch=5.0,
        source="NVIDIA H100 datasheet (SXM, dense); H100 whitepaper; L2 a clock as of the A100",
    ),
    "sm_100": Device(
        units=148,
        clock=1.85,
        memory=8000,
        cache=126 * MIB,
        cache_rate=18900,
        near=256 * KIB,
        near_rate=128,
        line=32,
        matrix={
            "fp64": 40,
            "tf32": 1100,
            "fp16": 2250,
            "bf16": 2250,
            "int8": 4500,
            "fp8": 4500,
            "fp32": 80,
            "e4m3": 4500,
            "e5m2": 4500,
            "e2m1": 9000,
        },
        vector=80,
        latency=700,
        launch=5.0,
        source="NVIDIA B200 datasheet (HGX, dense, one GPU); L2 a clock twice the A100's, for two dies",
    ),
    "gfx90a": Device(
        units=110,
        clock=1.7,
        memory=1638,
        cache=8 * MIB,
        cache_rate=6963,
        near=16 * KIB,
        near_rate=64,
        line=128,
        matrix={"fp64": 47.9, "tf32": 47.9, "fp16": 191.5, "bf16": 191.5, "int8": 191.5, "fp8": 191.5, "fp32": 47.9},
        vector=23.9,
        latency=800,
        launch=8.0,
        source="AMD Instinct MI250X data sheet, halved: one of two dies; CDNA 2 white paper: L2 of 4096 bytes a clock",
    ),
    "gfx942": Device(
        units=304,
        clock=2.1,
        memory=5300,
        cache=256 * MIB,
        cache_rate=17200,
        near=32 * KIB,
        near_rate=64,
        line=128,
        matrix={
            "fp64": 163.4,
            "tf32": 653.7,
            "fp16": 1307.4,
            "bf16": 1307.4,
            "int8": 2614.9,
            "fp8": 2614.9,
            "fp32": 163.4,
        },
        vector=163.4,
        latency=800,
        launch=8.0,
        source="AMD Instinct MI300X data sheet; CDNA 3 white paper: Infinity Cache of 256 MiB at 17.2 TB/s",
    ),
    "gfx950": Device(
        units=256,
        clock=2.4,
        memory=8000,
        cache=256 * MIB,
        cache_rate=17200,
        near=32 * KIB,
        near_rate=64,
        line=128,
        matrix={
            "fp64": 78.6,
            "tf32": 157.3,
            "fp16": 2516.6,
            "bf16": 2516.6,
            "int8": 5033.2,
            "fp8": 5033.2,
            "fp32": 157.3,
            "e4m3": 5033.2,
            "e5m2": 5033.2,
            "e2m1": 10066.3,
        },
        vector=157.3,
        latency=800,
        launch=8.0,
        source="AMD Instinct MI355X data sheet; its Infinity Cache as of the MI300X",
    ),
}


@dataclass(frozen=True)
class Reached:
    """How much of what a device can do its kernels get: few numbers, each with a meaning."""

    memory: float = 0.85
    """Of the memory's bandwidth."""
    cache: float = 1.0
    """Of the shared cache's."""
    near: float = 0.26
    """Of the units' own caches'."""
    matrix: float = 0.87
    """Of the matrix units' rate."""
    vector: float = 0.64
    """Of the vector rate, one operation an instruction: half of what data sheets count."""
    integer: float = 0.1
    """Of operations on integers and addresses, the share that is left when a lane's neighbours share them."""
    waits: float = 0.3
    """Of the latency, what one wait of a program costs."""
    begin: float = 1.13
    """Microseconds that a program takes to begin and to end."""
    meets: float = 0.35
    """Microseconds that the warps of a program take to meet."""
    launch: float = 1.37
    """Of the launch's cost, what the first one takes."""
    follow: float = 0.32
    """Of the launch's cost, what each further one takes."""
    misses: float = 1.0
    """Of what is read again and does not fit the shared cache, the share that comes out of memory."""
    blend: float = 3.15
    """How sharply the slowest bound hides the others: the power of the mean by which they are joined."""


REACHED = {
    "sm_80": Reached(),
    "gfx942": Reached(
        memory=0.65,
        cache=1.0,
        near=0.42,
        matrix=0.29,
        vector=0.18,
        integer=1.0,
        waits=0.2,
        begin=0.4,
        meets=0.11,
        launch=0.75,
        follow=0.79,
        misses=1.0,
        blend=2.42,
    ),
}
"""Fitted to recorded times of an A100 and of an MI300X (the latter without its machine code)."""
SPREAD = {"sm_80": (0.8, 1.5), "gfx942": (0.65, 4.5)}
"""Four of five recorded times lie between these multiples of the estimate."""
_UNKNOWN = 1.5


def known_of(target: str) -> tuple[Reached, tuple[float, float]]:
    """What kernels get of a target, and how surely; where nothing was recorded, as of its maker's other device."""
    if target in REACHED:
        return REACHED[target], SPREAD[target]
    near = "sm_80" if target.startswith("sm_") else "gfx942"
    return REACHED[near], (SPREAD[near][0] / _UNKNOWN, SPREAD[near][1] * _UNKNOWN)
