"""Small texts, written by hand, each line for one rule of the readers."""

from __future__ import annotations

import struct

import pytest

from geak_evaluator.machine_code import amd, nvidia
from geak_evaluator.machine_code.reading import Built, Unreadable
from geak_evaluator.schema.target import find

BUILT = Built(kernel="k", num_warps=4, num_stages=2, shared=4096)

NOTES = """
; codeLenInByte = 1234
; NumVgprs: 1
	.amdgpu_metadata
---
amdhsa.kernels:
  - .agpr_count:     8
    .args:
      - .offset:         0
        .size:           8
    .group_segment_fixed_size: 0
    .private_segment_fixed_size: 96
    .sgpr_count:     34
    .sgpr_spill_count: 2
    .vgpr_count:     130
    .vgpr_spill_count: 5
...
	.end_amdgpu_metadata
"""


def amdgcn(*lines: str) -> str:
    return "k:\n" + "".join(f"\t{line}\n" for line in lines) + NOTES


def test_amd_notes_are_read() -> None:
    found = amd.figures(find("gfx942"), amdgcn("s_endpgm"), BUILT)
    assert (found.vgprs, found.agprs, found.sgprs) == (130, 8, 34)
    assert (found.vgpr_spills, found.sgpr_spills, found.scratch_bytes) == (5, 2, 96)
    assert (found.code_bytes, found.shared_bytes, found.occupancy) == (1234, 4096, 3)
    assert found.spills


@pytest.mark.parametrize(
    ("line", "figure", "key"),
    [
        ("global_load_dwordx4 v[0:3], v4, s[0:1]", "loads", "128"),
        ("buffer_load_dwordx2 v[0:1], v2, s[0:3], 0 offen", "loads", "64"),
        ("global_load_dwordx3 v[0:2], v4, s[0:1]", "loads", "96"),
        ("flat_load_dword v0, v[2:3]", "loads", "32"),
        ("global_load_ushort v0, v1, s[0:1]", "loads", "16"),
        ("global_load_short_d16_hi v0, v1, s[0:1]", "loads", "16"),
        ("buffer_load_ubyte v0, v1, s[0:3], 0 offen", "loads", "8"),
        ("buffer_load_sbyte_d16 v0, v1, s[0:3], 0 offen", "loads", "8"),
        ("global_store_byte v0, v1, s[0:1]", "stores", "8"),
        ("buffer_store_dwordx4 v[0:3], v4, s[0:3], 0 offen", "stores", "128"),
        ("buffer_load_dwordx4 v4, s[8:11], 0 offen lds", "copies", "128"),
        ("global_load_lds_dword v[0:1], off", "copies", "32"),
        ("ds_read_b128 v[0:3], v4 offset:16", "shared_loads", "128"),
        ("ds_read2st64_b64 v[0:3], v4 offset1:1", "shared_loads", "128"),
        ("ds_read_u16_d16_hi v0, v1", "shared_loads", "16"),
        ("ds_read_b64_tr_b16 v[0:1], v2", "shared_loads", "64"),
        ("ds_write2_b32 v0, v1, v2 offset1:1", "shared_stores", "64"),
        ("ds_write_b8 v0, v1", "shared_stores", "8"),
        (
            "v_mfma_f32_32x32x8_f16 v[0:15], v[16:17], v[18:19], v[0:15]",
            "matrix_instructions",
            "v_mfma_f32_32x32x8_f16",
        ),
        ("v_smfmac_f32_16x16x32_f16 v[0:3], v[4:5], v[6:9], v10", "matrix_instructions", "v_smfmac_f32_16x16x32_f16"),
    ],
)
def test_an_amd_instruction_counts_for_one_figure(line: str, figure: str, key: str) -> None:
    counts = amd.figures(find("gfx950"), amdgcn(line, "s_endpgm"), BUILT).counts
    assert {name: value for name, value in vars(counts).items() if value} == {figure: {key: 1}}


