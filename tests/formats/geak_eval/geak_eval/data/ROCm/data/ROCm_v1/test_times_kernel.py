import pytest
import torch
import triton
import triton.language as tl

dtype_mapping = {"float16": torch.float16, "float32": torch.float32}


@triton.jit
def times_kernel(x_ptr, y_ptr, output_ptr, n_elements, BLOCK_SIZE: tl.constexpr):
    at = tl.program_id(axis=0) * BLOCK_SIZE + tl.arange(0, BLOCK_SIZE)
    mask = at < n_elements
    tl.store(output_ptr + at, tl.load(x_ptr + at, mask=mask) * tl.load(y_ptr + at, mask=mask), mask=mask)


@triton.jit
def unit_kernel(output_ptr, BLOCK_SIZE: tl.constexpr):
    tl.store(output_ptr + tl.arange(0, BLOCK_SIZE), 1.0)


def workers():
    return 304


##################################################################################################################################################

import pytest
import torch
from geak_eval.perf.ROCm.performance_utils_pytest import PytestBenchmarker, do_bench_config, save_all_benchmark_results
from torch.testing import assert_close

result_gold = {}


@pytest.mark.parametrize("SIZE,BLOCK_SIZE,dtype_str", [(98432, 1024, dtype_str) for dtype_str in ["float16", "float32"]])
def test_times_kernel(SIZE, BLOCK_SIZE, dtype_str, request):
    dtype = dtype_mapping[dtype_str]
    output = torch.empty(SIZE, device="cuda", dtype=dtype)
    x = torch.randn(SIZE, device="cuda", dtype=dtype)
    y = torch.randn(SIZE, device="cuda", dtype=dtype)

    def grid(meta):
        return (triton.cdiv(SIZE, meta["BLOCK_SIZE"]),)

    assert workers() > 0
    launch = times_kernel
    launch[grid](x, y, output, SIZE, BLOCK_SIZE=BLOCK_SIZE)
    result_gold[request.node.name] = output.clone().detach().cpu()
    assert_close(output, x * y, rtol=1e-2, atol=1e-3, check_dtype=False)


@pytest.mark.parametrize("SIZE", [1 << 20, 1 << 30])
def test_performance(SIZE, request):
    unit_kernel[(1,)](torch.empty(SIZE), BLOCK_SIZE=1024)


def test_save_results():
    torch.save(result_gold, "test_times_kernel.pt")
