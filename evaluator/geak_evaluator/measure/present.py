"""Which device this judge may use, by its files and the user's own choice; no driver is started to find out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from geak_evaluator.measure.devices import ROOT, gpus, handle, visible
from geak_evaluator.schema.device import Gpu
from geak_evaluator.schema.measuring import Metal
from geak_evaluator.schema.spec import Value
from geak_evaluator.schema.target import find


def first(environment: Mapping[str, str] = os.environ, root: Path = ROOT) -> Metal | None:
    """The first device that the user's variables leave and may open."""
    every = gpus(root)
    return next((metal(gpu, every, root) for gpu in visible(every, environment) if gpu.usable), None)


def alike(environment: Mapping[str, str] = os.environ, root: Path = ROOT) -> tuple[Gpu, ...]:
    """That one, and the others of its product: a verdict is the same from each of them, and judges spread over them."""
    usable = [gpu for gpu in visible(gpus(root), environment) if gpu.usable]
    return tuple(gpu for gpu in usable if (gpu.arch, gpu.name) == (usable[0].arch, usable[0].name))


def metal(gpu: Gpu, every: Sequence[Gpu] = (), root: Path = ROOT) -> Metal:
    """How a child reaches this device of all that there are."""
    # ROCm opens each render node that the kernel lists before it looks at which device it may use, and gives up where
    # one is there and is refused to it (libhsakmt, topology.c): only its variable keeps it to one device.
    others = [node for one in every if one.vendor == gpu.vendor == "amd" for node in one.nodes]
    nodes = tuple(dict.fromkeys((*gpu.nodes, *others)))
    # CUDA should open what it is let see and no more; where a launch shows otherwise, it is given all of its files.
    found = sorted((root / "dev").glob("nvidia*")) if gpu.vendor == "nvidia" else []
    files = [one for path in found for one in (sorted(path.glob("*")) if path.is_dir() else [path])]
    names = [f"/{path.relative_to(root)}" for path in files]
    return Metal("torch", handle(gpu), nodes, uuid=gpu.uuid, more=tuple(name for name in names if name not in nodes))


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
