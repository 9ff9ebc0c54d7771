"""Sums of runs of rows: y[g] is the sum of rows offsets[g] to offsets[g + 1] - 1 of x.

offsets starts at 0, ascends and ends at N. A run may be empty, and its sum is then 0. Sums are taken, and returned, in
fp32.
"""

import torch

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"G": Axis(1, 65536), "N": Axis(1, 1048576), "D": Axis(1, 8192)},
    dtypes={"T": ("fp16", "bf16", "fp32")},
    inputs={"x": Tensor("N, D", "T"), "offsets": Tensor("G + 1", "int64", fill="offsets(N)")},
    outputs=Tensor("G, D", "fp32"),
    cases=[{"G": 1, "N": 7, "D": 5}, {"G": 9, "N": 5, "D": 33}, {"G": 3, "N": 197, "D": 130}],
    bench=[{"G": 2048, "N": 131072, "D": 512}],
)


def reference(x, offsets):
    segment = torch.repeat_interleave(torch.arange(offsets.numel() - 1, device=x.device), offsets.diff())
    return x.new_zeros(offsets.numel() - 1, x.shape[1]).index_add(0, segment, x)
