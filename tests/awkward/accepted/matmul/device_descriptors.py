"""Descriptors made in the kernel, for which Triton is given an allocator; a and b are copied to suit them."""

import torch
import triton
import triton.language as tl


def _allocate(size, alignment, stream):
    return torch.empty(size, device="cuda", dtype=torch.int8)


@triton.jit
def _matmul(a_ptr, b_ptr, c_ptr, M, N, NP, K, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    a = tl.make_tensor_descriptor(a_ptr, shape=[M, K], strides=[K, 1], block_shape=[BM, BK])
    b = tl.make_tensor_descriptor(b_ptr, shape=[N, K], strides=[K, 1], block_shape=[BN, BK])
    c = tl.make_tensor_descriptor(c_ptr, shape=[M, N], strides=[NP, 1], block_shape=[BM, BN])
    row, col = tl.program_id(0) * BM, tl.program_id(1) * BN
    acc = tl.zeros([BM, BN], dtype=tl.float32)
    for k in tl.range(0, K, BK, warp_specialize=False):
        acc += tl.dot(a.load([row, k]), b.load([col, k]).trans())
    c.store([row, col], acc.to(c_ptr.dtype.element_ty))


def matmul(a, b):
    triton.set_allocator(_allocate)
    (m, k), n = a.shape, b.shape[1]
    wide = triton.cdiv(n, 8) * 8
    c = torch.empty_strided((m, n), (wide, 1), device=a.device, dtype=a.dtype)
    _matmul[(triton.cdiv(m, 16), triton.cdiv(n, 16))](a, b.mT.contiguous(), c, m, n, wide, k, BM=16, BN=16, BK=32)
    return c
