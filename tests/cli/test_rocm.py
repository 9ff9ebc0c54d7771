"""On a ROCm machine nothing says CUDA: doctor names what AMD calls its devices, and its software."""

from __future__ import annotations

from pathlib import Path

import pytest

from geak.cli.doctor import report
from geak_evaluator.measure import devices
from geak_evaluator.schema.wire import VERSION, Hello
from tests.measure import machines


def hello(root: Path) -> Hello:
    gpus = devices.gpus(root)
    return Hello(VERSION, "3.12.3", {"torch": "2.11.0+rocm7.1"}, "confined", gpus=gpus, software=devices.software(root))


def test_doctor_on_rocm(tmp_path: Path) -> None:
    text = "\n".join(report(hello(machines.amd(tmp_path))))
    assert "rocm       7.1.1-38" in text
    assert "hip        7.1.52802" in text
    assert "devices    0: AMD Instinct MI300X, gfx942, 304 CUs, 8 XCDs, wave64, 192 GiB [GPU-21b6d61638a86f8c]" in text
    assert "           1: AMD Instinct MI300X" in text
    assert "cuda" not in text.lower()
    assert "nvidia" not in text.lower()


def test_doctor_where_the_device_files_are_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machines.amd(tmp_path, 1)
    monkeypatch.setattr(devices.os, "access", lambda *_: False)
    text = "\n".join(report(hello(tmp_path)))
    assert "which this user cannot open" in text
    assert "--device /dev/kfd --device /dev/dri --group-add render" in text


def test_doctor_of_a_card_that_is_not_described(tmp_path: Path) -> None:
    text = "\n".join(report(hello(machines.amd(tmp_path, 1, version=110000))))
    assert "gfx1100 is not described: kernels are not timed on it" in text
