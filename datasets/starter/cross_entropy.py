"""Cross entropy of each row of logits against a class index, without reduction.

loss[i] = log(sum(exp(logits[i]))) - logits[i, target[i]] in fp32, whatever the logits' type, and 0 where target[i] is
-100 (an ignored row). The vocabulary may be longer than any block that fits in registers.
"""

import torch

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"M": Axis(1, 65536), "V": Axis(2, 262144)},
    dtypes={"T": ("fp16", "bf16", "fp32")},
    inputs={"logits": Tensor("M, V", "T", fill="normal(-120, 3)"), "target": Tensor("M", "int64")},
    outputs=Tensor("M", "fp32"),
    cases=[{"M": 3, "V": 101}, {"M": 61, "V": 10}, {"M": 4, "V": 2048}, {"M": 6, "V": 5003}],
    bench=[{"M": 4096, "V": 32000}, {"M": 1024, "V": 128256}],
)


def reference(logits, target):
    return torch.nn.functional.cross_entropy(logits, target, reduction="none")


def make_inputs(case, rng):
    target = torch.randint(0, case["V"], (case["M"],), generator=rng)
    target[2::4] = -100
    return {"target": target}
