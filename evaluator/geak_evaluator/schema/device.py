"""A device by who it is: plain data, found out without starting a driver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Vendor = Literal["amd", "nvidia"]


@dataclass(frozen=True)
class Launched:
    """What a real launch in a confined child came to."""

    device: str = ""
    """The name that its own driver has for it; empty where nothing could be launched."""
    trouble: str = ""
    widened: str = ""
    """Why children may open more device files than this device's own; nothing where its own do."""


@dataclass(frozen=True)
class Gpu:
    """One GPU of a machine."""

    vendor: Vendor
    uuid: str
    """What its runtime knows it by, whatever order devices are counted in."""
    index: int = 0
    """Among its vendor's, as they are counted where no variable says otherwise."""
    name: str = ""
    arch: str = ""
    """gfx942, sm_90; empty where nothing tells."""
    target: str = ""
    """The described target that it is; empty for an architecture that is not described."""
    units: int = 0
    """Compute units (AMD) or multiprocessors (NVIDIA); 0 where nothing tells."""
    xcds: int = 0
    """AMD: the compute dies behind its one face."""
    wave: int = 0
    memory: int = 0
    """Bytes."""
    bus: str = ""
    nodes: tuple[str, ...] = ()
    """The device files that a process must open for it."""
    usable: bool = True
    """Whether this user can open them."""

    def __str__(self) -> str:
        parts = [self.name, self.arch]
        if self.vendor == "amd":
            parts += [f"{self.units} CUs" if self.units else "", f"{self.xcds} XCDs" if self.xcds > 1 else ""]
            parts.append(f"wave{self.wave}" if self.wave else "")
        parts.append(f"{self.memory / (1 << 30):.0f} GiB" if self.memory else "")
        words = ", ".join(filter(None, parts))
        return f"{words} [{self.uuid}]" if self.usable else f"{words} [{self.uuid}], which this user cannot open"
