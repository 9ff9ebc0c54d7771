"""Inductor's view of a GPU that is only described, so that no driver is started."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import torch

from geak_evaluator import device
from geak_evaluator.device.simulated import replaced
from geak_evaluator.schema.target import Target


def properties(target: Target) -> SimpleNamespace:
    """What a driver would say of the device, as far as Inductor asks."""
    major, minor = target.capability
    return SimpleNamespace(
        name=target.product,
        major=major,
        minor=minor,
        warp_size=target.warp_size,
        gcnArchName=target.arch,
        multi_processor_count=target.multiprocessors,
        total_memory=64 << 30,
        max_threads_per_multi_processor=2048,
        max_threads_per_block=1024,
        regs_per_multiprocessor=65536,
        shared_memory_per_block=min(target.max_shared, 49152 if target.backend == "cuda" else target.max_shared),
        shared_memory_per_block_optin=target.max_shared,
        shared_memory_per_multiprocessor=target.max_shared,
        L2_cache_size=4 << 20,
    )


@contextlib.contextmanager
def described(target: Target) -> Iterator[None]:
    """Lets Inductor compile for a described device for the length of a with block."""
    from torch._dynamo.device_interface import CudaInterface

    told = properties(target)
    arch: Any = target.arch if target.backend == "hip" else int(target.arch.removeprefix("sm_"))
    asked: dict[str, Any] = {
        "get_device_properties": lambda device=None: told,
        "is_available": lambda *args: True,
        "current_device": lambda *args: 0,
        "device_count": lambda *args: 1,
        "get_compute_capability": lambda device=None: arch,
    }
    with contextlib.ExitStack() as undo:
        for name, answer in asked.items():
            undo.enter_context(replaced(CudaInterface, name, staticmethod(answer)))
        for name in ("get_device_properties", "current_device"):
            undo.enter_context(replaced(CudaInterface.Worker, name, staticmethod(asked[name])))
        for name in ("get_device_properties", "is_available", "current_device", "device_count"):
            undo.enter_context(replaced(torch.cuda, name, asked[name]))
        undo.enter_context(replaced(torch.cuda, "get_device_capability", lambda device=None: target.capability))
        undo.enter_context(replaced(torch.cuda, "_lazy_init", lambda: None))
        undo.enter_context(device.activate(target))
        yield
