"""Joules by each sensor that a board may have, and no figure where the sensor could not tell."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from geak_evaluator.measure.energy import AmdSmi, Counted, GpuMetrics, NoSensor, Nvml, Sampled, TooShort, observer
from geak_evaluator.schema.device import Gpu
from tests.measure import fakes
from tests.measure.machines import put

AMD = Gpu("amd", "GPU-21b6d61638a86f8c", 1, name="AMD Instinct MI300X", bus="0000:05:00.0")
NVIDIA = Gpu("nvidia", "GPU-00000000-1a2b", name="NVIDIA H100")


class Clock:
    """A clock that is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Board:
    """A counter that is set."""

    source, period_s, step = "a counter", 0.1, 1e-3
    total = 1000.0

    def joules(self) -> float:
        return self.total


def test_joules_of_a_call_and_how_far_off_they_may_be() -> None:
    board, clock = Board(), Clock()
    watcher = Counted(board, clock)
    watcher.start()
    board.total, clock.now = 2400.0, 4.0
    found = watcher.energy(70_000)
    assert found.joules == pytest.approx(0.02)
    assert found.watts == pytest.approx(350.0)
    assert found.error == pytest.approx(0.05, rel=0.01)
    assert found.brief == "20 mJ a call (within 5%), 350 W over 4.0 s and 70,000 calls, by a counter"


def test_what_is_too_short_has_no_figure() -> None:
    board, clock = Board(), Clock()
    watcher = Counted(board, clock)
    watcher.start()
    board.total, clock.now = 1070.0, 0.2
    with pytest.raises(TooShort, match=r"0\.2 s are too short for a counter, renewed every 100 ms"):
        watcher.energy(100)
    assert watcher.enough_s == pytest.approx(2.0)


PLACES = [((1, 3), 24), ((1, 4), 24), ((1, 5), 88), ((1, 6), 16), ((1, 7), 24), ((1, 8), 24)]


@pytest.mark.parametrize(("version", "place"), PLACES)
def test_amdgpus_table(tmp_path: Path, version: tuple[int, int], place: int) -> None:
    data = bytearray(1664)
    struct.pack_into("<HBB", data, 0, len(data), *version)
    struct.pack_into("<Q", data, place, 5 << 16)
    file = tmp_path / "gpu_metrics"
    file.write_bytes(data)
    assert GpuMetrics(file).joules() == 5.0


def attributes(*given: tuple[int, int, list[int]], count: int | None = None) -> bytes:
    """A table of version 1.9: attributes by number and type, packed as the driver packs them."""
    body = b""
    for number, kind, values in given:
        form = "BbHhIiQq"[kind]
        body += struct.pack(f"<Q{len(values)}{form}", kind << 20 | number << 10 | len(values), *values)
    return struct.pack("<HBBI", 8 + len(body), 1, 9, len(given) if count is None else count) + body


def test_amdgpus_table_of_attributes(tmp_path: Path) -> None:
    file = tmp_path / "gpu_metrics"
    file.write_bytes(
        attributes((0, 2, [42]), (33, 2, [2100] * 8), (6, 6, [5325]), (7, 6, [5 << 16]), (8, 6, [1 << 40]))
    )
    assert GpuMetrics(file).joules() == 5.0


NOTHING = [
    *(b"", b"\x20\x01\x02\x09" + bytes(284), b"\x20\x01\x01\x04" + bytes(284)),
    struct.pack("<HBB", 384, 1, 6) + b"\1" * 380,  # the first form of 1.6
    struct.pack("<HBB", 384, 1, 10) + b"\1" * 380,
    *(attributes(), attributes((0, 2, [42])), attributes((7, 4, [5 << 16])), attributes((7, 6, [0]))),
    *(attributes((0, 2, [42]), count=99), attributes((0, 2, [42]))[:12]),
    struct.pack("<HBBIQ", 16, 1, 9, 1, 9 << 20 | 1) + bytes(64),
]


@pytest.mark.parametrize("data", NOTHING)
def test_a_table_that_tells_nothing(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "gpu_metrics"
    file.write_bytes(data)
    with pytest.raises(NoSensor):
        GpuMetrics(file).joules()


OLDER = [{"gpu": 1, "energy": {"total_energy_consumption": {"value": 1234.5, "unit": "J"}}}]
NEWER = {"gpu_data": OLDER}


@pytest.mark.parametrize("said", [OLDER, NEWER, [{"gpu": 1, "energy": {"total_energy_consumption": "1234.5 J"}}]])
def test_amd_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: object) -> None:
    body = f"assert argv == ['metric', '--energy', '--json', '-g', '1']\nprint({json.dumps(said)!r})"
    fakes.program(tmp_path / "bin", "amd-smi", body)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert AmdSmi(1).joules() == 1234.5


def test_the_finest_sensor_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoSensor, match=r"cannot be measured on AMD Instinct MI300X: .*amd-smi is not installed"):
        observer(AMD, root=tmp_path)
    put(tmp_path, f"sys/bus/pci/devices/{AMD.bus}/gpu_metrics")
    (tmp_path / f"sys/bus/pci/devices/{AMD.bus}/gpu_metrics").write_bytes(
        struct.pack("<HBB20xQ", 288, 1, 4, 1 << 16) + bytes(256)
    )
    assert "15" not in observer(AMD, root=tmp_path).limits
    assert "1.5e-05 J" in observer(AMD, root=tmp_path).limits


_NVML = """
#include <string.h>
static unsigned long long millijoules = 5000;
int nvmlInit_v2(void) { return 0; }
int nvmlDeviceGetHandleByUUID(const char *uuid, void **device) {
    *device = &millijoules;
    return strcmp(uuid, "GPU-00000000-1a2b") != 0;
}
int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *energy) {
    *energy = *(unsigned long long *)device += 250;
    return 0;
}
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="a C compiler makes the library that stands for NVML")
def test_nvml(tmp_path: Path) -> None:
    (tmp_path / "nvml.c").write_text(_NVML)
    library = str(tmp_path / "libnvidia-ml.so.1")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, str(tmp_path / "nvml.c")], check=True)
    meter = Nvml(NVIDIA.uuid, library)
    first = meter.joules()
    assert meter.joules() - first == pytest.approx(0.25)
    with pytest.raises(NoSensor, match="NVML does not know GPU-other"):
        Nvml("GPU-other", library).joules()
    assert isinstance(observer(NVIDIA, nvml=library), Counted)


def test_samples_of_power(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "assert '-lms=20' in argv\nprint('[N/A]')\nprint('300.00')\nprint('400.00', flush=True)\n"
    mark = tmp_path / "sampled"
    body += f"pathlib.Path({str(mark)!r}).touch()\nimport time\ntime.sleep(600)"
    fakes.program(tmp_path / "bin", "nvidia-smi", body)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    watcher = observer(NVIDIA, nvml=str(tmp_path / "none.so"))
    assert isinstance(watcher, Sampled)
    clock = Clock()
    watcher._clock = clock
    watcher.start()
    while not mark.exists():
        os.sched_yield()
    clock.now = 10.0
    assert watcher.energy(1000).joules == pytest.approx(3.5)
