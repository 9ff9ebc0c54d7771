"""Which device this judge may use, by its files and the user's own choice; no driver is started to find out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from geak_evaluator.schema.measuring import Metal
from geak_evaluator.schema.spec import Value
from geak_evaluator.schema.target import find

_NVIDIA = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset")


def first(dev: Path = Path("/dev"), environment: Mapping[str, str] = os.environ) -> Metal | None:
    """The first device that the user's variables leave, with the files through which it is reached."""
    for found in (_amd(dev, environment), _nvidia(dev, environment)):
        if found is not None:
            return found
    return None


def _amd(dev: Path, environment: Mapping[str, str]) -> Metal | None:
    render = sorted(dev.glob("dri/renderD*"))
    if not _usable(dev / "kfd") or not any(map(_usable, render)):
        return None
    chosen = _choice(environment, "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return None
    # Which render node is which device only the runtime knows: it opens them all, and uses one.
    return Metal("torch", chosen, tuple(map(str, (dev / "kfd", *render))))


def _nvidia(dev: Path, environment: Mapping[str, str]) -> Metal | None:
    cards = [card for card in sorted(dev.glob("nvidia[0-9]*")) if _usable(card)]
    chosen = _choice(environment, "CUDA_VISIBLE_DEVICES")
    if not cards or chosen is None:
        return None
    # A device by UUID may be any of them.
    own = [card for card in cards if card.name == f"nvidia{chosen}"] or cards
    others = [path for path in (dev / name for name in _NVIDIA) if path.exists()]
    return Metal("torch", chosen, tuple(map(str, (*others, *own))))


def _choice(environment: Mapping[str, str], *names: str) -> str | None:
    """The first device that a variable names; "0" where none is set, None where one leaves no device."""
    for name in names:
        if name in environment:
            head = environment[name].split(",")[0].strip()
            return None if head in ("", "-1") else head
    return "0"


def _usable(path: Path) -> bool:
    return os.access(path, os.R_OK | os.W_OK)


def simulated(text: str) -> Metal:
    """A simulated device as it is named on a command line: `simulated:gfx942` or `simulated:gfx942:noise=0.02`."""
    _, _, rest = text.partition(":")
    name, *behaviour = rest.split(":")
    pairs = (item.partition("=") for item in behaviour)
    settings: dict[str, Value] = {key: _number(value) for key, _, value in pairs}
    return Metal("simulated", settings={"target": find(name or "gfx942").name, **settings})


def _number(text: str) -> Value:
    try:
        return float(text)
    except ValueError:
        return text
