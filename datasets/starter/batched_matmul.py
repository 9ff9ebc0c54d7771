"""Batched product with the second matrix stored transposed: C[b] = A[b] @ W[b].T, where w is a view of [B, K, N].

a is contiguous [B, M, K]; w is [B, N, K] by shape, but it is its N dimension whose elements are adjacent (w.stride(1)
is 1). Accumulate in fp32.
"""

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"B": Axis(1, 4096), "M": Axis(1, 8192), "N": Axis(1, 8192), "K": Axis(1, 8192)},
    dtypes={"T": ("fp16", "bf16")},
    inputs={"a": Tensor("B, M, K", "T"), "w": Tensor("B, N, K", "T", strides="N * K, 1, N")},
    outputs=Tensor("B, M, N", "T"),
    cases=[
        {"B": 3, "M": 1, "N": 17, "K": 40},
        {"B": 2, "M": 66, "N": 150, "K": 32},
        {"B": 5, "M": 30, "N": 3, "K": 101},
        {"B": 1, "M": 5, "N": 11, "K": 4096},
    ],
    bench=[{"B": 64, "M": 512, "N": 512, "K": 1024}],
)


def reference(a, w):
    return a @ w.mT
