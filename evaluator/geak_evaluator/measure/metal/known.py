"""A kernel of our own whose result is known: it shows that a device can be launched on from where a child stands."""

from __future__ import annotations

import triton
import triton.language as tl

from geak_evaluator.measure.metal import Metal

_PROGRAMS, _BLOCK = 4, 256
_COUNT = _PROGRAMS * _BLOCK


@triton.jit  # type: ignore[untyped-decorator]
def _numbers(out, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out + at, at)


def fault(metal: Metal) -> str:
    """What is wrong with a device that was launched on; nothing where it computes as it should."""
    import torch

    memory = metal.allocate(4 * _COUNT)
    memory.fill_(0xFF)
    numbers = memory[: 4 * _COUNT].view(torch.int32)
    with metal.launching():
        _numbers[(_PROGRAMS,)](numbers, BLOCK=_BLOCK)
    metal.flush()
    metal.synchronize()
    total, wanted = int(numbers.to(torch.int64).sum()), _COUNT * (_COUNT - 1) // 2
    return "" if total == wanted else f"it counts to {_COUNT} and comes to {total}, not {wanted}"
