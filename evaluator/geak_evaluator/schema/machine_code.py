"""The words of this room: IR that a process hands over, and the figures of the machine code that it becomes."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Literal

MAX_TEXT = 1 << 20
"""Characters of IR that one kernel may have; a matmul has some ten thousand."""
MAX_KERNELS = 256
"""Kernels times targets that one process may hand over."""

Option = int | bool | str
Limit = Literal["waves", "programs", "registers", "scalar_registers", "shared", "tensor_memory"]

OPTIONS: dict[str, type[int] | type[bool] | type[str]] = {
    "num_warps": int,
    "num_stages": int,
    "num_ctas": int,
    "enable_fp_fusion": bool,
    # AMD alone
    "waves_per_eu": int,
    "matrix_instr_nonkdim": int,
    "kpack": int,
    "allow_flush_denorm": bool,
    "schedule_hint": str,
    "llvm_fn_attrs": str,
    "wgp_cu_mode": str,
    # NVIDIA alone
    "maxnreg": int,
    "ptx_version": int,
    "sched4reg": bool,
    "enable_reflect_ftz": bool,
    "min_shared_mem": int,
    "clc": bool,
    # asked of the launch, not of the code
    "launch_cooperative_grid": bool,
    "launch_pdl": bool,
}
"""Options that mean something after the front end. A closed list: Triton's others name files (`extern_libs`,
`ir_override`) or are handed to another program (`ptx_options`)."""


class Why(str, enum.Enum):
    """Why there are no figures, or why the kernel cannot be launched although there are."""

    FRONT_END = "front_end"
    """Triton's front end refused the kernel for this target, by the word of the process that ran it."""
    ASSERTED = "asserted"
    """A static assertion of the kernel's own does not hold: an autotuner passes such a configuration over."""
    UNSUPPORTED = "unsupported"
    """It uses an option that is not taken over, or the target is not known here."""
    INVALID = "invalid"
    """The text is not Triton's IR."""
    REJECTED = "rejected"
    """Triton's passes, LLVM or the assembler refused it for this target."""
    OUT_OF_RESOURCES = "out_of_resources"
    """It compiles, and no such device could launch it."""
    CRASHED = "crashed"
    """The compiler ended without a word: an assertion, or a stack that overflowed."""
    TIMEOUT = "timeout"
    """Compiling took longer than it may."""
    OUT_OF_MEMORY = "out_of_memory"
    """Compiling took more memory than it may."""
    TOO_LARGE = "too_large"
    """The text, its number, or what became of it is over a limit."""


@dataclass(frozen=True)
class Failure:
    """A failure as data."""

    why: Why
    message: str
    """For a person: the compiler's own words where it had any."""
    line: int = 0
    """In the kernel's file; 0 where it is not known."""


@dataclass(frozen=True)
class Lowered:
    """One kernel, as a launch specialised it for one target."""

    kernel: str
    target: str
    options: dict[str, Option] = field(default_factory=dict)
    """Every option of OPTIONS that the target's backend knows, with its value."""
    text: int = -1
    """Which of the texts; -1 where the front end made none."""
    failure: Failure | None = None


@dataclass(frozen=True)
class Handed:
    """What a process hands over of its launches: foreign words, believed in nothing."""

    texts: tuple[str, ...] = ()
    """Triton IR after its first stage, without locations; one text serves every target that it is the same for."""
    kernels: tuple[Lowered, ...] = ()


@dataclass(frozen=True)
class Counts:
    """Instructions in the text of the machine code, each counted once however often it runs.

    A kernel's inline assembly is text as well, and can pad these; registers, spills and sizes it cannot.
    """

    barriers: int = 0
    """Barriers of the whole program."""
    atomics: int = 0
    """Atomic operations on global memory."""
    matrix_instructions: dict[str, int] = field(default_factory=dict)
    """Matrix instructions, by name: mfma, mma, wgmma, tcgen05."""
    loads: dict[str, int] = field(default_factory=dict)
    """Loads from global memory to registers, by the bits that one lane loads."""
    stores: dict[str, int] = field(default_factory=dict)
    """Stores from registers to global memory, by the bits that one lane stores."""
    copies: dict[str, int] = field(default_factory=dict)
    """Copies from global to shared memory past the registers, by a lane's bits; `bulk` is one for all."""
    shared_loads: dict[str, int] = field(default_factory=dict)
    """Loads from shared memory, by the bits that one lane loads."""
    shared_stores: dict[str, int] = field(default_factory=dict)
    """Stores to shared memory, by the bits that one lane stores."""


