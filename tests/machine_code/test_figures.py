"""Real kernels on every target, against what is known of them without having compiled them."""

from __future__ import annotations

import re
from typing import Any

import pytest
import triton

from geak_evaluator import device
from geak_evaluator.machine_code import frontend, occupancy
from geak_evaluator.machine_code.compile import Compiled, Compiler
from geak_evaluator.schema import codec
from geak_evaluator.schema.machine_code import Figures, Handed, Why
from geak_evaluator.schema.target import TARGETS, find

from .conftest import ALL, CUDA, HIP, launch_of

Made = dict[tuple[str, str], Compiled]

PAST_REGISTERS = () if triton.__version__.startswith("3.6.") else ("gfx950",)
"""AMD devices that this Triton copies to past the registers; else a stage of a pipeline waits in them, not in LDS."""

MATRIX = {
    "gfx90a": "v_mfma_f32_",
    "gfx942": "v_mfma_f32_",
    "gfx950": "v_mfma_f32_",
    "sm_80": "mma.sync.aligned.",
    "sm_90": "wgmma.mma_async.sync.aligned.",
    "sm_100": "tcgen05.mma.",
}


def figures(made: Made, kernel: str, target: str) -> Figures:
    found = made[kernel, target]
    assert found.figures is not None, found.failure
    assert found.failure is None
    return found.figures


@pytest.mark.parametrize("target", ALL)
@pytest.mark.parametrize("kernel", ["softmax", "matmul_fp16", "histogram", "power"])
def test_every_target_takes_ordinary_kernels(made: Made, kernel: str, target: str) -> None:
    found = figures(made, kernel, target)
    assert found.target == target
    assert found.kernel == kernel.removesuffix("_fp16")
    assert found.num_warps == 4
    assert found.code_bytes > 100
    assert made[kernel, target].assembly
    assert not found.spills
    assert found.scratch_bytes == 0
    assert codec.from_json(Figures, codec.loads(codec.dumps(found))) == found


@pytest.mark.parametrize("target", ALL)
def test_a_big_enough_matmul_uses_the_matrix_units_and_a_softmax_does_not(made: Made, target: str) -> None:
    names = figures(made, "matmul_fp16", target).counts.matrix_instructions
    assert names
    assert all(name.startswith(MATRIX[target]) for name in names)
    assert not figures(made, "softmax", target).counts.matrix_instructions


def test_the_number_format_is_in_the_names_of_matrix_instructions(made: Made) -> None:
    for kernel, target, word in (
        ("matmul_bf16", "gfx942", "_bf16"),
        ("matmul_bf16", "sm_80", ".bf16.bf16."),
        ("matmul_fp8", "gfx950", "f8f6f4"),
        ("matmul_fp8", "sm_90", ".e4m3.e4m3"),
    ):
        assert all(word in name for name in figures(made, kernel, target).counts.matrix_instructions), (kernel, target)


@pytest.mark.parametrize("target", HIP)
def test_amd_has_vector_and_scalar_registers(made: Made, target: str) -> None:
    found = figures(made, "matmul_fp16", target)
    # 128 x 128 sums over 256 lanes are 64 registers, before anything else.
    assert found.vgprs is not None
    assert found.vgprs >= 64
    assert found.sgprs
    assert found.agprs is not None
    assert found.registers is None
    assert found.spill_store_bytes is None
    assert found.tensor_memory is None


@pytest.mark.parametrize("target", CUDA)
def test_nvidia_has_one_kind_of_registers(made: Made, target: str) -> None:
    found = figures(made, "matmul_fp16", target)
    assert found.registers is not None
    # On sm_100 the 128 sums of a thread lie in tensor memory: 128 columns of it.
    assert found.tensor_memory == (128 if target == "sm_100" else None)
    assert 128 <= found.registers <= 255
    assert (found.vgprs, found.sgprs, found.agprs, found.vgpr_spills) == (None,) * 4


