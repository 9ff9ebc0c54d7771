"""Inner loops, read by hand: what a wave issues in a turn, what it keeps busy, and what it waits for."""

from __future__ import annotations

import pytest

from geak_evaluator.estimate.devices import DEVICES
from geak_evaluator.machine_code import amd, amd_loops, nvidia, nvidia_loops
from geak_evaluator.machine_code.compile import Compiled
from geak_evaluator.machine_code.cores import CORES, PARTS
from geak_evaluator.schema.machine_code import Loop

AMD = CORES["gfx942"]
NVIDIA = CORES["sm_80"]

STRAIGHT = """
	buffer_load_dwordx4 v[0:3], v40, s[0:3], 0 offen
	ds_read_b128 v[4:7], v41
	s_waitcnt lgkmcnt(0)
	v_mfma_f32_32x32x8_f16 v[16:31], v[4:5], v[6:7], v[16:31]
	s_waitcnt vmcnt(0)
	ds_write_b128 v41, v[0:3]
	s_barrier
"""
PRODUCTS = """
	v_mfma_f32_32x32x8_f16 v[0:15], v[32:33], v[34:35], v[0:15]
	v_mfma_f32_32x32x8_f16 v[16:31], v[36:37], v[38:39], v[16:31]
"""


def amd_loop(body: str) -> Loop:
    text = f".LBB0_1:\t\t; Loop\n{body.strip(chr(10))}\n\ts_cbranch_scc1 .LBB0_1\n\ts_endpgm\n"
    (found,) = amd_loops.loops(AMD, text, amd._counts)
    return found


def nvidia_loop(body: str) -> Loop:
    text = f"$L__BB0_1: // a loop\n{body}\n\t@%p1 bra \t$L__BB0_1;\n\tret;\n"
    (found,) = nvidia_loops.loops(NVIDIA, text, nvidia._counts)
    return found


def test_a_turn_on_amd_counts_as_by_hand() -> None:
    found = amd_loop(STRAIGHT)
    assert found.counts.matrix_instructions == {"v_mfma_f32_32x32x8_f16": 1}
    assert (found.counts.loads, found.counts.shared_loads, found.counts.shared_stores) == ({"128": 1},) * 3
    assert (found.counts.barriers, found.waits, found.scalar, found.vector) == (1, 2, 1, 0)
    assert (found.operations, found.area) == (2 * 32 * 32 * 8, 32 * 32)
    # 16 bytes of 64 lanes: at 64 a cycle from the cache, at 128 to and from shared memory, twice.
    assert found.busy == {"issue": 5 * 4, "vector": 0, "matrix": 32, "shared": 16, "memory": 16}


def test_a_load_that_is_waited_for_in_the_same_turn_costs_all_of_its_latency() -> None:
    # The load is issued at 4, has passed at 20 and is there at 356; the write, the barrier, the branch follow.
    assert amd_loop(STRAIGHT).span == 4 + 16 + AMD.load + 4 + AMD.barrier + 4


def test_a_load_that_is_waited_for_a_turn_later_hides() -> None:
    later = amd_loop(STRAIGHT.replace("vmcnt(0)", "vmcnt(1)"))
    assert later.span < 0.6 * amd_loop(STRAIGHT).span
    many = amd_loop(STRAIGHT.replace("vmcnt(0)", "vmcnt(1)") + PRODUCTS * 8)
    assert many.span == pytest.approx(many.busy["matrix"], rel=0.3), "products fill the time, as a compiler means it"


def test_independent_products_follow_one_another_and_a_sum_goes_on_at_once() -> None:
    assert amd_loop(PRODUCTS).span == 2 * 32
    on = PRODUCTS.replace("v[16:31], v[36:37], v[38:39], v[16:31]", "v[0:15], v[36:37], v[38:39], v[0:15]")
    assert amd_loop(on).span == 2 * 32
    used = PRODUCTS + "\tv_mul_f32_e32 v40, v41, v31\n"
    assert amd_loop(used).span == 2 * 32 + AMD.matrix_latency + 4 + 4, "what reads a product waits for it"


@pytest.mark.parametrize(
    ("name", "operations", "area", "words"),
    [
        ("v_mfma_f32_32x32x16_fp8_fp8", 32768, 1024, "fp8"),
        ("v_mfma_f32_16x16x16_bf16", 8192, 256, "bf16"),
        ("v_mfma_f32_32x32x8bf16_1k", 16384, 1024, "bf16"),
        ("v_mfma_f32_16x16x16f16", 8192, 256, "fp16"),
        ("v_mfma_f32_16x16x4f32", 2048, 256, "fp32"),
        ("v_mfma_f32_16x16x8_xf32", 4096, 256, "tf32"),
        ("v_mfma_i32_32x32x16_i8", 32768, 1024, "int8"),
        ("v_mfma_f64_16x16x4_f64", 2048, 256, "fp64"),
        ("v_mfma_f32_4x4x4_16b_f16", 2048, 256, "fp16"),
        ("v_mfma_f32_32x32x64_f8f6f4", 131072, 1024, "fp8"),
    ],
)
def test_amd_matrix_instructions_say_what_they_do(name: str, operations: int, area: int, words: str) -> None:
    assert amd_loops.matrix_shape(name) == (operations, area, words)


