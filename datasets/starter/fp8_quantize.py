"""Quantisation to fp8 with one scale for each row and group of G columns, into given tensors.

scale[m, g] = max(abs(x over the group)) / top in fp32, but at least 1e-10 (a group may be all zeros), and q = x / scale
is rounded to the 8-bit format. q and scale are passed in by name and are to be filled; q is of the device's own e4m3
(fnuz on gfx942; NVIDIA has it from sm_89 on), and top is a number that every e4m3 can hold.
"""

import torch

from geak_evaluator import Axis, Scalar, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 65536), "N": Axis(64, 16384, multiple_of=64)},
    dtypes={"T": ("fp16", "bf16")},
    inputs={
        "x": Tensor("M, N", "T"),
        "G": Scalar("int", choices=(64, 128)),
        "top": Scalar("float", 240.0),
    },
    outputs={"q": Tensor("M, N", "fp8_e4m3"), "scale": Tensor("M, N // G", "fp32")},
    contract="destination",
    where=("N % G == 0",),
    cases=[{"M": 3, "N": 64, "G": 64}, {"M": 19, "N": 384}, {"M": 7, "N": 1280, "G": 64}],
    bench=[{"M": 4096, "N": 7168, "G": 128}],
)


def make_inputs(case, rng):
    x = 4 * torch.randn(case["M"], case["N"], generator=rng)
    x[-1, -case["G"] :] = 0
    return {"x": x.to({"fp16": torch.float16, "bf16": torch.bfloat16}[case["T"]])}


def reference(x, G, top):
    groups = x.unflatten(-1, (-1, G))
    scale = (groups.abs().amax(-1) / top).clamp(min=1e-10)
    return {"q": (groups / scale[..., None]).flatten(-2), "scale": scale}