@pytest.mark.parametrize(
    ("line", "figure"), [("s_barrier", "barriers"), ("global_atomic_add_f32 v0, v1, s[0:1]", "atomics")]
)
def test_an_amd_instruction_without_a_width(line: str, figure: str) -> None:
    counts = amd.figures(find("gfx942"), amdgcn(line), BUILT).counts
    assert {name: value for name, value in vars(counts).items() if value} == {figure: 1}


@pytest.mark.parametrize(
    "line",
    [
        "s_load_dwordx4 s[0:3], s[4:5], 0x0",  # arguments
        "ds_bpermute_b32 v0, v1, v2",  # lanes, not memory
        "scratch_load_dword v0, off, off",
        "buffer_load_dword v0, off, s[20:23], 0 offset:4 ; 4-byte Folded Reload",
        "buffer_wbl2 sc1",
        "; global_load_dword v0, v1, s[0:1]",
        "/* \n\tglobal_load_dword v0, v1, s[0:1]\n\ts_barrier\n */",
    ],
)
def test_an_amd_line_that_counts_for_nothing(line: str) -> None:
    assert not any(vars(amd.figures(find("gfx942"), amdgcn(line), BUILT).counts).values())


def test_inline_assembly_cannot_say_how_many_registers_there_are() -> None:
    lie = "\t.amdgpu_metadata\n    .vgpr_count:     1\n    .sgpr_count:     1\n    .vgpr_spill_count: 0\n"
    found = amd.figures(find("gfx942"), lie + amdgcn("s_endpgm"), BUILT)
    assert (found.vgprs, found.sgprs, found.vgpr_spills) == (130, 34, 5)


@pytest.mark.parametrize(
    "text", ["", "\ts_endpgm\n", NOTES.replace("codeLen", "len"), NOTES.replace("vgpr_count", "x")]
)
def test_amd_text_without_notes_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        amd.figures(find("gfx942"), text, BUILT)


REPORT = """ptxas info    : 0 bytes gmem
ptxas info    : Function properties for k
    64 bytes stack frame, 12 bytes spill stores, 20 bytes spill loads
ptxas info    : Used 63 registers, used 1 barriers
"""


def cubin(size: int = 0x700) -> bytes:
    """An ELF file of three sections: none, code, names."""
    names = b"\0.text.k\0.shstrtab\0"
    head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, 190, 1, 0, 0, 64 + len(names), 0, 64, 0, 0, 64, 3, 2)
    section = struct.Struct("<IIQQQQIIQQ")
    code = section.pack(1, 1, 6, 0, 64, size, 0, 0, 128, 0)
    strings = section.pack(9, 3, 0, 0, 64, len(names), 0, 0, 1, 0)
    return head + names + bytes(section.size) + code + strings


def ptx(*lines: str) -> nvidia.Figures:
    text = ".visible .entry k()\n{\n" + "".join(f"\t{line}\n" for line in lines) + "\tret;\n}\n"
    return nvidia.figures(find("sm_90"), text, cubin(), REPORT, BUILT)


def test_nvidia_reports_are_read() -> None:
    found = ptx()
    assert (found.registers, found.scratch_bytes) == (63, 64)
    assert (found.spill_store_bytes, found.spill_load_bytes) == (12, 20)
    assert (found.code_bytes, found.occupancy) == (0x700, 32)
    assert found.spills


def test_functions_that_were_not_inlined_add_up() -> None:
    report = REPORT.replace("k\n", "helper\n") + REPORT.replace("Used 63", "Used 80")
    found = nvidia.Report(report)
    assert (found.registers, found.stack, found.spill_stores, found.spill_loads) == (80, 128, 24, 40)


def test_a_triton_that_keeps_the_report_to_itself() -> None:
    found = nvidia.Report(" Function k:\n  REG:63 STACK:16 SHARED:1024 LOCAL:0 CONSTANT[0]:584\n")
    assert (found.registers, found.stack, found.spill_stores) == (63, 16, None)


