"""One run of a candidate's entry, by the spec's contract."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

from geak_evaluator.children import capture
from geak_evaluator.children.candidate import Launches, Mismatch
from geak_evaluator.children.poisoned import Poisoned
from geak_evaluator.children.tensors import Arena, dtype_of, format_of, leaves
from geak_evaluator.children.values import CannotCross, Packer, unpack
from geak_evaluator.device import undefined
from geak_evaluator.device.host_memory import on_host
from geak_evaluator.sandbox.confine import FIRST_SHARED
from geak_evaluator.schema import layout
from geak_evaluator.schema.exchange import Call, Returned, RunReply, RunRequest
from geak_evaluator.schema.layout import Slot


@functools.cache
def _arenas() -> tuple[Arena, Arena]:
    """What this child was given, at the same addresses in every call: an answer kept by its address is then seen."""
    return Arena(FIRST_SHARED), Arena(FIRST_SHARED + 1)


def run(entry: Callable[..., Any], contract: str, request: RunRequest, launches: Launches) -> RunReply:
    """Calls the entry and copies its outputs to where they are asked for, or records what it asked of the device."""
    inputs, outputs = _arenas()
    # Memory that the kernel does not write then shows as NaN, instead of as whatever lay there before.
    torch._C._set_deterministic_algorithms(not request.sketch, warn_only=True)
    tensors = {slot.path: inputs.tensor(slot) for slot in request.slots}
    state = {slot.path: inputs.tensor(slot) for slot in request.state}
    gradients = {slot.path: inputs.tensor(slot) for slot in request.gradients}
    destination = {slot.path: outputs.tensor(slot) for slot in request.destination}
    if contract == "module":
        entry = _module(entry, request, state)
    arguments = [tensors.get(name, request.scalars.get(name)) for name in request.arguments]

    def call() -> list[tuple[str, Any]]:
        if contract == "gradient":
            return _gradients(entry, request, gradients, tensors)
        returned = entry(*arguments, **destination)
        return list(destination.items()) if contract == "destination" else leaves(returned)

    wanted = [slot for slot in request.outputs or () if not slot.path.startswith("changed.")]
    in_place = (not wanted and bool(request.outputs)) or request.sketch  # whatever it returns besides is of no account
    if request.capture:
        known = [*tensors.values(), *state.values(), *gradients.values(), *destination.values()]
        launches.driver.calls += 1
        plan = capture.record(call, known, wanted, launches, in_place=in_place)
        return RunReply(plan=plan, configurations=launches.driver.configurations)
    with Poisoned(request.poison):
        found = call()
    if request.outputs is None:
        return RunReply(_describe(found, outputs), launches.count, undefined.made())
    if contract != "destination" and not in_place:
        check(found, wanted)
        for (_, value), slot in zip(found, wanted, strict=True):
            outputs.tensor(slot).copy_(value.detach())
    return RunReply(launches=launches.count, undefined=undefined.made())


def check(found: list[tuple[str, Any]], wanted: list[Slot]) -> None:
    """Whether what came back is what was asked for, as far as its form goes."""
    if len(found) != len(wanted):
        raise Mismatch("wrong_outputs", f"it returned {_tensors(len(found))}; {_tensors(len(wanted))} expected")
    for (path, value), slot in zip(found, wanted, strict=True):
        _check(path, value, slot)


def _tensors(count: int) -> str:
    return {0: "no tensor", 1: "1 tensor"}.get(count, f"{count} tensors")


def _check(path: str, value: Any, slot: Slot) -> None:
    if type(value) not in (torch.Tensor, torch.nn.Parameter):
        raise Mismatch("wrong_type", f"output {path} is a {type(value).__name__}; it must be a plain tensor")
    if tuple(value.shape) != slot.shape:
        raise Mismatch("wrong_shape", f"output {path} has shape {tuple(value.shape)}; {slot.shape} is expected")
    if value.dtype != dtype_of(slot.format):
        raise Mismatch("wrong_dtype", f"output {path} is {value.dtype}; {dtype_of(slot.format)} is expected")
    if value.layout != torch.strided or torch._C._functorch.is_functorch_wrapped_tensor(value):
        raise Mismatch("wrong_type", f"output {path} is no ordinary dense tensor")
    if on_host(value):
        raise Mismatch("wrong_device", f"it returned a tensor on the CPU (output {path}); its inputs are on the device")


def _module(entry: Callable[..., Any], request: RunRequest, state: dict[str, torch.Tensor]) -> Callable[..., Any]:
    with torch.device("meta" if request.sketch else "cuda"):  # where whoever uses a module brings it
        built = entry(*(unpack(argument, ()) for argument in request.init.values()))
    own = built.state_dict() if hasattr(built, "state_dict") else {}
    missing, extra = sorted(set(state) - set(own)), sorted(set(own) - set(state))
    if missing or extra:
        differ = [f"missing {', '.join(missing)}"] * bool(missing) + [f"extra {', '.join(extra)}"] * bool(extra)
        raise Mismatch("wrong_state", f"its parameters must have the reference's names: {'; '.join(differ)}")
    for name, value in state.items():
        got, must = (tuple(own[name].shape), own[name].dtype), (tuple(value.shape), value.dtype)
        if got != must:
            raise Mismatch("wrong_state", f"{name} is {got[0]} of {got[1]}; it must be {must[0]} of {must[1]}")
    built.load_state_dict(state, assign=True)

    def forward(*arguments: Any) -> Any:
        with torch.no_grad():
            return built(*arguments)

    return forward


def _gradients(
    entry: Callable[..., Any],
    request: RunRequest,
    weights: dict[str, torch.Tensor],
    tensors: dict[str, torch.Tensor],
) -> list[tuple[str, Any]]:
    live = {name: tensors[name].detach().requires_grad_(True) for name in request.wrt}
    arguments = [live.get(name, tensors.get(name, request.scalars.get(name))) for name in request.arguments]
    found = leaves(entry(*arguments))
    roots = [(value, weights[path].to(value.dtype)) for path, value in found if path in weights]
    if not all(value.requires_grad for value, _ in roots):
        raise Mismatch("no_gradient", "its output carries no gradient; wrap the kernels in a torch.autograd.Function")
    torch.autograd.backward([value for value, _ in roots], [weight for _, weight in roots])
    for name, value in live.items():
        if value.grad is None:
            raise Mismatch("no_gradient", f"no gradient reached {name}")
        found.append((f"grad.{name}", value.grad))
    return found


def _describe(found: list[tuple[str, Any]], outputs: Arena) -> tuple[Slot, ...]:
    slots = []
    for path, value in found:
        format = format_of(value.dtype) if isinstance(value, torch.Tensor) else None
        if format is None:
            raise Mismatch("wrong_type", f"output {path} is a {type(value).__name__}, not a tensor of a known format")
        slots.append(Slot(path, format, tuple(value.shape), layout.contiguous(tuple(value.shape))))
    placed = layout.place(slots)
    if layout.extent(placed) > outputs.size:
        raise Mismatch("too_big_here", "its outputs are larger than a case may have here")
    for slot, (_, value) in zip(placed, found, strict=True):
        outputs.tensor(slot).copy_(value.detach())
    return placed


def call(entry: Callable[..., Any], asked: Call, launches: Launches) -> Returned:
    """One call by a test; its result goes to the second memory."""
    inputs, outputs = _arenas()
    tensors = [inputs.tensor(slot) for slot in asked.slots]
    args = [unpack(argument, tensors) for argument in asked.args]
    result = entry(*args, **{name: unpack(argument, tensors) for name, argument in asked.kwargs.items()})
    packer = Packer()
    try:
        packed = packer.pack(result)
        slots = packer.lay(outputs)
    except CannotCross as error:
        raise Mismatch("wrong_type", f"it returned something that a test cannot be given: {error}") from None
    return Returned(slots, packed, launches=launches.count)


def warm() -> None:
    """Goes once through a launch on a described device, so that no child has to load what it needs."""
    from geak_evaluator import device

    with device.activate("gfx942", compile=False), device.pretend_cuda("gfx942"):
        torch.empty(1, device="cuda")
