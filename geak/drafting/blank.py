"""What `geak specs new NAME` writes: a small spec that works as it is, to be edited."""

from __future__ import annotations

import keyword

from geak.drafting.draft import Draft, DraftError

_TEXT = '''"""Softmax over the last dimension of a matrix.

The first line above says what is wanted; write here what a kernel's author must know besides.
This example works as it is: try it, then change it into yours.
"""

import torch

from geak_evaluator import Axis, Scalar, Spec, Tensor

spec = Spec(
    # The sizes that the kernel must handle: any from the first to the last, or choices=(64, 128).
    axes={
        "M": Axis(1, 65536),
        "N": Axis(1, 8192),
    },
    # A case that does not choose T is run once with each.
    dtypes={"T": ("fp16", "bf16", "fp32")},
    # The arguments of `reference`, by name and in its order.
    inputs={
        "x": Tensor("M, N", "T"),
        "scale": Scalar("float", 1.0),
    },
    outputs=Tensor("M, N", "T"),
    # Small sizes, for proving: with a 1, a prime, something that is no multiple of a tile.
    cases=[
        {"M": 1, "N": 17},
        {"M": 33, "N": 64},
        {"M": 64, "N": 781},
    ],
    # Realistic sizes, for timing.
    bench=[
        {"M": 4096, "N": 4096},
    ],
)


def reference(x, scale):
    """The mathematics, in plain PyTorch; it is computed in float64, so precision needs no thought here."""
    return torch.softmax(x * scale, dim=-1)
'''


def blank(name: str) -> Draft:
    """A complete example under a name of yours, with comments on what to change."""
    if not name.isidentifier() or keyword.iskeyword(name):
        raise DraftError(f"{name!r} cannot name a spec: letters, digits and _ make a name, and no digit comes first")
    return Draft(name, _TEXT, (), name)
