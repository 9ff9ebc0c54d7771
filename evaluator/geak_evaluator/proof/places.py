"""Right values in wrong places: of another tensor, of another index, or elsewhere along an axis."""

from __future__ import annotations

import itertools
import math

import numpy as np

from geak_evaluator.proof.gain import ENOUGH, Wrong
from geak_evaluator.proof.numbers import Array
from geak_evaluator.schema.dtypes import resolve

_INDEX_BYTES = 4
"""Whole numbers of fewer are values: quantised ones, or packed bits."""


def another(one: Wrong) -> str:
    """Whether it is an input as it was, or what another output must be."""
    wrong = one.wrong()
    for name, values in one.inputs.items():
        if values.shape == one.got.shape and one.is_like(np.where(wrong, values, one.truth)):
            return f"what is wrong is {name} as it was given: is something left out, or done to a copy?"
    for name, values in one.others.items():
        if values.shape == one.got.shape and one.is_like(values):
            return f"it is what output {name} must be: are two outputs exchanged?"
    return ""


def index(one: Wrong) -> str:
    """Of an output of indices: what they pick, and how far off they are."""
    if one.is_float or one.got.dtype.kind != "i":
        return ""
    wrong = one.wrong()
    for name, values in one.inputs.items() if resolve(one.format).bytes >= _INDEX_BYTES else ():
        before = values.ndim - 1
        if one.got.ndim not in (before, values.ndim) or values.shape[:before] != one.got.shape[:before]:
            continue
        width, single = values.shape[-1] if values.ndim else 0, one.got.ndim == before
        got, truth = (part[..., None] if single else part for part in (one.got, one.truth))
        at: Array = wrong[..., None] if single else wrong
        if width < 2 or (truth < 0).any() or (truth >= width).any():
            continue
        if ((got >= width) | (got < 0))[at].any():
            return f"an index lies beyond the {width} elements of {name}: does padding win?"
        picked, wanted = np.take_along_axis(values, got, -1), np.take_along_axis(values, truth, -1)
        if np.array_equal(picked[at], wanted[at]) and np.unique(values).size > 1:
            return f"{name} holds the same at the places that it names: of equal values another one is asked for"
        below: Array = np.asarray((values <= 0).all(axis=-1))
        rows: Array = np.asarray(at.any(axis=-1))
        if rows[below].any() and not rows[~below].any() and -rows.sum() * math.log2(below.mean()) >= ENOUGH / 2:
            return f"wrong just where {name} is nowhere above 0: does a maximum begin at 0?"
    off = [abs(int(got) - int(truth)) for got, truth in zip(one.got[wrong][:1024], one.truth[wrong], strict=False)]
    step = math.gcd(*off)
    if step >= 16 and step & (step - 1) == 0 and len(off) * math.log2(step) >= ENOUGH / 2:
        return f"off by multiples of {step}: is the start of a block added?"
    return ""


def elsewhere(one: Wrong) -> str:
    """The right values at a wrong place along one axis."""
    for axis, size in enumerate(one.got.shape):
        if size < 2:
            continue
        got, truth = np.moveaxis(one.got, axis, 0), np.moveaxis(one.truth, axis, 0)
        moved = Wrong(got, truth, one.format, one.tolerance)
        if moved.is_like(truth[::-1]):
            return f"along axis {axis} it is turned round"
        for step in dict.fromkeys((1, -1, size // 2)):
            there = np.roll(truth, step, 0)
            inside = np.s_[max(step, 0) : size + min(step, 0)]
            part = Wrong(got[inside], truth[inside], one.format, one.tolerance)
            if size > abs(step) and part.is_like(there[inside]):
                return f"along axis {axis} it is what belongs {abs(step)} {'before' if step > 0 else 'after'} it"
        if np.unique(truth[:1]).size > 2 and moved.is_like(np.broadcast_to(truth[:1], truth.shape)):
            return f"along axis {axis} all is what belongs to the first"
        if size % 2 == 0 and size > 2:
            half = (size // 2, 2)
            pairs = truth.reshape(*half, *truth.shape[1:])
            if moved.is_like(pairs[:, ::-1].reshape(truth.shape)):
                return f"along axis {axis} neighbours are exchanged"
            if moved.is_like(pairs.swapaxes(0, 1).reshape(truth.shape)):
                return f"along axis {axis} it lies in halves, not interleaved"
            if moved.is_like(truth.reshape(*half[::-1], *truth.shape[1:]).swapaxes(0, 1).reshape(truth.shape)):
                return f"along axis {axis} it lies interleaved, not in halves"
    for order in itertools.permutations(range(one.got.ndim)) if 1 < one.got.ndim <= 4 else ():
        if order != tuple(range(one.got.ndim)) and one.is_like(one.truth.transpose(order).reshape(one.got.shape)):
            return f"its axes lie in memory in the order {', '.join(map(str, order))}: look at the strides of the store"
    return ""


def foreign(one: Wrong) -> str:
    """Of an output that holds an input's values: those which it does not hold, or which are elsewhere."""
    for name, values in one.inputs.items():
        if values.size < 2 or np.unique(values).size < 2 or not np.isin(one.truth, values).all():
            continue
        if one.truth.size < 8 or np.unique(one.truth).size < 8:
            continue
        wrong = one.got[one.wrong()]
        beyond = wrong[~np.isin(wrong, values)]
        if not beyond.size:
            return f"all of it are values of {name}, but of the wrong places: look at the index"
        if np.unique(beyond).size == 1:
            word = f"{f'{float(beyond[0]):.4g}'}, which {name} does not hold, stands in {beyond.size} places"
            return f"{word}: is it what stands for masked elements?"
    return ""
