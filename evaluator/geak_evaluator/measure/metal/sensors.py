"""Clocks, power and temperature of a real device: NVML by ctypes, and amdgpu's files; read only."""

from __future__ import annotations

import contextlib
import ctypes
import re
from pathlib import Path
from typing import Any, Protocol

from geak_evaluator.schema.timing import Conditions

_GRAPHICS, _MEMORY, _GPU_TEMPERATURE = 0, 2, 0
_EXCLUSIVE = (1, 3)
"""NVML_COMPUTEMODE_EXCLUSIVE_THREAD, as older drivers have it, and NVML_COMPUTEMODE_EXCLUSIVE_PROCESS."""


class Sensors(Protocol):
    """What can be read of one device."""

    def read(self) -> Conditions:
        """Now."""

    def max_mhz(self) -> float:
        """The fastest clock of the cores; 0 where it is not told."""

    def driver(self) -> str:
        """The driver's version."""

    def exclusive(self) -> bool:
        """Whether one process at a time may have it, as far as is told."""


def of(properties: Any, *, hip: bool) -> Sensors:
    """The sensors of a device by torch's properties of it; ones that say nothing where there are none."""
    try:
        return Amd(Path("/sys/bus/pci/devices") / address(properties)) if hip else Nvidia(address(properties))
    except (OSError, AttributeError, ValueError):
        return Silent()


def address(properties: Any) -> str:
    """Where it sits: 0000:c1:00.0."""
    domain = getattr(properties, "pci_domain_id", 0)
    bus, slot = getattr(properties, "pci_bus_id", 0), getattr(properties, "pci_device_id", 0)
    return f"{domain:04x}:{bus:02x}:{slot:02x}.0"


class Silent:
    """No sensors."""

    def read(self) -> Conditions:
        """Nothing is known."""
        return Conditions()

    def max_mhz(self) -> float:
        """Nothing is known."""
        return 0.0

    def driver(self) -> str:
        """Nothing is known."""
        return ""

    def exclusive(self) -> bool:
        """Nothing is known."""
        return False


class Nvidia:
    """By NVML, which comes with the driver."""

    def __init__(self, place: str) -> None:
        self._nvml = ctypes.CDLL("libnvidia-ml.so.1")
        if self._nvml.nvmlInit_v2() != 0:
            raise OSError("NVML does not start")
        self._handle = ctypes.c_void_p()
        if self._nvml.nvmlDeviceGetHandleByPciBusId_v2(place.encode(), ctypes.byref(self._handle)) != 0:
            raise OSError("NVML does not know the device")

    def read(self) -> Conditions:
        """Now."""
        milliwatts = self._number(self._nvml.nvmlDeviceGetPowerUsage)
        clock = self._number(self._nvml.nvmlDeviceGetClockInfo, ctypes.c_uint(_GRAPHICS))
        return Conditions(
            first_mhz=clock,
            last_mhz=clock,
            memory_mhz=self._number(self._nvml.nvmlDeviceGetClockInfo, ctypes.c_uint(_MEMORY)),
            watts=None if milliwatts is None else milliwatts / 1000,
            celsius=self._number(self._nvml.nvmlDeviceGetTemperature, ctypes.c_uint(_GPU_TEMPERATURE)),
        )

    def max_mhz(self) -> float:
        """The fastest clock of the cores."""
        return self._number(self._nvml.nvmlDeviceGetMaxClockInfo, ctypes.c_uint(_GRAPHICS)) or 0.0

    def driver(self) -> str:
        """The driver's version."""
        text = ctypes.create_string_buffer(96)
        told = self._nvml.nvmlSystemGetDriverVersion(text, ctypes.c_uint(len(text))) == 0
        return text.value.decode("ascii", "replace") if told else ""

    def exclusive(self) -> bool:
        """By its compute mode."""
        return self._number(self._nvml.nvmlDeviceGetComputeMode) in _EXCLUSIVE

    def _number(self, function: Any, *more: Any) -> float | None:
        value = ctypes.c_uint()
        return float(value.value) if function(self._handle, *more, ctypes.byref(value)) == 0 else None


class Amd:
    """By the files of amdgpu: its hwmon, and the clocks that it lists."""

    def __init__(self, device: Path) -> None:
        self._device = device
        found = sorted(device.glob("hwmon/hwmon*"))
        if not found:
            raise FileNotFoundError(f"{device} has no hwmon")
        self._hwmon = found[0]

    def read(self) -> Conditions:
        """Now: power in microwatts, clocks in hertz, temperatures in thousandths of a degree."""
        watts = self._first("power1_average", "power1_input")
        clock, memory = self._first("freq1_input"), self._first("freq2_input")
        degrees = [value for n in (1, 2) if (value := self._first(f"temp{n}_input")) is not None]
        return Conditions(
            first_mhz=None if clock is None else clock / 1e6,
            last_mhz=None if clock is None else clock / 1e6,
            memory_mhz=None if memory is None else memory / 1e6,
            watts=None if watts is None else watts / 1e6,
            celsius=max(degrees) / 1000 if degrees else None,
        )

    def max_mhz(self) -> float:
        """The largest of the clocks that it lists: "1: 2100Mhz *"."""
        with contextlib.suppress(OSError):
            listed = re.findall(r"(\d+)\s*[Mm][Hh]z", (self._device / "pp_dpm_sclk").read_text())
            return float(max(map(int, listed), default=0))
        return 0.0

    def driver(self) -> str:
        """The module's version; the kernel's own amdgpu has none."""
        with contextlib.suppress(OSError):
            return Path("/sys/module/amdgpu/version").read_text().strip()
        return ""

    def exclusive(self) -> bool:
        """There is no such mode."""
        return False

    def _first(self, *names: str) -> float | None:
        for name in names:
            with contextlib.suppress(OSError, ValueError):
                return float((self._hwmon / name).read_text())
        return None
