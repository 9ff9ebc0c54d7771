"""Kernels whose traffic and operations can be counted by hand, and an observer for their launches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import triton
import triton.language as tl

from geak_evaluator import device
from geak_evaluator.estimate.trace import Observer
from geak_evaluator.schema.estimate import Work


@triton.jit
def copy(x, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + at, tl.load(x + at, mask=at < n), mask=at < n)


@triton.jit
def strided_copy(x, y, STEP: tl.constexpr, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + at, tl.load(x + at * STEP))


@triton.jit
def row_sum(x, y, N, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    total = tl.zeros((BLOCK,), tl.float32)
    for at in range(0, N, BLOCK):
        total += tl.load(x + row * N + at + tl.arange(0, BLOCK))
    tl.store(y + row, tl.sum(total))


@triton.jit
def matmul(a, b, c, N, K, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    rows, columns = tl.program_id(0) * BM + tl.arange(0, BM), tl.program_id(1) * BN + tl.arange(0, BN)
    inner = tl.arange(0, BK)
    total = tl.zeros((BM, BN), tl.float32)
    for at in range(0, K, BK):
        left = tl.load(a + rows[:, None] * K + at + inner[None, :])
        right = tl.load(b + (at + inner)[:, None] * N + columns[None, :])
        total = tl.dot(left, right, total)
    tl.store(c + rows[:, None] * N + columns[None, :], total.to(tl.float16))


@triton.jit
def exponential(x, y, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    value = tl.load(x + at)
    tl.store(y + at, tl.exp(value) * 2.0 + value)


@triton.jit
def chase(table, x, y, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    place = tl.load(table + at)
    tl.store(y + at, tl.load(x + place))


@triton.jit
def count(x, bins, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.atomic_add(bins + tl.load(x + at), 1)


@triton.jit
def forever(x, y):
    while tl.load(x) == 0:
        tl.store(y, 1)


def watched(launch: Callable[[], object], most: int = 16, **limits: int) -> Work:
    """What one launch asks for."""
    seen: list[Observer] = []

    def observe(one: Any) -> Observer:
        seen.append(Observer(one.kernel, one.grid, most, **limits))
        return seen[-1]

    with device.activate("gfx942", compile=False, observe=observe):
        launch()
    (observer,) = seen
    return observer.work()