@pytest.mark.parametrize(
    ("line", "figure", "key"),
    [
        ("ld.global.v4.b32 \t{%r1, %r2, %r3, %r4}, [%rd1];", "loads", "128"),
        ("@%p1 ld.global.b16 {%rs1}, [ %rd1 + 0 ];", "loads", "16"),
        ("@!%p1 ld.global.L1::evict_last.v2.u64 {%rd1, %rd2}, [%rd3];", "loads", "128"),
        ("mov.u32 %r1, 0x0; ld.global.v8.b32 {%r1}, [%rd1];", "loads", "256"),
        ("st.global.u8 [%rd1], %rs1;", "stores", "8"),
        ("st.relaxed.gpu.global.f32 [%rd1], %f1;", "stores", "32"),
        ("ld.shared.v2.b64 {%rd1, %rd2}, [%r1];", "shared_loads", "128"),
        ("st.shared::cta.b32 [%r1], %r2;", "shared_stores", "32"),
        ("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%r1}, [%r2];", "shared_loads", "128"),
        ("stmatrix.sync.aligned.m8n8.x2.shared.b16 [%r2], {%r1};", "shared_stores", "64"),
        ("cp.async.cg.shared.global [ %r1 + 0 ], [ %rd1 + 0 ], 0x10, %r2;", "copies", "128"),
        ("cp.async.ca.shared.global [%r1], [%rd1], 4;", "copies", "32"),
        ("cp.async.bulk.tensor.2d.shared::cta.global.mbarrier::complete_tx::bytes [%r1], [%rd1];", "copies", "bulk"),
        ("cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%rd1, {%r1, %r2}], [%r3];", "stores", "bulk"),
        ("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%r1}, {%r2};", "matrix_instructions", None),
        ("wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 {%r1}, %rd1;", "matrix_instructions", None),
        ("@%p1 tcgen05.mma.cta_group::1.kind::f16 [%r1], %rd1;", "matrix_instructions", None),
    ],
)
def test_a_ptx_instruction_counts_for_one_figure(line: str, figure: str, key: str | None) -> None:
    name = key or next(word for word in line.split() if "mma" in word)
    assert {n: value for n, value in vars(ptx(line).counts).items() if value} == {figure: {name: 1}}


@pytest.mark.parametrize(
    ("line", "figure"),
    [
        ("bar.sync \t0;", "barriers"),
        ("barrier.sync 1, 128;", "barriers"),
        ("atom.global.gpu.acq_rel.add.u32 %r1, [%rd1], %r2;", "atomics"),
        ("red.global.add.f32 [%rd1], %f1;", "atomics"),
    ],
)
def test_a_ptx_instruction_without_a_width(line: str, figure: str) -> None:
    assert {n: value for n, value in vars(ptx(line).counts).items() if value} == {figure: 1}


@pytest.mark.parametrize(
    "line",
    [
        "ld.param.b64 %rd1, [k_param_0];",
        "ld.const.b32 %r1, [c];",
        "st.local.b32 [%rd1], %r1;",
        "bar.warp.sync -1;",
        "barrier.cluster.arrive.aligned;",
        "atom.shared.add.u32 %r1, [%r2], %r3;",
        "cp.async.commit_group;",
        "cp.async.bulk.wait_group 0;",
        "wgmma.fence.sync.aligned;",
        "tcgen05.ld.sync.aligned.32x32b.x128.b32 {%r1}, [%r2];",
        "rcp.approx.ftz.f32 %f1, %f2;",
        "// ld.global.b32 %r1, [%rd1];",
        "/* bar.sync 0;\n bar.sync 0; */",
    ],
)
def test_a_ptx_line_that_counts_for_nothing(line: str) -> None:
    assert not any(vars(ptx(line).counts).values())


@pytest.mark.parametrize("data", [b"", b"\x7fELF", cubin()[:70], cubin()[:-80], bytes(200)])
def test_a_cubin_that_is_none_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        nvidia.code_bytes(data)


@pytest.mark.parametrize("report", ["", "Used many registers", "REG: STACK:"])
def test_a_report_that_is_none_is_unreadable(report: str) -> None:
    with pytest.raises(Unreadable):
        nvidia.Report(report)
