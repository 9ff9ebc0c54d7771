"""Modes in an enumeration, a tuple as a constant, numbers of numpy's."""

import enum

import numpy as np
import torch
import triton
import triton.language as tl


class Mode(enum.IntEnum):
    PLUS = 0
    MINUS = 1


PLUS = tl.constexpr(0)


@triton.jit
def _add(x_ptr, y_ptr, out_ptr, n, weights, MODE: tl.constexpr, SHAPE: tl.constexpr, FLAGS: tl.constexpr):
    BLOCK: tl.constexpr = SHAPE[0] * SHAPE[1]
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    at = tl.trans(at.reshape(SHAPE[0], SHAPE[1]), 1, 0)
    y = tl.load(y_ptr + at, mask=at < n)
    if FLAGS[0]:
        y = y * weights[0] * weights[1]
    sign = 1 if MODE == PLUS else -1
    tl.store(out_ptr + at, tl.load(x_ptr + at, mask=at < n) + sign * y, mask=at < n)


def add(x, y):
    out = torch.empty_like(x)
    n = np.prod(x.shape)
    grid = (int(np.ceil(n / 64)),)
    _add[grid](x, y, out, int(n), (0.5, 2.0), MODE=Mode.PLUS, SHAPE=(4, 16), FLAGS=(True, False))
    return out
