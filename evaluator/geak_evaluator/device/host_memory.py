"""Whose memory a tensor lies in, where all of it is the CPU's: the device's, unless it is known to be the host's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch.overrides import TorchFunctionMode, _get_current_function_mode_stack
from torch.utils._device import _device_constructors

CUDA = torch.device("cuda", 0)
_CPU = torch.device("cpu")
_NAME = re.compile(r"(cuda|cpu)(:\d+)?")
_MARK = "_geak_on_host"
"""On a storage: what is a view of it is known by it, and it ends with it."""

# What is said of the device's memory, and of the host's. Each access makes a new getter object: compared with ==.
_GETTERS: list[tuple[Any, Any, Any]] = [
    (torch.Tensor.device.__get__, CUDA, _CPU),
    (torch.Tensor.is_cuda.__get__, True, False),  # type: ignore[attr-defined]
    (torch.Tensor.is_cpu.__get__, False, True),  # type: ignore[attr-defined]
    (torch.Tensor.get_device, 0, -1),
]
_SAME = (torch.Tensor.cuda, torch.Tensor.pin_memory)
"""Nothing to ask of torch, which knows no GPU."""
_NAMING = (torch.device, torch._C._nn._parse_to)
"""Here a device only has to be named; who is given it is asked again."""

_OPERATORS = (torch._ops.OpOverload, torch._ops.OpOverloadPacket)
"""By then torch has settled that all is the CPU's; one of a file's own may go to the device within."""


def on_host(tensor: torch.Tensor) -> bool:
    """Whether a tensor is known to lie in the host's memory."""
    return hasattr(_storage(tensor), _MARK)


def unmarked() -> AbstractContextManager[Any]:
    """Within, what is made is the device's: no mode is asked."""
    context: AbstractContextManager[Any] = torch._C.DisableTorchFunction()
    return context


def as_device() -> AbstractContextManager[Any]:
    """Within, a GPU is the CPU: by one mode, since a second one would hear of nothing but the CPU."""
    on = any(isinstance(mode, CudaIsCpu) for mode in _get_current_function_mode_stack())  # type: ignore[no-untyped-call]
    return nullcontext() if on else CudaIsCpu()


def elsewhere(device: Any) -> Any:
    """The CPU for whatever names a GPU; anything else as it is."""
    if is_host(device) is not False:
        return device
    return "cpu" if isinstance(device, str) else _CPU


def is_host(device: Any) -> bool | None:
    """Whether a device is the host, and no GPU; None for what is neither."""
    if isinstance(device, int):
        return False
    named = _NAME.fullmatch(str(device)) if isinstance(device, torch.device | str) else None
    return None if named is None else named[1] == "cpu"


class CudaIsCpu(TorchFunctionMode):
    """Sends what is meant for a GPU to the CPU, and keeps account of what would lie in the host's memory.

    That is what torch makes without a device or for the CPU, what is brought there, and what is made of nothing else.
    A move between the two is a copy, as it is where they are two.
    """

    default_is_host = True
    """What `torch.set_default_device` has left; it is asked before a mode is."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Rewrite the device arguments of one torch call, and note where its result lies."""
        kwargs = dict(kwargs or {})
        if func in _NAMING:
            return func(*args, **kwargs)
        for getter, of_device, of_host in _GETTERS:
            if func == getter:
                return of_host if on_host(args[0]) else of_device
        asked = _asked(func, args, kwargs)
        if func in _SAME:
            return _laid(args[0], asked, args, kwargs)
        if "device" in kwargs:
            kwargs["device"] = elsewhere(kwargs["device"])
        if kwargs.get("pin_memory"):
            kwargs["pin_memory"] = False
        if any(isinstance(arg, torch.device | str) for arg in args):
            args = tuple(elsewhere(arg) if isinstance(arg, torch.device | str) else arg for arg in args)
        if func is torch.Tensor.to and len(args) > 1 and isinstance(args[1], int):
            args = (args[0], _CPU, *args[2:])
        result = func(*args, **kwargs)
        if isinstance(func, _OPERATORS):
            return result
        if asked is None:
            return _followed(func, result, args, kwargs)
        return _laid(result, asked, args, kwargs)


def _asked(func: Any, args: Any, kwargs: dict[str, Any]) -> bool | None:
    """Whether a call names the host, or a GPU, as the place of its result; None where it names none."""
    if func is torch.Tensor.cuda or func is torch.Tensor.cpu:
        return bool(func is torch.Tensor.cpu)
    if kwargs.get("device") is not None:
        return is_host(kwargs["device"])
    if func is torch.Tensor.to or func is torch.Tensor.type_as:
        other = args[1] if len(args) > 1 else kwargs.get("other")
        return on_host(other) if isinstance(other, torch.Tensor) else is_host(other)
    return None


def _laid(result: Any, host: bool | None, args: Any, kwargs: dict[str, Any]) -> Any:
    """A result where it was asked for; torch hands back what it was given, where it thinks that it is there."""
    if host is None or not isinstance(result, torch.Tensor) or result.is_meta or on_host(result) == host:
        return result
    memory = _storage(result)
    if not host or any(memory is _storage(given) for given in _tensors((args, kwargs))):
        result = result.clone()
    return _marked(result) if host else result


def _followed(func: Any, result: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """What is made of tensors lies where they lie; on the host, where it is made of nothing and no device is named."""
    given = list(_tensors((args, kwargs)))
    made = CudaIsCpu.default_is_host and func in _device_constructors()
    if all(map(on_host, given)) if given else made:
        for tensor in _tensors(result):
            _marked(tensor)
    return result


def _marked(tensor: torch.Tensor) -> torch.Tensor:
    memory = _storage(tensor)
    if memory is not None and not tensor.is_meta:
        setattr(memory, _MARK, True)
    return tensor


def _storage(tensor: torch.Tensor) -> torch.UntypedStorage | None:
    try:
        return tensor.untyped_storage()
    except RuntimeError:  # a sparse one has none, and others have none that may be named
        return None


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        yield from _tensors(tuple(value.values()))
