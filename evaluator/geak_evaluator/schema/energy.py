"""Energy of a kernel: joules of the whole board for one call, with how finely they could be known."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Energy:
    """What one call costs, measured over many that follow each other without a pause."""

    joules: float
    """Of one call: all that the board drew meanwhile, what it draws idle included."""
    error: float
    """How far that may be off, as a share of it, by the sensor's period and step alone."""
    calls: int
    seconds: float
    source: str
    """Which sensor: "NVML's energy counter", "amdgpu's energy accumulator", ..."""
    limits: str = ""
    """How often it is renewed, and in what steps."""

    @property
    def watts(self) -> float:
        """The mean power meanwhile."""
        return self.joules * self.calls / self.seconds if self.seconds else 0.0

    @property
    def brief(self) -> str:
        """As a person reads it."""
        return (
            f"{energy(self.joules)} a call (within {self.error:.0%}), {self.watts:.0f} W "
            f"over {self.seconds:.1f} s and {self.calls:,} calls, by {self.source}"
        )


def energy(joules: float) -> str:
    """Joules as a person reads them."""
    for unit, scale in (("J", 1.0), ("mJ", 1e-3)):
        if joules >= scale:
            return f"{joules / scale:.3g} {unit}"
    return f"{joules / 1e-6:.3g} uJ"
