"""The vendors' programs as they behave at the process boundary: small scripts that print and write what theirs do.

Layouts are those of ROCm 6.2 (rocprofiler-sdk 0.5) and 7.1 (1.1), rocprof-compute 3.0.0, Nsight Compute 2025.1, Triton
3.6's Proton, amd-smi 24.6 and nvidia-smi 550, by their documentation and the samples in their repositories.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


def program(folder: Path, name: str, body: str) -> Path:
    """An executable of that name; its body is Python, with `sys`, `os`, `json` and the arguments in `argv`."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    start = "import json, os, subprocess, sys, pathlib\nargv = sys.argv[1:]\n"
    path.write_text(f"#!{sys.executable} -IS\n{start}{body}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@dataclass
class Replay:
    """A replay of two launches whose process does nothing but run."""

    folder: Path
    kernels: tuple[str, ...] = ("rows", "columns")
    script: str = "pass"
    more: Mapping[str, str] = field(default_factory=dict)
    reports: list[Path | None] = field(default_factory=list)
    """The folders that it was let write into for a tool."""

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": f"{self.folder / 'bin'}:/usr/bin:/bin", "TMPDIR": str(self.folder), **self.more}

    def command(self, times: int, *, proton: Path | None = None, report: Path | None = None) -> list[str]:
        self.reports.append(report)
        return [sys.executable, "-IS", "-c", self.script, str(times), str(proton or "")]


_TIMES = "times = int(command[command.index('--times') + 1] if '--times' in command else command[-2])\n"
_RUN = f"command = argv[argv.index('--') + 1:]\nsubprocess.run(command, check=True)\n{_TIMES}"

COUNTERS = {
    "SQ_WAVES": 16384,
    "SQ_WAVE_CYCLES": 4_864_000,
    "SQ_ACTIVE_INST_VALU": 608_000,
    "SQ_ACTIVE_INST_SCA": 30_400,
    "SQ_VALU_MFMA_BUSY_CYCLES": 121_600,
    "SQ_WAIT_ANY": 3_648_000,
    "SQ_WAIT_INST_ANY": 243_200,
    "GRBM_GUI_ACTIVE": 80_000,
    "TCC_HIT_sum": 3000,
    "TCC_MISS_sum": 1000,
    "TCC_REQ_sum": 4000,
    "SQ_INSTS": 1_000_000,
    "SQ_THREAD_CYCLES_VALU": 19_456_000,
    "SQ_LDS_BANK_CONFLICT": 600,
    "SQ_LDS_IDX_ACTIVE": 1000,
    "SQ_WAIT_INST_LDS": 48_640,
    "SQ_ACTIVE_INST_VMEM": 100_000,
    "SQ_ACTIVE_INST_FLAT": 0,
    "TCC_EA0_RDREQ_sum": 1_000_000,
    "TCC_EA0_RDREQ_32B_sum": 0,
    "TCC_EA0_WRREQ_sum": 500_000,
    "TCC_EA0_WRREQ_64B_sum": 500_000,
    "TCC_BUBBLE_sum": 600_000,
    "TCP_TOTAL_CACHE_ACCESSES_sum": 2000,
    "TCP_TCC_READ_REQ_sum": 900,
    "TCP_TCC_WRITE_REQ_sum": 100,
    "TCP_TOTAL_ACCESSES_sum": 32_768,
    "TA_TOTAL_WAVEFRONTS_sum": 1024,
    **{f"SQ_INSTS_VALU_MFMA_MOPS_{name}": 0 for name in ("BF16", "F32", "F64", "I8", "F8")},
    "SQ_INSTS_VALU_MFMA_MOPS_F16": 2000,
}
"""What the fakes of AMD's profilers count of each launch."""


def rocprofv3(folder: Path, *, kernels: Sequence[str] = ("rows", "columns"), newer: bool = True) -> Path:
    """Writes `NAME_counter_collection.csv`, a line a dispatch and counter; `newer` as ROCm 7.1, else as ROCm 6.2."""
    before = '"Correlation_Id","Dispatch_Id","Agent_Id","Queue_Id","Process_Id","Thread_Id","Grid_Size","Kernel_Id",'
    columns = {
        True: '"Kernel_Name","Workgroup_Size","LDS_Block_Size","Scratch_Size","VGPR_Count","Accum_VGPR_Count",'
        '"SGPR_Count","Counter_Name","Counter_Value","Start_Timestamp","End_Timestamp"',
        False: '"Kernel_Name","Workgroup_Size","LDS_Block_Size","Scratch_Size","VGPR_Count","SGPR_Count",'
        '"Counter_Name","Counter_Value"',
    }[newer]
    body = f"""
if argv == ["--version"]:
    print("    version: 1.1.0\\n    git_revision: abc"); sys.exit()
{_RUN}
asked = argv[argv.index('--pmc') + 1:argv.index('--output-format')]
assert argv[argv.index('--output-format') + 1] == 'csv'
folder, name = argv[argv.index('-d') + 1], argv[argv.index('-o') + 1]
counters = {COUNTERS!r}
lines = [{before + columns!r}]
dispatch = 0
for turn in range(times):
    for kernel in ["__amd_rocclr_fillBufferAligned", *{list(kernels)!r}]:
        dispatch += 1
        start = 1000000 * dispatch
        end = start + 20000 + 1000 * (turn == 0)
        for counter in asked:
            value = "%.6f" % counters[counter]
            head = f'{{dispatch}},{{dispatch}},"Agent 4",1,77,77,1048576,19,"{{kernel}}.kd",256,2048,'
            if {newer}:
                lines.append(head + f'0,40,8,16,"{{counter}}",{{value}},{{start}},{{end}}')
            else:
                lines.append(head.replace('"Agent 4"', '1') + f'0,40,16,"{{counter}}",{{value}}')
place = pathlib.Path(folder)
place.mkdir(parents=True, exist_ok=True)
(place / (name + "_counter_collection.csv")).write_text("\\n".join(lines) + "\\n")
"""
    return program(folder / "bin", "rocprofv3", body)


def rocprofv3_json(kernels: Sequence[str], times: int) -> str:
    """`NAME_results.json` by the schema that ships with rocprofiler-sdk."""
    numbers = {name: 100 + number for number, name in enumerate(COUNTERS)}
    collected = []
    dispatches = []
    for number in range(times * len(kernels)):
        info = {
            "size": 64,
            "agent_id": {"handle": 1},
            "queue_id": {"handle": 2},
            "kernel_id": number % len(kernels),
            "dispatch_id": number + 1,
            "private_segment_size": 16,
            "group_segment_size": 2048,
            "workgroup_size": {"x": 256, "y": 1, "z": 1},
            "grid_size": {"x": 1024, "y": 1, "z": 1},
        }
        data = {"size": 8, "correlation_id": {"internal": number, "external": 0}, "dispatch_info": info}
        records = [{"counter_id": {"handle": numbers[name]}, "value": value} for name, value in COUNTERS.items()]
        collected.append(
            {
                "dispatch_data": data,
                "records": records,
                "thread_id": 7,
                "arch_vgpr_count": 40,
                "sgpr_count": 16,
                "lds_block_size_v": 2048,
            }
        )
        start = 5000 + 100_000 * number
        dispatches.append({"dispatch_info": info, "start_timestamp": start, "end_timestamp": start + 20_000})
    tool = {
        "counters": [{"id": {"handle": n}, "name": name, "block": "SQ"} for name, n in numbers.items()],
        "kernel_symbols": [{"kernel_id": n, "formatted_kernel_name": name} for n, name in enumerate(kernels)],
        "callback_records": {"counter_collection": collected[::-1]},
        "buffer_records": {"kernel_dispatch": dispatches},
    }
    return json.dumps({"rocprofiler-sdk-tool": [tool]})


def rocprof_compute(folder: Path, kernels: Sequence[str] = ("rows", "columns")) -> Path:
    """Writes `pmc_perf.csv`, a line a dispatch: channels of TCC apart, columns that merging repeats with a number."""
    names = [name for name in COUNTERS if name != "TCC_BUBBLE_sum"]
    head = (
        "Dispatch_ID,GPU_ID,Grid_Size,Workgroup_Size,LDS_Per_Workgroup,Scratch_Per_Workitem,Arch_VGPR,Accum_VGPR,SGPR,"
        "Wave_Size,Kernel_Name,Correlation_ID," + ",".join(names) + ",Wave_Size_1,TCC_BUBBLE[0],TCC_BUBBLE[1],"
        "Start_Timestamp,End_Timestamp"
    )
    counted = ",".join(f"{COUNTERS[name]}.0" for name in names)
    body = f"""
{_RUN}
assert argv[0] == "profile" and "--no-roof" in argv
folder = pathlib.Path(argv[argv.index('-p') + 1])
folder.mkdir(parents=True)
lines = [{head!r}]
for number in range(times * {len(kernels)}):
    kernel = {list(kernels)!r}[number % {len(kernels)}]
    start = 10 ** 12 + 100000 * number
    lines.append(f'{{number}},60633,1048576,256,2048,0,40,8,16,64,"{{kernel}} (.kd)",0,' + {counted!r}
                 + f',64,300000.0,300000.0,{{start}},{{start + 20000}}')
(folder / "pmc_perf.csv").write_text("\\n".join(lines) + "\\n")
print("rocprofiler-compute version: 3.0.0")
"""
    return program(folder / "bin", "rocprof-compute", body)


NCU = {
    "gpu__time_duration.sum": ("ns", "12,500"),
    "dram__bytes_read.sum": ("byte", "33,554,432"),
    "dram__bytes_write.sum": ("byte", "4,194,304"),
    "dram__throughput.avg.pct_of_peak_sustained_elapsed": ("%", "71.25"),
    "launch__registers_per_thread": ("register/thread", "32"),
    "launch__shared_mem_per_block": ("Kbyte/block", "8.19"),
    "l1tex__data_bank_conflicts_pipe_lsu_mem_shared.sum": ("", "1,000"),
    "l1tex__data_pipe_lsu_wavefronts_mem_shared.sum": ("", "3,000"),
    "sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_active": ("%", "n/a"),
}
"""What the fake of ncu gives, with its unit; every other metric is 40 %."""


def ncu(folder: Path, kernels: Sequence[str] = ("rows", "columns"), *, unknown: str = "") -> Path:
    """Prints its own lines and then a table of the raw page: names, units, a line for each launch."""
    body = f"""
if argv == ["--version"]:
    print("NVIDIA (R) Nsight Compute Command Line Profiler\\nVersion 2025.1.0.0 (build 35237751) (public-release)")
    sys.exit()
assert "sudo" not in argv and argv[argv.index('--clock-control') + 1] == 'none'
asked = argv[argv.index('--metrics') + 1].split(",")
if {unknown!r} in asked:
    print("==ERROR== Failed to find metric regex:^" + {unknown!r} + "$")
    sys.exit(1)
command = argv[argv.index('--config-file') + 2:]
print("==PROF== Connected to process 108 (/usr/bin/python3.12)")
subprocess.run(command, check=True)
known = {NCU!r}
quote = lambda cells: ",".join('"' + cell + '"' for cell in cells)
head = ["ID", "Process ID", "Process Name", "Host Name", "Kernel Name", "Context", "Stream", "Block Size", "Grid Size",
        "Device", "CC"]
{_TIMES}
print("==PROF== Profiling \\"rows\\" - 0: 0%....50%....100% - 9 passes")
print(quote([*head, *asked]))
print(quote([*[""] * len(head), *[known.get(name, ("%", ""))[0] for name in asked]]))
for number in range(times * {len(kernels)}):
    kernel = {list(kernels)!r}[number % {len(kernels)}]
    first = [str(number), "108", "python3.12", "127.0.0.1", kernel, "1", "7", "(128, 1, 1)", "(977, 1, 1)", "0", "9.0"]
    print(quote([*first, *[known.get(name, ("", "40.00"))[1] for name in asked]]))
print("==PROF== Disconnected from process 108")
"""
    return program(folder / "bin", "ncu", body)


def proton_tree(kernels: Sequence[str], times: int, *, vendor: str = "HIP") -> str:
    """What Proton writes for `data="tree"`: roots, the last of which tells of the devices."""

    def frame(name: str, children: list[object], metrics: Mapping[str, object]) -> dict[str, object]:
        return {"children": children, "frame": {"name": name, "type": "function"}, "metrics": metrics}

    scopes = []
    for number, kernel in enumerate(kernels):
        counted = {"count": times, "device_id": "0", "device_type": vendor, "time (ns)": 20_000 * times * (number + 1)}
        scopes.append(frame(f"launch-{number}", [frame(kernel, [], counted)], {}))
    device = {"arch": "gfx942", "bus_width": 8192, "clock_rate": 2100000, "memory_clock_rate": 1300000, "num_sms": 304}
    return json.dumps([frame("ROOT", scopes, {"count": 0, "time (ns)": 0}), {vendor: {"0": device}}])


def environment(folder: Path) -> dict[str, str]:
    """The fakes before everything else."""
    return {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
