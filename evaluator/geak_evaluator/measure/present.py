"""Which device this judge may use, by its files and the user's own choice; no driver is started to find out."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from geak_evaluator.measure.devices import ROOT, gpus, visible
from geak_evaluator.schema.device import Gpu
from geak_evaluator.schema.measuring import Metal
from geak_evaluator.schema.spec import Value
from geak_evaluator.schema.target import find


def first(environment: Mapping[str, str] = os.environ, root: Path = ROOT) -> Metal | None:
    """The first device that the user's variables leave and may open."""
    return next((metal(gpu) for gpu in visible(gpus(root), environment) if gpu.usable), None)


def metal(gpu: Gpu) -> Metal:
    """How a child reaches this device, and no other: through its own files alone, by a name that no order changes."""
    plain = gpu.vendor == "nvidia" or re.fullmatch(r"GPU-\w+", gpu.uuid)
    return Metal("torch", gpu.uuid if plain else "0", gpu.nodes, uuid=gpu.uuid)


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
