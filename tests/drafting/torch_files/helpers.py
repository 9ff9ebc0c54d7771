import math
import os  # not needed by what is drafted

import torch

SQRT_2_OVER_PI = math.sqrt(2.0 / math.pi)
COEFF = 0.044715
TABLE = {"tanh": torch.tanh}
TABLE["none"] = lambda v: v


def _inner(x):
    return SQRT_2_OVER_PI * (x + COEFF * x**3)


def gelu_tanh(x):
    return 0.5 * x * (1 + TABLE["tanh"](_inner(x)))


def bias_gelu(x, bias, approximate: str = "tanh"):
    if approximate == "none":
        return torch.nn.functional.gelu(x + bias)
    return gelu_tanh(x + bias)


def test_bias_gelu():
    assert os.name
