"""Divergence of a student's distribution from a teacher's, for each row of two matrices of logits, in fp32.

loss[m] = sum over v of p[v] * (log p[v] - log q[v]), where p is the softmax of teacher[m] / temperature and q that of
student[m] / temperature. Logits lie far from 0, so every exp is 0 unless the maximum is taken off.
"""

import torch

from geak_evaluator import Axis, Scalar, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 65536), "V": Axis(2, 65536)},
    dtypes={"T": ("fp16", "bf16", "fp32")},
    inputs={
        "student": Tensor("M, V", "T", fill="normal(-200, 3)"),
        "teacher": Tensor("M, V", "T", fill="normal(-200, 3)"),
        "temperature": Scalar("float", 1.5),
    },
    outputs=Tensor("M", "fp32"),
    cases=[{"M": 5, "V": 2}, {"M": 7, "V": 101}, {"M": 4, "V": 1024}, {"M": 5, "V": 4099}],
    bench=[{"M": 4096, "V": 32000}],
)


def reference(student, teacher, temperature):
    q, p = (torch.log_softmax(logits / temperature, dim=-1) for logits in (student, teacher))
    return (p.exp() * (p - q)).sum(-1)
