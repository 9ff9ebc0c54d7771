"""`geak profile`: without a device it says what is missing, and shows what can be known, under its own word."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from geak.cli.profile import page
from geak_evaluator.schema import codec
from geak_evaluator.schema.profile import Absent, Bottleneck, Counters, Metric, Profile, Roofline, ToolReport
from geak_evaluator.schema.spec import Case
from tests.cli.test_tune import KERNEL, SPEC


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "twice.py").write_text(SPEC)
    (tmp_path / "kernel.py").write_text(KERNEL)
    return tmp_path / "twice.py", tmp_path / "kernel.py"


@pytest.fixture(autouse=True)
def nothing_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same on a machine that has a GPU."""
    from geak_evaluator import profiling

    monkeypatch.setattr(profiling.devices, "gpus", lambda: ())


def test_without_a_device(geak, files):
    found = geak("profile", *files, "-t", "gfx942")
    assert found.code == 3
    first, *rest = found.out.splitlines()
    assert first == "NOT MEASURED twice  [N=4096] there is no GPU here"
    text = "\n".join(rest)
    assert "compiled for gfx942, read off the machine code:" in text
    assert "estimated from counts and the machine code, not measured:" in text
    assert "MEASURED on" not in text
    assert "cuda" not in found.out.lower()


def test_a_case_by_its_number_or_its_sizes(geak, files):
    assert "[N=781]" in geak("profile", *files, "--case", "1").out
    assert "[N=781]" in geak("profile", *files, "--case", "N=781").out


def test_a_case_that_is_none(geak, files):
    found = geak("profile", *files, "--case", "N=7")
    assert found.code == 2
    assert "--case 'N=7': the spec has no such case; it has 0: N=4096; 1: N=781" in found.err


def test_a_device_that_is_not_there(geak, files):
    found = geak("profile", *files, "--gpu-ids", "3", "--judge", "local")
    assert found.code == 3
    assert "--gpu-ids '3': there is no device '3'; there are: none" in found.err


def test_another_judge_chooses_its_own_devices(geak, files):
    found = geak("profile", *files, "--gpu-ids", "0", "--judge", "ssh box judge")
    assert found.code == 2
    assert "choose them there" in found.err


def test_several_devices(geak, files):
    for words in (("-t", "MI300X", "-t", "H100"), ("-t", "MI300X,H100")):
        found = geak("profile", *files, *words)
        assert (found.code, found.out) == (2, "")
        assert found.err == "error: a profile is of one GPU, and --target names gfx942, sm_90; name one\n"


def test_a_kernel_without_a_plan(geak, files):
    spec, kernel = files
    kernel.write_text("def twice(x):\n    raise ValueError('no')\n")
    found = geak("profile", spec, kernel)
    assert found.code == 1
    assert "NOT MEASURED twice  [N=4096] its plan is not known: ValueError: no" in found.out


def test_json(geak, files):
    found = json.loads(geak("profile", *files, "--json").out)
    assert found["trouble"] == "there is no GPU here"
    assert found["figures"]
    assert found["estimate"]["us"] > 0
    assert "launches" not in found


MEASURED = Profile(
    "twice",
    Case({"N": 4096}),
    "gfx942",
    device="AMD Instinct MI300X",
    uuid="GPU-21b6d61638a86f8c",
    plan="0123456789abcdef",
    repeats=6,
    launches=(
        Counters(
            "_twice",
            0,
            (
                Metric("duration", 20.0, "us", "proton", "time / count"),
                Metric("l2_hit", 75.0, "%", "rocprofv3", "TCC_HIT_sum, TCC_MISS_sum"),
            ),
            (Absent("dram_read", "its counters lie before the Infinity Cache"),),
            Roofline(1e9, 33e6, True, 0.31, 0.002, "memory"),
            (Bottleneck("waves wait for memory, LDS or a barrier", "stall_wait", 75.0, "%"),),
        ),
    ),
    tools=(ToolReport("proton", "of triton 3.6.0"), ToolReport("rocprofv3", "1.1.0"), ToolReport("ncu", "", "no")),
)


def test_what_was_measured_is_told_with_its_device_and_its_tool():
    assert list(page(MEASURED)) == [
        "MEASURED twice  [N=4096] on AMD Instinct MI300X (gfx942) [GPU-21b6d61638a86f8c]",
        "  medians of 6 replays of plan 0123456789abcdef, counted by proton of triton 3.6.0, rocprofv3 1.1.0",
        "  ncu says nothing: no",
        "  launch 0: _twice, 20 us",
        "    roofline: 30.3 operations a byte (each byte counted once), under the roof of memory; it reaches 31% "
        "of the memory's bandwidth and 0% of the arithmetic",
        "    held back by: waves wait for memory, LDS or a barrier (stall_wait 75 %)",
        "    duration                        20 us         time on the device [proton]",
        "    l2_hit                          75 %          of the L2 cache's requests that found their line "
        "[rocprofv3]",
        "    not known: dram_read: its counters lie before the Infinity Cache",
    ]


def test_a_profile_crosses_the_wire():
    assert codec.from_json(Profile, codec.loads(codec.dumps(MEASURED))) == MEASURED
