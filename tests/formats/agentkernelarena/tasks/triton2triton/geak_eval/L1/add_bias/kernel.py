import torch
import triton
import triton.language as tl


@triton.jit
def _bias_kernel(x, bias, out, columns, BLOCK: tl.constexpr):
    row, at = tl.program_id(0), tl.arange(0, BLOCK)
    value = tl.load(x + row * columns + at, mask=at < columns)
    tl.store(out + row * columns + at, value + tl.load(bias + at, mask=at < columns), mask=at < columns)


def biased(x, bias):
    out = torch.empty_like(x)
    _bias_kernel[(x.shape[0],)](x, bias, out, x.shape[1], BLOCK=triton.next_power_of_2(x.shape[1]))
    return out


add_bias = biased
