"""The grid follows from what the compiled kernel occupies, and the compiled kernel is launched itself."""

import torch
import triton
import triton.language as tl
from triton.runtime import driver


@triton.jit
def _add(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr):
    for block in tl.range(tl.program_id(0), tl.cdiv(n, BLOCK), tl.num_programs(0)):
        at = block * BLOCK + tl.arange(0, BLOCK)
        tl.store(out_ptr + at, tl.load(x_ptr + at, mask=at < n) + tl.load(y_ptr + at, mask=at < n), mask=at < n)


def add(x, y):
    out = torch.empty_like(x)
    n = x.numel()
    kernel = _add.warmup(x, y, out, n, BLOCK=128, num_warps=4, grid=(1,))
    kernel._init_handles()
    about = driver.active.utils.get_device_properties(driver.active.get_current_device())
    occupancy = max(1, about["max_num_regs"] // (kernel.n_regs * about["warpSize"] * 4))
    if kernel.metadata.shared:
        occupancy = min(occupancy, about["max_shared_mem"] // kernel.metadata.shared)
    programs = min(about["multiprocessor_count"] * occupancy, triton.cdiv(n, 128))
    kernel[(programs, 1, 1)](x, y, out, n, 128)
    return out