@pytest.mark.parametrize(
    ("name", "operations", "area", "words"),
    [
        ("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32", 4096, 128, "fp16"),
        ("mma.sync.aligned.m16n8k32.row.col.satfinite.s32.s8.s8.s32", 8192, 128, "int8"),
        ("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32", 2048, 128, "tf32"),
        ("wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16", 65536, 2048, "bf16"),
        ("wgmma.mma_async.sync.aligned.m64n64k32.f32.e4m3.e4m3", 65536, 1024, "fp8"),
        ("tcgen05.mma.cta_group::1.kind::f16", 0, 0, ""),
    ],
)
def test_nvidia_matrix_instructions_say_what_a_warp_does(name: str, operations: int, area: int, words: str) -> None:
    assert nvidia_loops.matrix_shape(name) == (operations, area, words)


MMA = "\tmma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%f1,%f2}, {%r1,%r2}, {%r3}, {%f1,%f2};\n"


def test_a_turn_on_nvidia_counts_as_by_hand() -> None:
    found = nvidia_loop(
        "\t.loc 1 2 3\n\tcp.async.cg.shared.global [ %r9 + 0 ], [ %rd1 + 0 ], 0x10, %r8;\n\tcp.async.commit_group;\n"
        "\tcp.async.wait_group 1;\n\tbar.sync 0;\n"
        "\tldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r1,%r2,%r3,%r4}, [%r9];\n" + MMA + "\tadd.s32 %r9, %r9, 4;\n"
    )
    assert found.counts.copies == {"128": 1}
    assert found.counts.shared_loads == {"128": 1}
    assert (found.counts.barriers, found.waits, found.vector, found.scalar) == (1, 1, 1, 1)
    assert (found.operations, found.area) == (4096, 128)
    # 512 bytes of a warp at 128 a cycle: the copy writes shared memory, the load reads it.
    assert found.busy == {"issue": 5, "vector": 2, "matrix": 8, "shared": 8, "memory": 4}


def test_copies_that_are_further_ahead_are_waited_for_less() -> None:
    spans = [
        nvidia_loop(
            f"\tcp.async.wait_group {ahead};\n\tbar.sync 0;\n{MMA * 16}"
            "\tcp.async.cg.shared.global [ %r9 + 0 ], [ %rd1 + 0 ], 0x10, %r8;\n\tcp.async.commit_group;\n"
        ).span
        for ahead in (0, 1, 2)
    ]
    assert spans[0] > NVIDIA.load
    assert spans[0] > spans[1] >= spans[2] >= 16 * 8


def test_only_innermost_loops_are_read_and_what_has_none_has_none() -> None:
    inner = ".LBB0_2:\n\tv_add_u32_e32 v0, 1, v0\n\ts_cbranch_scc1 .LBB0_2\n"
    outer = f".LBB0_1:\n\tv_exp_f32_e32 v0, v0\n{inner}\ts_cbranch_scc1 .LBB0_1\n\ts_cbranch_vccz .LBB0_3\n.LBB0_3:\n"
    (found,) = amd_loops.loops(AMD, outer, amd._counts)
    assert (found.vector, found.special) == (1, 0)
    assert amd_loops.loops(AMD, "\ts_endpgm\n", amd._counts) == ()


@pytest.mark.parametrize("target", CORES)
def test_a_core_does_what_its_device_promises(target: str) -> None:
    device, core = DEVICES[target], CORES[target]
    for words, rate in core.matrix.items():
        promised = device.matrix[words] * 1e3 / (device.units * device.clock)
        assert PARTS * rate == pytest.approx(promised, rel=0.08), words


WAVES, TILE = 4, 128 * 128
TURN = 2 * TILE * 64
BYTES = 2 * 128 * 64 * 2


@pytest.mark.parametrize("target", ["gfx90a", "gfx942", "gfx950", "sm_80", "sm_90"])
def test_a_compiled_product_does_and_loads_in_a_turn_what_its_tile_asks_for(
    made: dict[tuple[str, str], Compiled], target: str
) -> None:
    code = made["matmul_fp16", target].figures
    assert code is not None
    loop = max(code.loops, key=lambda one: one.operations)
    assert loop.operations * WAVES == TURN
    moved = loop.counts.copies or loop.counts.loads
    lanes = 32 if target.startswith("sm_") else 64
    assert sum(int(bits) / 8 * number for bits, number in moved.items()) * lanes * WAVES == BYTES
    assert loop.busy["matrix"] == loop.operations / CORES[target].matrix["fp16"]
    assert loop.span >= loop.busy["matrix"] / 2
