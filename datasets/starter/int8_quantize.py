"""Dynamic quantisation of each row (token) to int8, with one scale a row.

scale = max(abs(row)) / 127 in fp32, but at least 1e-10 (a row may be all zeros), and q = row / scale rounded to the
nearest integer, ties to even. Returns q and the scales. Both divisions are true fp32 divisions: a reciprocal now and
then rounds to the other side.
"""

import torch

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 65536), "N": Axis(2, 16384)},
    dtypes={"T": ("fp16", "bf16", "fp32")},
    inputs={"x": Tensor("M, N", "T")},
    outputs=(Tensor("M, N", "int8"), Tensor("M", "fp32")),
    oracle="declared",
    precision="as_written",
    cases=[{"M": 1, "N": 31}, {"M": 17, "N": 128}, {"M": 5, "N": 4097}],
    bench=[{"M": 4096, "N": 8192}],
    tolerance={"int8": 0, "fp32": 2},
)


def make_inputs(case, rng):
    x = 3 * torch.randn(case["M"], case["N"], generator=rng)
    x[-1] = 0
    return {"x": x.to({"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}[case["T"]])}


def reference(x):
    x = x.to(torch.float32)
    scale = (x.abs().amax(-1) / 127).clamp(min=1e-10)
    return torch.round(x / scale[:, None]).to(torch.int8), scale
