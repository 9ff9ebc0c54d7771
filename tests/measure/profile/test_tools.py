"""Each profiler's own words become the same metrics; what is missing or refused becomes a sentence."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import pytest

from geak_evaluator.measure.profile import amd_counters, ncu, proton, rocprof, rocprof_compute
from geak_evaluator.measure.profile.tool import Ran, Row, Unavailable, aligned, name_of, run, sentence
from geak_evaluator.schema.profile import METRICS
from tests.gone import gone
from tests.measure import fakes

LIMITS = {"times": 3, "seconds": 60.0}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    (tmp_path / "work").mkdir()
    return tmp_path


def collected(tool: Any, place: Path, target: str = "gfx942", **replay: Any) -> Any:
    return tool.collect(fakes.Replay(place, **replay), target, place / "work", **LIMITS)


def values(found: Any, target: str = "gfx942") -> dict[str, float]:
    return {metric.name: metric.value for metric in found}


AMD = {
    "duration": 20.0,
    "fabric_read": 128 * 600_000 + 64 * 400_000,
    "fabric_written": 64 * 500_000,
    "l2_bytes": 128 * 4000,
    "l2_hit": 75.0,
    "l1_hit": 50.0,
    "coalescing": 50.0,
    "occupancy": 20.0,
    "vector_busy": 20.0,
    "matrix_busy": 1.0,
    "lanes": 50.0,
    "lds_conflicts": 1.5,
    "stall_wait": 75.0,
    "stall_lds": 1.0,
    "matrix_operations": 512 * 2000,
    "registers": 48.0,
    "lds_bytes": 2048.0,
}


@pytest.mark.parametrize(("tool", "fake"), [(rocprof, fakes.rocprofv3), (rocprof_compute, fakes.rocprof_compute)])
def test_two_tools_of_one_vendor_give_the_same_metrics(place: Path, tool: Any, fake: Any) -> None:
    fake(place)
    found = collected(tool, place)
    assert len(found.launches) == 2
    metrics, absent = amd_counters.metrics(found.launches[1], "gfx942", tool.NAME, found.refused)
    assert {name: value for name, value in values(metrics).items() if name in AMD} == pytest.approx(AMD)
    assert {one.name for one in absent} == {"dram_read", "dram_written"}
    assert all(metric.unit == METRICS[metric.name].unit and metric.tool == tool.NAME for metric in metrics)
    assert len(metrics) >= 22


def test_the_first_replay_does_not_count(place: Path) -> None:
    fakes.rocprofv3(place)  # its first turn takes 21 us
    assert collected(rocprof, place).launches[0]["duration"] == 20.0


def test_columns_of_an_older_rocm(place: Path) -> None:
    fakes.rocprofv3(place, newer=False)
    found = collected(rocprof, place)
    metrics, absent = amd_counters.metrics(found.launches[0], "gfx942", "rocprofv3", {})
    assert values(metrics)["registers"] == 40.0
    assert {"duration"} <= {one.name for one in absent}


def test_a_replay_may_write_where_a_tool_has_it_write_its_report(place: Path) -> None:
    """The traced process of rocprofv3 does, and temporary folders may lie anywhere."""
    fakes.rocprofv3(place)
    fakes.rocprof_compute(place)
    groups = fakes.Replay(place)
    rocprof.collect(groups, "gfx942", place / "work", **LIMITS)  # type: ignore[arg-type]
    assert groups.reports == sorted((place / "work").glob("group*"), key=lambda one: int(one.name[5:]))
    assert groups.reports
    whole = fakes.Replay(place)
    rocprof_compute.collect(whole, "gfx942", place / "work", **LIMITS)  # type: ignore[arg-type]
    assert whole.reports == [place / "work"]


def test_json_of_rocprofv3_says_the_same_as_its_csv() -> None:
    rows = rocprof.rows_of_json(fakes.rocprofv3_json(("rows", "columns"), 3))
    (launch, _) = aligned(rows, ("rows", "columns"), "rocprofv3")
    metrics, _ = amd_counters.metrics(launch, "gfx942", "rocprofv3", {})
    assert values(metrics)["duration"] == 20.0
    assert values(metrics)["l2_hit"] == 75.0
    assert values(metrics)["scratch_bytes"] == 16.0


def test_no_group_asks_for_more_than_the_hardware_counts_at_a_time() -> None:
    most = {"SQ": 8, "TCP": 4, "TCC": 4, "TA": 2, "GRBM": 2}
    for target in ("gfx90a", "gfx942", "gfx950"):
        for group in amd_counters.groups(target):
            assert len(set(group)) == len(group)
            for block, limit in most.items():
                assert sum(name.split("_")[0] == block for name in group) <= limit, (target, block, group)


def test_on_gfx90a_what_leaves_the_l2_is_the_memory() -> None:
    counters = {"TCC_EA_RDREQ_sum": 10.0, "TCC_EA_RDREQ_32B_sum": 4.0}
    metrics, _ = amd_counters.metrics(counters, "gfx90a", "rocprofv3", {})
    assert values(metrics) == {"dram_read": 64 * 6 + 32 * 4}


def test_ncu(place: Path) -> None:
    fakes.ncu(place)
    found = collected(ncu, place, target="sm_90")
    assert found.version == "2025.1.0.0"
    metrics, absent = ncu.metrics(found.launches[0], found.refused)
    known = values(metrics)
    assert known["duration"] == pytest.approx(12.5)
    assert known["dram_read"] == 33_554_432
    assert known["dram_share"] == 71.25
    assert known["lds_bytes"] == pytest.approx(8190)
    assert known["lds_conflicts"] == pytest.approx(0.5)
    assert known["stall_memory"] == 40.0
    assert {one.name: one.why for one in absent} == {
        "matrix_busy": "ncu gave no number for sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_active"
    }
    assert len(metrics) >= 23


def test_a_metric_that_ncu_does_not_know_costs_no_other(place: Path) -> None:
    lacking = "sm__inst_executed_pipe_fma.avg.pct_of_peak_sustained_active"
    fakes.ncu(place, unknown=lacking)
    found = collected(ncu, place, target="sm_90")
    metrics, absent = ncu.metrics(found.launches[0], found.refused)
    assert "duration" in values(metrics)
    assert {one.name: one.why for one in absent}["vector_busy"] == "ncu knows no such metric on this device"


def test_proton(place: Path) -> None:
    script = "import pathlib, sys; pathlib.Path(sys.argv[2] + '.hatchet').write_text(%r); print('triton 3.6.0')"
    tree = fakes.proton_tree(("rows", "columns"), 3)
    found = collected(proton, place, script=script % tree)
    assert [launch["duration"] for launch in found.launches] == [20.0, 40.0]
    assert found.version == "of triton 3.6.0"


def test_proton_of_another_kernel_is_no_profile() -> None:
    with pytest.raises(Unavailable, match="saw nothing of kernel rows"):
        proton.launches_of(fakes.proton_tree(("other",), 3), ("rows",))


def test_a_profile_of_another_plan_is_refused(place: Path) -> None:
    fakes.rocprofv3(place, kernels=("rows", "rows", "columns"))
    with pytest.raises(Unavailable, match="is not the plan: 9 launches by the names of its kernels, 2 in the plan"):
        collected(rocprof, place)


def test_two_launches_of_one_kernel_are_told_apart_by_their_order() -> None:
    rows = [Row("void rows(float*)", {"duration": float(n % 2)}) for n in range(6)]
    assert aligned(rows, ("rows", "rows"), "a tool") == [{"duration": 0.0}, {"duration": 1.0}]


@pytest.mark.parametrize("name", ["rows", "void rows(float*, int)", "rows.kd", "rows (.kd)", "rows [clone .kd]"])
def test_names_of_kernels(name: str) -> None:
    assert name_of(name) == "rows"


def test_a_tool_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for tool in (rocprof, rocprof_compute, ncu):
        with pytest.raises(Unavailable, match=f"{tool.NAME} is not installed here"):
            collected(tool, tmp_path)


SAID = {
    "==ERROR== ERR_NVGPUCTRPERM - The user does not have permission to access NVIDIA GPU Performance Counters on the "
    "target device 0.": "keeps performance counters for administrators",
    "Profiling failed because a driver resource was unavailable. Ensure that no other tool (like DCGM) is concurrently "
    "collecting profiling data.": "another program, such as DCGM",
    "Unable to open /dev/kfd read-write: Permission denied": "cannot open /dev/kfd: join the group",
    "torch.OutOfMemoryError: HIP out of memory. Tried to allocate 64.00 GiB": "does not fit into the device's memory",
    "Memory access fault by GPU node-4 (Agent handle: 0x55) on address 0x7f.": "reached outside its memory",
    "RuntimeError: HIP error: no kernel image is available for execution on the device": "another architecture",
    "amdgpu: GPU reset begin!": "driver was reset",
    "geak-replay: the case does not fit: 3 GiB of 2": "the case does not fit: 3 GiB of 2",
    "something nobody knows": "a tool ended with code 1: something nobody knows",
}


@pytest.mark.parametrize(("said", "told"), SAID.items(), ids=range(len(SAID)))
def test_what_tools_say_when_they_fail_becomes_a_sentence(said: str, told: str) -> None:
    words = sentence(Ran(1, "", f"{said}\n"), "a tool")
    assert told in words
    assert "\n" not in words


def test_one_group_that_fails_costs_its_own_metrics_alone(place: Path) -> None:
    fakes.rocprofv3(place)
    path = place / "bin/rocprofv3"
    refuse = "if 'SQ_INSTS' in argv:\n    sys.exit('EXCEEDS_HW_LIMIT')\n"
    path.write_text(path.read_text().replace("argv = sys.argv[1:]\n", f"argv = sys.argv[1:]\n{refuse}"))
    found = collected(rocprof, place)
    metrics, absent = amd_counters.metrics(found.launches[0], "gfx942", "rocprofv3", found.refused)
    assert "occupancy" in values(metrics)
    why = {one.name: one.why for one in absent}
    assert why["lds_conflicts"] == "it asks for more counters at a time than this device has"


def test_a_tool_that_hangs_is_ended_with_all_that_it_started(place: Path) -> None:
    body = "print(subprocess.Popen(['sleep', '600']).pid, flush=True)\nimport time\ntime.sleep(600)"
    path = fakes.program(place / "bin", "rocprof", body)
    with pytest.raises(Unavailable, match="rocprof did not finish in 2 s"):
        run([str(path)], place, {"PATH": "/usr/bin:/bin"}, 2.0)
    assert gone(int((place / "stdout").read_text()))


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", '"Dispatch_Id","Process_Id"\nx,y\n', "\x00\xff"])
def test_reports_that_are_none(text: str) -> None:
    for reader in (rocprof.rows_of_csv, rocprof_compute.rows_of_csv, ncu.rows_of_csv, rocprof.rows_of_json):
        with contextlib.suppress(Unavailable):
            assert list(reader(text)) == []
