"""Product of two fp8 matrices with scales by block, as in quantised language models: C = A @ W.T.

a_scale has one factor for each row and 128 columns of a; w_scale one for each 128 by 128 block of w, which is [N, K].
The factors are applied to the fp32 sum of a block's products, not to the 8-bit operands; sums over blocks are fp32.
The 8-bit format is the device's own e4m3 (fnuz on gfx942; NVIDIA has it from sm_89 on). out is passed in by name, and
its type is the one to round to.
"""

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 16384), "N": Axis(1, 16384), "K": Axis(128, 16384, multiple_of=128)},
    dtypes={"T": ("bf16", "fp16")},
    inputs={
        "a": Tensor("M, K", "fp8_e4m3", fill="normal(0, 16)"),
        "w": Tensor("N, K", "fp8_e4m3", fill="normal(0, 16)"),
        "a_scale": Tensor("M, K // 128", "fp32", fill="uniform(0.001, 0.01)"),
        "w_scale": Tensor("cdiv(N, 128), K // 128", "fp32", fill="uniform(0.001, 0.01)"),
    },
    outputs={"out": Tensor("M, N", "T")},
    contract="destination",
    oracle="declared",
    precision="as_written",
    cases=[{"M": 1, "N": 5, "K": 128}, {"M": 70, "N": 135, "K": 256}, {"M": 17, "N": 64, "K": 640}],
    bench=[{"M": 4096, "N": 4096, "K": 7168}, {"M": 64, "N": 7168, "K": 2048}],
)


def reference(a, w, a_scale, w_scale):
    a = a.float() * a_scale.repeat_interleave(128, dim=1)
    w = w.float() * w_scale.repeat_interleave(128, dim=0)[: w.shape[0]].repeat_interleave(128, dim=1)
    return {"out": a @ w.T}
