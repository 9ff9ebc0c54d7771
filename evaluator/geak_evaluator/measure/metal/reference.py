"""Somebody's own Python on a device: a spec's reference as baseline, or a kernel file's entry as its user calls it.

Either is alone in its child, and of what it does only the time counts that the judge's clock bears out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from geak_evaluator.children import spec as specs
from geak_evaluator.children.loading import load, raised
from geak_evaluator.children.tensors import leaves
from geak_evaluator.children.values import unpack
from geak_evaluator.measure.metal import Metal, open_metal
from geak_evaluator.measure.metal.child import device_trouble, serve, shared
from geak_evaluator.measure.metal.runner import Place
from geak_evaluator.sandbox.channel import RAISED, REFUSED, Channel
from geak_evaluator.schema import codec
from geak_evaluator.schema.exchange import Trouble
from geak_evaluator.schema.measuring import Prepare

LIBRARY = "library"
"""The function of a spec that calls what a vendor has for it."""


def main(channel: Channel, job: dict[str, Any]) -> None:
    """The first request is the file; then cases, values and blocks, as for a plan."""
    source = channel.receive()
    if source is None:
        return
    try:
        module = load(source, job["name"], job.get("project", ""))
        function = _function(module, job)
    except BaseException as error:
        channel.reply(codec.dumps(Trouble("raised", raised(error, job["name"]).text)).encode(), REFUSED)
        return
    memories = shared()
    try:
        metal = open_metal(job["kind"], job["visible"], job["settings"])
    except Exception as error:
        channel.reply(codec.dumps(device_trouble(error)).encode(), RAISED)
        return
    channel.reply()
    mode = job["mode"] if job["kind"] == "torch" else "eager"  # a simulated device has nothing to compile for
    serve(channel, metal, lambda place, asked: _Called(metal, place, asked, function, mode, job), memories)


def _function(module: Any, job: dict[str, Any]) -> Callable[..., Any]:
    reference = "Reference" if job["contract"] == "module" else "reference"
    name = job["entry"] or (LIBRARY if job["mode"] == LIBRARY else reference)
    found = getattr(module, name, None)
    if not callable(found):
        raise specs.Refusal(f"it defines no `{name}`")
    function: Callable[..., Any] = found
    return function


class _Called:
    """One place's call."""

    def __init__(
        self,
        metal: Metal,
        place: Place,
        asked: Prepare,
        function: Callable[..., Any],
        mode: str,
        job: dict[str, Any],
    ) -> None:
        self._metal, self._named = metal, job["mode"]
        self._contract, self._wrt = job["contract"], tuple(job["wrt"])
        tensors = {slot.path: place.input(number) for number, (slot, _) in enumerate(place.given)}
        self._arguments: dict[str, Any] = {n: tensors.get(n, asked.scalars.get(n)) for n in asked.arguments}
        self._destination = {slot.path: tensors[slot.path] for slot in asked.destination}
        self._weights = [tensors[slot.path] for slot in asked.slots if slot.path in asked.gradients]
        self._returned: Any = None
        if self._contract == "module":
            with metal_device(place):
                init = {name: unpack(argument, ()) for name, argument in asked.init.items()}
                built = function(*init.values()) if job["entry"] else function(**init)
            state = {name: tensors[name] for name in built.state_dict() if name in tensors}
            built.load_state_dict(state, assign=True)
            function = built
        self._call = compiled(function, mode)

    def run(self) -> None:
        """One call."""
        self._metal.step(self._named, 0)
        if self._contract != "gradient":
            with torch.no_grad():
                self._returned = self._call(*self._arguments.values(), **self._destination)
            return
        live = dict(self._arguments)
        for name in self._wrt:
            live[name] = live[name].detach().requires_grad_(True)
        returned = [value for _, value in leaves(self._call(*live.values()))]
        found = [value for value in returned if value.requires_grad]
        weights = [weight.to(value.dtype) for weight, value in zip(self._weights, found, strict=False)]
        torch.autograd.backward(found, weights)
        self._returned = [*returned, *(live[name].grad for name in self._wrt)]

    def outputs(self) -> list[torch.Tensor]:
        """What the last call gave."""
        if self._destination:
            return list(self._destination.values())
        return [value.detach() for _, value in leaves(self._returned) if isinstance(value, torch.Tensor)]


def metal_device(place: Place) -> torch.device:
    """Where a place's memories lie."""
    return place.given[0][1].device if place.given else torch.device("cpu")


def compiled(function: Callable[..., Any], mode: str) -> Callable[..., Any]:
    """A reference as one of the baselines has it; graphs are recorded by whoever times it."""
    if mode not in ("compile", "max-autotune"):
        return function
    from torch._inductor import config

    # A pool of processes would outlive what it was made for. Its variable was read long ago, by the warm process.
    config.compile_threads = 1
    named = "max-autotune-no-cudagraphs" if mode == "max-autotune" else None
    return torch.compile(function, dynamic=False, mode=named)
