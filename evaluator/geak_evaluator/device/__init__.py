"""Triton's launch path on a described device, with the launches interpreted on CPU tensors.

Importing this loads neither torch nor triton; the first use of a function does.
"""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from geak_evaluator.device.errors import DeviceError, KernelAssertion, OutOfBounds, Unsupported
from geak_evaluator.schema.target import TARGETS, Target, UnknownTarget, find

if TYPE_CHECKING:
    from geak_evaluator.device.driver import Launch, SimulatedDriver

__all__ = [
    "TARGETS",
    "DeviceError",
    "KernelAssertion",
    "OutOfBounds",
    "Target",
    "UnknownTarget",
    "Unsupported",
    "activate",
    "compile_for",
    "find",
    "prepare",
    "pretend_cuda",
]


def activate(
    target: Target | str,
    *,
    on_launch: "Callable[[Launch], None] | None" = None,
    compile: bool = True,
    execute: bool = True,
    strict: bool = True,
    configuration: int = 0,
    observe: "Callable[[Launch], Any] | None" = None,
) -> "AbstractContextManager[SimulatedDriver]":
    """Make a described device Triton's device for the length of a with block (see `simulated.activate`)."""
    from geak_evaluator.device import simulated

    return simulated.activate(
        target,
        on_launch=on_launch,
        compile=compile,
        execute=execute,
        strict=strict,
        configuration=configuration,
        observe=observe,
    )


def compile_for(target: Target | str, launch: "Launch") -> Any:
    """Compile a recorded launch for another target; raises what Triton raises."""
    from geak_evaluator.device import simulated

    return simulated.compile_for(target, launch)


def pretend_cuda(target: Target | str) -> AbstractContextManager[None]:
    """Let code that says device='cuda' run on CPU tensors for the length of a with block."""
    from geak_evaluator.device.cuda_on_cpu import cuda_on_cpu

    return cuda_on_cpu(target)


def prepare() -> None:
    """Warm what is slow, once, in the single-threaded parent of forked judges; patches neither torch nor triton.

    To be called before numpy or torch is imported: their math libraries read the number of threads when they load.
    """
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    from geak_evaluator.device import simulated

    simulated.warm()
