"""Which described targets a machine has, read without starting a driver."""

from __future__ import annotations

from pathlib import Path

from geak_evaluator import serve


def test_an_amd_gpu_is_known_by_its_topology(tmp_path: Path) -> None:
    for number, version in enumerate((0, 90402, 90402, 100300)):  # a processor, two MI300X, an unknown GPU
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "properties").write_text(f"simd_count 4\ngfx_target_version {version}\n")
    assert list(serve._amd_targets(tmp_path)) == ["gfx942", "gfx942"]


def test_an_nvidia_gpu_is_known_by_its_model(tmp_path: Path) -> None:
    for number, model in enumerate(("NVIDIA H200", "NVIDIA A100-SXM4-80GB", "NVIDIA GeForce RTX 4090")):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "information").write_text(f"Model: \t\t {model}\nIRQ: 1\n")
    assert list(serve._nvidia_targets(tmp_path)) == ["sm_90", "sm_80"]


def test_no_gpu_is_no_target(tmp_path: Path) -> None:
    assert list(serve._amd_targets(tmp_path)) == list(serve._nvidia_targets(tmp_path)) == []