@dataclass(frozen=True)
class Loop:
    """One turn of an inner loop, as one wave or warp takes it: counted, and played by a model of the hardware."""

    counts: Counts
    """Its instructions."""
    vector: int
    """Other instructions on the lanes: arithmetic, addresses, conversions."""
    special: int
    """Those of them that fewer lanes can do at once: exponentials, roots, divisions."""
    scalar: int
    """Instructions for the whole wave."""
    waits: int
    """Instructions that wait for memory."""
    operations: int
    """Of its matrix instructions: a product and a sum are two."""
    area: int
    """Elements of the result of one matrix instruction."""
    span: float
    """Cycles from one turn to the next, if the wave were alone."""
    busy: dict[str, float] = field(default_factory=dict)
    """Cycles for which it keeps busy: `issue`, `vector` and `matrix` of its SIMD or partition, `shared` memory and the
    way to global `memory` of its unit."""


@dataclass(frozen=True)
class Figures:
    """What the compiler settled, read off the machine code; None where the target has no such thing."""

    target: str
    """The target's name."""
    kernel: str
    """The kernel's name in the machine code."""
    num_warps: int
    """Warps or waves of one program, those that warp specialisation adds included."""
    num_stages: int
    """Stages of the software pipeline that were asked for."""
    shared_bytes: int
    """Bytes of LDS or shared memory that a launch of one program asks for."""
    scratch_bytes: int
    """Bytes of private memory (AMD's scratch, NVIDIA's stack frame) of one thread."""
    occupancy: float
    """Waves that one SIMD (AMD), or warps that one SM (NVIDIA) can hold of it at once, by the limits below."""
    occupancy_limit: int
    """The same count for a kernel that asks for nothing."""
    limited_by: tuple[Limit, ...]
    """What stops one more: several where each alone does; `waves` and `programs` are the device's own limits."""
    code_bytes: int
    """Bytes of machine code."""
    counts: Counts
    """Instructions in the text of the machine code."""
    vgprs: int | None = None
    """AMD: 32-bit vector registers of one lane, accumulation registers included."""
    agprs: int | None = None
    """AMD: those of them that are accumulation registers."""
    sgprs: int | None = None
    """AMD: scalar registers of one wave, VCC and the like included."""
    vgpr_spills: int | None = None
    """AMD: vector registers that were spilled to scratch memory."""
    sgpr_spills: int | None = None
    """AMD: scalar registers that were spilled to vector registers or to scratch memory."""
    registers: int | None = None
    """NVIDIA: 32-bit registers of one thread."""
    spill_store_bytes: int | None = None
    """NVIDIA: bytes that one thread's spilling instructions store, as ptxas counts them."""
    spill_load_bytes: int | None = None
    """NVIDIA: bytes that one thread's spilling instructions load, as ptxas counts them."""
    tensor_memory: int | None = None
    """NVIDIA from sm_100: columns of tensor memory of one program."""
    products: int = 0
    """How many times `tl.dot` stands in its IR."""
    loops: tuple[Loop, ...] = ()
    """Its inner loops; none where the target is not described well enough."""

    @property
    def spills(self) -> bool:
        """Whether any register was spilled."""
        counts = (self.vgpr_spills, self.sgpr_spills, self.spill_store_bytes, self.spill_load_bytes)
        return any(counts)


@dataclass(frozen=True)
class CompileRequest:
    """To a compiler child: its one text."""

    target: str
    text: str
    options: dict[str, Option]


@dataclass(frozen=True)
class CompileReply:
    """A compiler child's answer."""

    figures: Figures | None = None
    failure: Failure | None = None
    assembly: str = ""
    """The text of the machine code: amdgcn or PTX."""
