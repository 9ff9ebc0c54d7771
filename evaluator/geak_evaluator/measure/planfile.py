"""A plan on disk, with all that a process of its own needs to carry it out: kernels, and the values that steer them.

Other values are of no account to a counter or to a sensor of power, and are drawn where they are needed: a case of some
gigabytes makes a file of some kilobytes.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from geak_evaluator.sandbox import driver
from geak_evaluator.schema import codec
from geak_evaluator.schema.layout import Slot
from geak_evaluator.schema.plan import Plan

_ABOUT, _KERNEL, _VALUES = "plan.json", "kernel.py", "values.bin"


@dataclass(frozen=True)
class Steering:
    """Where the values of one input lie in the file of values."""

    slot: int
    begin: int
    end: int


@dataclass(frozen=True)
class PlanFile:
    """A plan, and the memories that it begins from."""

    target: str
    plan: Plan
    slots: tuple[Slot, ...]
    destination: tuple[Slot, ...] = ()
    steering: tuple[Steering, ...] = ()
    project: str = ""

    @property
    def fingerprint(self) -> str:
        """The same for equal plans."""
        return hashlib.sha256(codec.dumps(self.plan).encode()).hexdigest()[:16]


def write(folder: Path, about: PlanFile, source: bytes, values: Mapping[int, bytes]) -> PlanFile:
    """Puts a plan into a folder; `values` are the bytes of the slots that steer, by the slot's number."""
    steering, end = [], 0
    with (folder / _VALUES).open("wb") as file:
        for number, data in values.items():
            file.write(data)
            steering.append(Steering(number, end, end + len(data)))
            end += len(data)
    whole = PlanFile(about.target, about.plan, about.slots, about.destination, tuple(steering), about.project)
    (folder / _KERNEL).write_bytes(source)
    (folder / _ABOUT).write_text(codec.dumps(whole))
    return whole


def read(folder: Path) -> tuple[PlanFile, bytes, bytes]:
    """The plan, the kernels' source, and the values that steer."""
    about = codec.from_json(PlanFile, codec.loads((folder / _ABOUT).read_bytes()))
    return about, (folder / _KERNEL).read_bytes(), (folder / _VALUES).read_bytes()


@dataclass(frozen=True)
class Replayer:
    """How a plan on disk is replayed, by the door `python -m geak_evaluator replay`."""

    folder: Path
    about: PlanFile
    environment: Mapping[str, str]
    device: str = "torch"
    """The kind of device; "simulated" where there is none."""

    @property
    def kernels(self) -> tuple[str, ...]:
        """The kernels that it launches, in order."""
        return tuple(step.kernel for step in self.about.plan.launches)

    def command(
        self, times: int, *, proton: Path | None = None, report: Path | None = None, seconds: float = 0.0
    ) -> list[str]:
        """A command that replays it so many times, or for so many seconds to measure energy."""
        program = sys.argv[0] if sys.argv[0].endswith(".pyz") else ""
        start = [sys.executable, "-P", *([program] if program else ["-m", "geak_evaluator"]), "replay"]
        start += [str(self.folder), "--times", str(times), "--device", self.device]
        start += ["--seconds", f"{seconds:g}"] * bool(seconds)
        start += ["--report", str(report)] if report is not None else []
        return [*start, *(["--proton", str(proton)] if proton is not None else [])]


_PASSED_ON = ("PATH", "LANG", "PYTHONPATH", "VIRTUAL_ENV")


def environment(home: Path) -> dict[str, str]:
    """What a replay may know of ours: where libraries lie, and a folder of its own; never a key."""
    known = driver.variables() | {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    own = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME"), str(home))
    return {**known, **own, "TRITON_CACHE_DIR": str(home / "triton"), "PYTHONDONTWRITEBYTECODE": "1"}
