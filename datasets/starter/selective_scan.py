"""Selective scan, the recurrence of a state space model: an input-dependent linear recurrence along L.

For each batch and channel d, a state h of S values starts at 0, and at each step t
    h = exp(delta[t, d] * A[d]) * h + delta[t, d] * x[t, d] * B[t]    and    y[t, d] = sum(h * C[t]) + D[d] * x[t, d]
Returns y and the last state. A is negative and delta positive, so the state fades. Keep it in fp32.
"""

import torch

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"N": Axis(1, 256), "L": Axis(1, 16384), "E": Axis(1, 16384), "S": Axis(choices=(8, 16))},
    dtypes={"T": ("fp32", "bf16", "fp16")},
    inputs={
        "x": Tensor("N, L, E", "T"),
        "delta": Tensor("N, L, E", "T", fill="uniform(0.01, 0.5)"),
        "A": Tensor("E, S", "fp32", fill="uniform(-2, -0.1)"),
        "B": Tensor("N, L, S", "T"),
        "C": Tensor("N, L, S", "T"),
        "D": Tensor("E", "fp32"),
    },
    outputs=(Tensor("N, L, E", "T"), Tensor("N, E, S", "fp32")),
    cases=[{"N": 1, "L": 1, "E": 3, "S": 8}, {"N": 2, "L": 13, "E": 65, "S": 16}, {"N": 1, "L": 19, "E": 7, "S": 8}],
    bench=[{"N": 8, "L": 2048, "E": 2048, "S": 16}],
)


def reference(x, delta, A, B, C, D):
    h, y = A.new_zeros(x.shape[0], *A.shape), []
    for t in range(x.shape[1]):
        step = delta[:, t, :, None]
        h = torch.exp(step * A) * h + step * x[:, t, :, None] * B[:, t, None, :]
        y.append((h * C[:, t, None, :]).sum(-1) + D * x[:, t])
    return torch.stack(y, dim=1), h
