"""Which configurations of which kernels bench/gpu.py times: the ground of the estimate."""

from __future__ import annotations

import itertools
import random
from typing import Any

from geak_evaluator.tune.knobs import Space

VARIED = (
    *("softmax", "matmul", "row_sum", "silu_and_mul", "gelu_bias", "transpose", "conv2d", "cross_entropy", "rope"),
    *("column_stats", "group_norm", "cumsum", "add_clamp", "argmax", "segment_sum", "int4_dequantize", "mse_loss"),
    *("grouped_gemm", "rms_norm_grad", "fp8_block_matmul"),
)
"""Of every kind, whose references the host computes in some seconds."""
MOST, PARTS = 20, 4


def configurations(space: Space, target: str) -> list[dict[str, Any]]:
    """As the file has it and what it names; each number by itself otherwise; then any, in an order that is the same."""
    choices = space.choices(target)
    one = [{**space.present, name: value} for name, values in choices.items() for value in values]
    every = [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]
    random.Random(0).shuffle(every)
    tried: list[dict[str, Any]] = [*space.starts(target), *one, *every]
    admitted = {tuple(values.items()): values for values in tried if space.admits(values)}
    return list(admitted.values())[:MOST]


def part(space: Space, target: str, number: int) -> list[dict[str, Any]]:
    """Every fourth of them, from the `number`-th."""
    return configurations(space, target)[number - 1 :: PARTS]
