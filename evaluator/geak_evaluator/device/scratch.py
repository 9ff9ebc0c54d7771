"""Memory that a launch asks its caller for: what a kernel describes to Hopper's copy engine itself lies there."""

from typing import Any

from triton.runtime import _allocation
from triton.runtime.jit import JITFunction

from geak_evaluator.device.driver import Launch

_FIRST_WITH_ENGINE = (9, 0)


def check(launch: Launch) -> None:
    """Raises what Triton raises where nobody has said how such memory is allocated."""
    target = launch.target
    if target.backend != "cuda" or target.capability < _FIRST_WITH_ENGINE or not _describes(launch.function, set()):
        return
    allocator = _allocation._allocator.get()
    if isinstance(allocator, _allocation.NullAllocator):
        allocator(0, 0, None)


def _describes(function: Any, seen: set[int]) -> bool:
    """Whether the kernel, or one that it calls, makes a descriptor itself."""
    if not isinstance(function, JITFunction) or id(function) in seen:
        return False
    seen.add(id(function))
    if "make_tensor_descriptor" in function.src:
        return True
    scope = function.get_capture_scope()
    return any(_describes(scope.get(name), seen) for name in function.fn.__code__.co_names)
