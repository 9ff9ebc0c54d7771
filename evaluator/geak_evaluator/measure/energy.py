"""Joules of a board, read and never set: an observer around calls that follow each other without a pause.

A sensor is renewed every so often and in steps, so that what is measured must last for many periods: `enough` says how
long. Calls between which caches are cleared must not be observed: clearing them costs more than most kernels.
"""

from __future__ import annotations

import contextlib
import csv
import ctypes
import json
import shutil
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from geak_evaluator.schema.device import Gpu
from geak_evaluator.schema.energy import Energy

MOST_ERROR = 0.1
"""A figure that may be further off than this is none."""
_PATIENCE_S = 20


class NoSensor(Exception):
    """Nothing here tells of a device's energy; the message says why."""


class TooShort(Exception):
    """What was observed ended before the sensor could tell it from its own steps."""


class Meter(Protocol):
    """A sensor that counts a board's joules."""

    @property
    def source(self) -> str:
        """What it is called."""

    @property
    def period_s(self) -> float:
        """How often it is renewed, and how long a reading may take besides."""

    @property
    def step(self) -> float:
        """Joules between two values that it can show."""

    def joules(self) -> float:
        """Since whenever."""


@dataclass(frozen=True)
class Nvml:
    """NVIDIA's library beside its driver: millijoules since that was loaded, on Volta and later."""

    uuid: str
    library: str = "libnvidia-ml.so.1"
    source: str = "NVML's energy counter"
    period_s: float = 0.1
    step: float = 1e-3

    def joules(self) -> float:
        """Now."""
        nvml, handle = self._opened()
        value = ctypes.c_ulonglong()
        if nvml.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(value)) != 0:
            raise NoSensor("this GPU has no energy counter (Volta and later have one)")
        return value.value / 1e3

    def _opened(self) -> tuple[Any, ctypes.c_void_p]:
        try:
            nvml = ctypes.CDLL(self.library)
        except OSError:
            raise NoSensor(f"{self.library} cannot be loaded") from None
        handle = ctypes.c_void_p()
        if nvml.nvmlInit_v2() != 0 or nvml.nvmlDeviceGetHandleByUUID(self.uuid.encode(), ctypes.byref(handle)) != 0:
            raise NoSensor(f"NVML does not know {self.uuid}")
        return nvml, handle


_PLACES = {(1, 3): 24, (1, 4): 24, (1, 5): 88, (1, 6): 16, (1, 7): 24, (1, 8): 24}
"""Where the accumulator lies in amdgpu's table, by its version (kgd_pp_interface.h of Linux)."""
_TAKEN_BACK = (384, 1, 6)
"""The size and version of a first form of 1.6, laid out as 1.5 is: its number was given to another."""
_ENERGY, _WIDTHS = 7, (1, 1, 2, 2, 4, 4, 8, 8)
"""Of version 1.9: the accumulator's number among attributes, and how wide the values of each type are."""
_UNIT = 2**-16


@dataclass(frozen=True)
class GpuMetrics:
    """The table that amdgpu keeps for each card, in a file: an accumulator in steps of 15.259 microjoules."""

    file: Path
    source: str = "amdgpu's energy accumulator"
    period_s: float = 0.005
    step: float = _UNIT

    def joules(self) -> float:
        """Now."""
        try:
            data = self.file.read_bytes()
            (steps,) = struct.unpack_from("<Q", data, _place(data))
        except (OSError, struct.error):
            raise NoSensor(f"{self.file} cannot be read") from None
        except KeyError:
            raise NoSensor(f"{self.file} has a version that is not known here") from None
        if steps in (0, (1 << 64) - 1):
            raise NoSensor("this card's energy accumulator is not kept")
        return float(steps * _UNIT)


def _place(table: bytes) -> int:
    """Where a table's accumulator lies; KeyError where that is not known."""
    size, form, content = struct.unpack_from("<HBB", table)
    if (form, content) == (1, 9):
        return _among_attributes(table)
    if (size, form, content) == _TAKEN_BACK:
        raise KeyError(content)
    return _PLACES[form, content]


def _among_attributes(table: bytes) -> int:
    """A count, and so often a word that says what follows it, of which type, and how many."""
    (count,) = struct.unpack_from("<I", table, 4)
    place = 8
    for _ in range(count):
        (word,) = struct.unpack_from("<Q", table, place)
        number, kind, many = word >> 10 & 0x3FF, word >> 20 & 0xF, word & 0x3FF
        if kind >= len(_WIDTHS):
            break
        if (number, _WIDTHS[kind], many) == (_ENERGY, 8, 1):
            return place + 8
        place += 8 + many * _WIDTHS[kind]
    raise KeyError(_ENERGY)


@dataclass(frozen=True)
class AmdSmi:
    """AMD's program, asked at either end: it takes part of a second to start."""

    index: int
    source: str = "amd-smi's energy counter"
    period_s: float = 0.5
    step: float = 1e-3

    def joules(self) -> float:
        """Now."""
        said = _said("amd-smi", "metric", "--energy", "--json", "-g", str(self.index))
        try:
            value = next(_values(json.loads(said), "total_energy_consumption"))
            return float(value["value"] if isinstance(value, dict) else str(value).split()[0])
        except (ValueError, KeyError, StopIteration, RecursionError):
            raise NoSensor("amd-smi does not tell this card's energy") from None


