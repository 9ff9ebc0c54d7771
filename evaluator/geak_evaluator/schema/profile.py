"""A profile: what a device's counters say of each launch of one plan, by whatever tool, under one set of names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from geak_evaluator.schema.energy import Energy
from geak_evaluator.schema.estimate import Estimate
from geak_evaluator.schema.machine_code import Figures
from geak_evaluator.schema.spec import Case

VERSION = 1


@dataclass(frozen=True)
class Meaning:
    """What a metric is, whichever vendor's counters it comes from."""

    unit: str
    text: str


METRICS: dict[str, Meaning] = {
    "duration": Meaning("us", "time on the device"),
    "dram_read": Meaning("bytes", "read from the device's memory"),
    "dram_written": Meaning("bytes", "written to the device's memory"),
    "dram_share": Meaning("%", "of the peak bandwidth of the device's memory"),
    "fabric_read": Meaning("bytes", "read by the L2 caches from what lies behind: Infinity Cache or memory"),
    "fabric_written": Meaning("bytes", "written by the L2 caches to what lies behind"),
    "l2_bytes": Meaning("bytes", "asked of the L2 cache"),
    "l2_hit": Meaning("%", "of the L2 cache's requests that found their line"),
    "l1_hit": Meaning("%", "of the units' own caches' requests that found their line"),
    "coalescing": Meaning("%", "of the best number of accesses that the loads could have had"),
    "occupancy": Meaning("%", "of the waves or warps that the device can hold, on the average"),
    "waves": Meaning("count", "waves or warps that were started"),
    "instructions": Meaning("count", "instructions of waves or warps"),
    "issue": Meaning("%", "of the cycles in which a scheduler issued something"),
    "lanes": Meaning("%", "of the lanes that were active in an instruction"),
    "vector_busy": Meaning("%", "of the cycles in which the vector units were busy"),
    "matrix_busy": Meaning("%", "of the cycles in which the matrix units were busy"),
    "scalar_busy": Meaning("%", "of the cycles in which the scalar units were busy"),
    "memory_busy": Meaning("%", "of the cycles in which the units for loads and stores were busy"),
    "matrix_operations": Meaning("count", "operations of the matrix units, a product and a sum as two"),
    "lds_conflicts": Meaning("per access", "cycles lost to bank conflicts, for an access to LDS or shared memory"),
    "stall_wait": Meaning("%", "of a wave's time, waiting for memory, LDS or a barrier"),
    "stall_memory": Meaning("%", "of a warp's time, waiting for global memory"),
    "stall_lds": Meaning("%", "of a wave's or warp's time, waiting for LDS or shared memory"),
    "stall_barrier": Meaning("%", "of a warp's time, waiting at a barrier"),
    "stall_math": Meaning("%", "of a warp's time, waiting for a unit that computes"),
    "stall_queue": Meaning("%", "of a warp's time, waiting to hand a load or store over"),
    "stall_issue": Meaning("%", "of a wave's time, ready and not issued"),
    "registers": Meaning("count", "vector registers of a lane or thread"),
    "scalar_registers": Meaning("count", "scalar registers of a wave"),
    "lds_bytes": Meaning("bytes", "LDS or shared memory of one program"),
    "scratch_bytes": Meaning("bytes", "private memory of a lane, where registers are spilled to"),
    "spill_bytes": Meaning("bytes", "moved to and from local memory, where registers are spilled to"),
}
"""Every metric by its name. One that a vendor's counters cannot tell apart from another has a name of its own."""

Tool = Literal["proton", "rocprofv3", "rocprof-compute", "ncu"]


@dataclass(frozen=True)
class Metric:
    """One figure, measured."""

    name: str
    value: float
    unit: str
    tool: Tool
    counters: str = ""
    """What the tool calls it, or what it was computed from."""


@dataclass(frozen=True)
class Absent:
    """A metric that is not known, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class Roofline:
    """Where a launch lies under its device's roof."""

    operations: float
    """Floating-point operations, counted while its programs were interpreted."""
    bytes: float
    counted: bool
    """Whether the bytes were counted (each once), for want of a counter."""
    of_memory: float
    """The share of the data sheet's bandwidth that it reached."""
    of_compute: float
    """The share of the data sheet's rate for its operations that it reached."""
    bound: Literal["memory", "compute"]
    """Which roof lies over it."""

    @property
    def intensity(self) -> float:
        """Operations for each byte."""
        return self.operations / self.bytes if self.bytes else 0.0

    @property
    def reached(self) -> float:
        """The share of the roof over it."""
        return self.of_memory if self.bound == "memory" else self.of_compute


@dataclass(frozen=True)
class Bottleneck:
    """Something that holds a launch back, with the metric that shows it."""

    what: str
    metric: str
    value: float
    unit: str

    def __str__(self) -> str:
        return f"{self.what} ({self.metric} {number(self.value)} {self.unit})"


@dataclass(frozen=True)
class Counters:
    """One launch of a plan, as it was counted."""

    kernel: str
    launch: int
    """Which of the plan's launches."""
    metrics: tuple[Metric, ...] = ()
    absent: tuple[Absent, ...] = ()
    roofline: Roofline | None = None
    bottlenecks: tuple[Bottleneck, ...] = ()

    def value(self, name: str) -> float | None:
        """One metric's value, if it is known."""
        return next((metric.value for metric in self.metrics if metric.name == name), None)


@dataclass(frozen=True)
class ToolReport:
    """One tool that was asked, and what became of it."""

    tool: Tool
    version: str = ""
    trouble: str = ""
    """Why it said nothing."""


@dataclass(frozen=True)
class Profile:
    """Everything that is known of how one kernel file runs one case on one device, each part by its own means."""

    name: str
    case: Case
    target: str
    device: str = ""
    """Where it was measured; empty where it was not."""
    uuid: str = ""
    plan: str = ""
    """A fingerprint of the plan that was replayed and that everything here is of."""
    repeats: int = 0
    """How often it was replayed under each tool; figures are medians."""
    launches: tuple[Counters, ...] = ()
    tools: tuple[ToolReport, ...] = ()
    trouble: str = ""
    """Why nothing is measured."""
    figures: tuple[Figures, ...] = ()
    """Compiled: read off the machine code of this very case."""
    estimate: Estimate | None = None
    """Estimated, never measured."""
    notes: tuple[str, ...] = ()
    energy: Energy | None = None
    """Measured while it was replayed without a pause and without a profiler."""
    version: int = VERSION

    @property
    def measured(self) -> bool:
        """Whether any counter was read."""
        return any(launch.metrics for launch in self.launches)


def number(value: float) -> str:
    """A figure as a person reads it."""
    if value >= 1e4:
        return f"{value:,.0f}"
    return f"{value:.3g}"
