"""A decorator makes every tensor contiguous and enters its device; the launcher's keywords come from a dataclass."""

import contextlib
import dataclasses
import functools

import torch
import triton
import triton.language as tl


@dataclasses.dataclass(frozen=True)
class Options:
    num_warps: int = 4
    num_stages: int = 2
    BLOCK: int = 64

    def asdict(self):
        return dataclasses.asdict(self)


def contiguous(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        args = [a.contiguous() if isinstance(a, torch.Tensor) else a for a in args]
        first = next(a for a in args if isinstance(a, torch.Tensor))
        guard = torch.cuda.device(first.device.index) if first.is_cuda else contextlib.nullcontext()
        with guard:
            return function(*args, **kwargs)

    return wrapper


@triton.jit
def _add(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out_ptr + at, tl.load(x_ptr + at, mask=at < n) + tl.load(y_ptr + at, mask=at < n), mask=at < n)


@contiguous
def add(x, y, options=None):
    options = options or Options()
    out = torch.empty(x.shape, dtype=x.dtype, device=torch.device("cuda", torch.cuda.current_device()))
    out[x.numel() :] = 0
    stream = torch.cuda.current_stream()
    with torch.cuda.stream(stream):
        _add[(triton.cdiv(x.numel(), options.BLOCK),)](x, y, out, x.numel(), **options.asdict())
    return out