def _values(node: Any, name: str) -> Iterator[Any]:
    """By its name, wherever it lies: versions differ in what they wrap around it."""
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    if isinstance(node, dict) and name in node:
        yield node[name]
    for child in children:
        yield from _values(child, name)


def _said(name: str, *words: str) -> str:
    path = shutil.which(name) or shutil.which(name, path="/opt/rocm/bin")
    if path is None:
        raise NoSensor(f"{name} is not installed here")
    try:
        ran = subprocess.run([path, *words], capture_output=True, text=True, timeout=_PATIENCE_S, errors="replace")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoSensor(f"{name} does not answer: {error}") from None
    if ran.returncode:
        last = next((line for line in reversed(ran.stderr.splitlines()) if line.strip()), "it does not say why")
        raise NoSensor(f"{name} refuses: {last.strip()[:200]}")
    return ran.stdout


class Counted:
    """An observer by a counter of joules."""

    def __init__(self, meter: Meter, clock: Callable[[], float] = time.monotonic) -> None:
        self._meter, self._clock = meter, clock
        self._begun, self._joules = 0.0, 0.0
        self.seconds = 0.0

    @property
    def limits(self) -> str:
        """How finely the sensor tells."""
        return f"renewed every {self._meter.period_s * 1000:.0f} ms, in steps of {self._meter.step:.2g} J"

    @property
    def enough_s(self) -> float:
        """How long calls must go on for an error within bounds."""
        return 2 * self._meter.period_s / MOST_ERROR

    def start(self) -> None:
        """Right before the first call."""
        self._joules, self._begun = self._meter.joules(), self._clock()

    def stop(self, calls: int) -> dict[str, float]:
        """When the device has done them."""
        self.seconds = self._clock() - self._begun
        return {"joules": self._meter.joules() - self._joules}

    def energy(self, calls: int) -> Energy:
        """What `calls` calls came to; TooShort where the sensor cannot tell."""
        joules = self.stop(calls)["joules"]
        meter = self._meter
        slack = 2 * meter.step + 2 * meter.period_s * joules / self.seconds if self.seconds else float("inf")
        return _told(joules, slack, calls, self.seconds, meter.source, self.limits)


class Sampled:
    """An observer by samples of power, for boards that count no joules: `nvidia-smi` in a loop."""

    _EVERY_MS = 20
    _PERIOD_S = 0.1

    def __init__(self, uuid: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._uuid, self._clock = uuid, clock
        self._process: subprocess.Popen[bytes] | None = None
        self.seconds = 0.0

    limits = "power averaged by the board over up to 100 ms, sampled every 20 ms"
    enough_s = 2 * _PERIOD_S / MOST_ERROR

    def start(self) -> None:
        """Right before the first call."""
        path = shutil.which("nvidia-smi")
        if path is None:
            raise NoSensor("nvidia-smi is not installed here")
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed when sampling stops
        words = ["--query-gpu=power.draw", "--format=csv,noheader,nounits", f"-lms={self._EVERY_MS}", "-i", self._uuid]
        self._process = subprocess.Popen([path, *words], stdout=self._file, stderr=subprocess.DEVNULL)
        self._begun = self._clock()

    def stop(self, calls: int) -> dict[str, float]:
        """When the device has done them."""
        assert self._process is not None
        self.seconds = self._clock() - self._begun
        self._process.terminate()
        self._process.wait()
        self._file.seek(0)
        samples = []
        for line in csv.reader(self._file.read().decode("ascii", "replace").splitlines()):
            with contextlib.suppress(ValueError, IndexError):
                samples.append(float(line[0]))
        self._file.close()
        if not samples:
            raise NoSensor("nvidia-smi does not tell this GPU's power")
        return {"joules": self.seconds * sum(samples) / len(samples)}

    def energy(self, calls: int) -> Energy:
        """What `calls` calls came to; TooShort where the sensor cannot tell."""
        joules = self.stop(calls)["joules"]
        slack = 2 * self._PERIOD_S * joules / self.seconds if self.seconds else float("inf")
        return _told(joules, slack, calls, self.seconds, "nvidia-smi's samples of power", self.limits)


def _told(joules: float, slack: float, calls: int, seconds: float, source: str, limits: str) -> Energy:
    error = slack / joules if joules > 0 else float("inf")
    if error > MOST_ERROR or calls <= 0:
        raise TooShort(f"{seconds:.2g} s are too short for {source}, {limits}")
    return Energy(joules / calls, error, calls, seconds, source, limits)


Watcher = Counted | Sampled


def observer(gpu: Gpu, *, root: Path = Path("/"), nvml: str = "libnvidia-ml.so.1") -> Watcher:
    """The finest sensor that a device has; NoSensor with every reason where it has none."""
    reasons = []
    for meter in _meters(gpu, root, nvml):
        try:
            meter.joules()
        except NoSensor as error:
            reasons.append(str(error))
        else:
            return Counted(meter)
    if gpu.vendor == "nvidia" and shutil.which("nvidia-smi"):
        return Sampled(gpu.uuid)
    raise NoSensor(f"energy cannot be measured on {gpu.name or gpu.uuid}: {'; '.join(reasons) or 'it has no sensor'}")


def _meters(gpu: Gpu, root: Path, nvml: str) -> Sequence[Meter]:
    if gpu.vendor == "nvidia":
        return (Nvml(gpu.uuid, nvml),)
    return GpuMetrics(root / f"sys/bus/pci/devices/{gpu.bus}/gpu_metrics"), AmdSmi(gpu.index)