@pytest.mark.parametrize("target", ALL)
def test_a_kernel_that_holds_more_than_it_has_registers_spills(made: Made, target: str) -> None:
    if target in HIP:
        found = figures(made, "hold_hip", target)
        # 128 elements a lane, and waves_per_eu=8 leaves 64 registers; what is left over is spilled, four bytes each.
        assert found.vgprs == 64
        assert found.vgpr_spills is not None
        assert found.vgpr_spills >= 64
        assert found.scratch_bytes >= 4 * 64
    else:
        found = figures(made, "hold_cuda", target)
        assert found.registers == 32  # maxnreg
        assert found.spill_store_bytes is not None
        assert found.spill_store_bytes >= 4 * (8192 // 32 - 32)
        assert found.scratch_bytes >= 4 * (8192 // 32 - 32)
    assert found.spills
    # 8192 floats of one wave or warp, 16 bytes a lane: the spills are not among them.
    lanes = 64 if target in HIP else 32
    assert found.counts.loads == {"128": 8192 // lanes // 4}
    assert found.counts.stores == {"128": 8192 // lanes // 4}


@pytest.mark.parametrize("target", ALL)
def test_loads_are_as_wide_as_the_layout_allows(made: Made, target: str) -> None:
    # 1024 halves over 4 warps: 16 bits times 4 (AMD) or 8 (NVIDIA) to a lane.
    assert figures(made, "softmax", target).counts.loads == {"64" if target in HIP else "128": 1}


def test_copies_past_the_registers_are_no_loads(made: Made) -> None:
    for target in (*PAST_REGISTERS, "sm_80", "sm_90"):
        counts = figures(made, "matmul_fp16", target).counts
        assert counts.copies.keys() == {"128"}
        assert not counts.loads
    for target in ("gfx90a", "gfx942"):  # which have no such instruction of that width
        counts = figures(made, "matmul_fp16", target).counts
        assert counts.loads.keys() == {"128"}
        assert not counts.copies


@pytest.mark.parametrize("target", ALL)
def test_atomics_and_barriers_are_seen(made: Made, target: str) -> None:
    assert figures(made, "histogram", target).counts.atomics >= 4
    assert figures(made, "softmax", target).counts.barriers >= 1  # two reductions across four warps
    assert figures(made, "power", target).counts.atomics == 0
    assert figures(made, "power", target).counts.barriers == 0  # element by element
    assert figures(made, "power", target).shared_bytes == 0


def test_a_kernel_can_ask_for_more_shared_memory_than_one_target_has_and_another_has_not(made: Made) -> None:
    for target in ("gfx942", *PAST_REGISTERS):
        found = made["matmul_deep", target]
        assert found.failure is not None
        assert found.figures is not None
        limit = TARGETS[target].max_shared
        assert found.failure.why is Why.OUT_OF_RESOURCES
        assert found.failure.message == (
            f"out of resource: shared memory, Required: {found.figures.shared_bytes}, Hardware limit: {limit}"
        )
        assert found.figures.occupancy == 0
        assert found.figures.limited_by == ("shared",)
    # 3 stages of two 128 x 128 tiles of halves are 192 KiB; sm_90 gives a block up to 227.
    assert figures(made, "matmul_deep", "sm_90").shared_bytes == 3 * 2 * 128 * 128 * 2


def test_what_the_front_end_refuses_says_why(made: Made) -> None:
    failure = made["matmul_fp8", "sm_80"].failure
    assert failure is not None
    assert failure.why is Why.FRONT_END
    assert "fp8e4nv not supported" in failure.message


@pytest.mark.parametrize("target", HIP)
def test_registers_allow_as_many_waves_as_the_compiler_says(made: Made, target: str) -> None:
    """LLVM's own line knows nothing of Triton's LDS, but as much as we do of registers."""
    seen = set()
    for (_, of), found in made.items():
        if of == target and found.figures is not None:
            (said,) = re.findall(r"^; Occupancy: (\d+)$", found.assembly, re.MULTILINE)
            one = found.figures
            assert one.vgprs is not None
            assert one.sgprs is not None
            alone = occupancy.amd(find(target), vgprs=one.vgprs, sgprs=one.sgprs, shared=0, num_warps=4)
            assert alone.warps == int(said)
            seen.add(int(said))
    assert len(seen) > 1


def compiled_directly(target: str, kernel: str) -> Any:
    """Triton's own kernel, from the launch itself."""
    launch, knobs = launch_of(kernel), triton.knobs.compilation
    with device.activate(target, execute=False), knobs.scope():
        knobs.disable_line_info = True
        return device.compile_for(target, launch)


def instructions(assembly: str) -> list[str]:
    """The code alone, up to the last instruction."""
    lines = (re.sub(r"\s+", " ", re.sub(r"(;|//).*", "", line)).strip() for line in assembly.splitlines())
    code = [line for line in lines if line and not line.startswith(".section")]
    start = next(i for i, line in enumerate(code) if line.startswith((".globl", ".visible")))
    return code[start : next(i for i, line in enumerate(code) if line.startswith(("s_endpgm", "ret")))]


@pytest.mark.parametrize("target", ["gfx942", "sm_90"])
@pytest.mark.parametrize("kernel", ["softmax", "matmul_fp16"])
def test_compiling_the_text_is_compiling_the_launch(made: Made, kernel: str, target: str) -> None:
    direct = compiled_directly(target, kernel)
    found = figures(made, kernel, target)
    assert found.shared_bytes == direct.metadata.shared
    assert found.num_stages == direct.metadata.num_stages
    ours, theirs = made[kernel, target].assembly, direct.asm["amdgcn" if target in HIP else "ptx"]
    assert instructions(ours) == instructions(theirs)
    assert len(instructions(ours)) > 50


@pytest.mark.parametrize("target", ["gfx950", "sm_80", "sm_100"])
def test_shared_memory_is_what_triton_says(made: Made, target: str) -> None:
    direct = compiled_directly(target, "matmul_fp16")
    assert figures(made, "matmul_fp16", target).shared_bytes == direct.metadata.shared


def test_the_options_of_a_launch_travel_and_those_of_another_backend_do_not() -> None:
    handed = frontend.lower([launch_of("hold", "hip")], ("gfx942", "sm_90"))
    amd, nvidia = (one.options for one in handed.kernels)
    assert (amd["num_warps"], amd["waves_per_eu"]) == (1, 8)
    assert nvidia["num_warps"] == 1
    assert not {"waves_per_eu", "kpack", "matrix_instr_nonkdim"} & nvidia.keys()
    assert nvidia["num_stages"] == 3  # its own default, since the launch did not ask


def test_an_option_that_could_name_a_file_is_not_taken_over() -> None:
    launch = launch_of("softmax", "cuda")
    launch.options = {**launch.options, "ptx_options": "--opt-level 0"}
    (one,) = frontend.lower([launch], ("sm_90",)).kernels
    assert one.failure is not None
    assert one.failure.why is Why.UNSUPPORTED
    assert "ptx_options" in one.failure.message


def test_a_text_is_handed_over_once_and_knows_no_file(handed: dict[str, Handed]) -> None:
    softmax = handed["softmax"]
    assert len(softmax.kernels) == 6
    assert len(softmax.texts) == 2  # AMD's says which pointers reach less than 2 GiB
    for one in handed.values():
        assert not any("loc(" in text or ".py" in text for text in one.texts)


def test_launches_of_one_specialisation_count_once() -> None:
    launch = launch_of("softmax")
    assert frontend.lower([launch] * 3, ("gfx942",)) == frontend.lower([launch], ("gfx942",))


def test_so_many_texts_that_they_fit_into_no_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frontend, "MAX_TOTAL", 3000)
    failures = [one.failure for one in frontend.lower([launch_of("matmul_fp16")], ("gfx942",)).kernels]
    assert [failure and failure.why for failure in failures] == [Why.TOO_LARGE]


def test_a_child_is_asked_once_which_compiler_it_is(compiler: Compiler) -> None:
    identity = compiler._asked_who()
    assert identity.keys() == TARGETS.keys()
    assert len(set(identity.values())) == len(TARGETS)
    assert identity == compiler._asked_who()
