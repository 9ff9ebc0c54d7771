"""A spec's child on a device: its reference in one of its modes, a baseline; it never sees a candidate."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch

from geak_evaluator.children import spec as specs
from geak_evaluator.children.loading import load, raised
from geak_evaluator.children.tensors import leaves
from geak_evaluator.measure.metal import Metal, open_metal
from geak_evaluator.measure.metal.child import device_trouble, serve
from geak_evaluator.measure.metal.runner import Place
from geak_evaluator.sandbox.channel import RAISED, REFUSED, Channel
from geak_evaluator.schema import codec
from geak_evaluator.schema.exchange import Trouble
from geak_evaluator.schema.measuring import Prepare
from geak_evaluator.schema.spec import Spec

LIBRARY = "library"
"""The function of a spec that calls what a vendor has for it."""


def main(channel: Channel, job: dict[str, Any]) -> None:
    """The first request is the spec; then cases, values and blocks, as for a plan."""
    source = channel.receive()
    if source is None:
        return
    os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # a pool of processes would outlive what it was made for
    try:
        module = load(source, job["name"], job.get("project", ""))
        spec = specs.describe(module, job["name"], source).spec
        function = _function(module, spec, job["mode"])
    except BaseException as error:
        channel.reply(codec.dumps(Trouble("raised", raised(error, job["name"]).text)).encode(), REFUSED)
        return
    try:
        metal = open_metal(job["kind"], job["visible"], job["settings"])
    except Exception as error:
        channel.reply(codec.dumps(device_trouble(error)).encode(), RAISED)
        return
    channel.reply()
    mode = job["mode"] if job["kind"] == "torch" else "eager"  # a simulated device has nothing to compile for
    serve(channel, metal, lambda place, asked: _Reference(metal, place, asked, spec, function, mode, job["mode"]))


def _function(module: Any, spec: Spec, mode: str) -> Callable[..., Any]:
    if mode != LIBRARY:
        return specs.reference(module, spec)
    found = getattr(module, LIBRARY, None)
    if not callable(found):
        raise specs.Refusal(f"it defines no `{LIBRARY}`")
    function: Callable[..., Any] = found
    return function


class _Reference:
    """One place's call."""

    def __init__(
        self,
        metal: Metal,
        place: Place,
        asked: Prepare,
        spec: Spec,
        function: Callable[..., Any],
        mode: str,
        named: str,
    ) -> None:
        self._metal, self._named, self._spec = metal, named, spec
        tensors = {slot.path: place.input(number) for number, (slot, _) in enumerate(place.given)}
        self._arguments = {n: tensors.get(n, asked.scalars.get(n)) for n in asked.arguments}
        self._weights = [tensors[slot.path] for slot in asked.slots if slot.path in asked.gradients]
        self._returned: Any = None
        if spec.contract == "module":
            with metal_device(place):
                built = function(**asked.init)
            state = {name: tensors[name] for name in built.state_dict() if name in tensors}
            built.load_state_dict(state, assign=True)
            function = built
        self._call = compiled(function, mode)

    def run(self) -> None:
        """One call."""
        self._metal.step(self._named, 0)
        if self._spec.contract != "gradient":
            with torch.no_grad():
                self._returned = self._call(**self._arguments)
            return
        live: dict[str, Any] = dict(self._arguments)
        for name in self._spec.wrt:
            live[name] = live[name].detach().requires_grad_(True)
        found = [value for _, value in leaves(self._call(**live)) if value.requires_grad]
        weights = [weight.to(value.dtype) for weight, value in zip(self._weights, found, strict=False)]
        torch.autograd.backward(found, weights)
        self._returned = found

    def outputs(self) -> list[torch.Tensor]:
        """Of a baseline nothing is compared."""
        return []


def metal_device(place: Place) -> torch.device:
    """Where a place's memories lie."""
    return place.given[0][1].device if place.given else torch.device("cpu")


def compiled(function: Callable[..., Any], mode: str) -> Callable[..., Any]:
    """A reference as one of the baselines has it; graphs are recorded by whoever times it."""
    if mode == "compile":
        return torch.compile(function, dynamic=False)
    if mode == "max-autotune":
        return torch.compile(function, dynamic=False, mode="max-autotune-no-cudagraphs")
    return function
