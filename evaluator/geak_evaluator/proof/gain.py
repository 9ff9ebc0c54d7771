"""How much better one account of an answer is than another: what a recogniser must show before it speaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from geak_evaluator.proof.compare import errors, scale
from geak_evaluator.proof.numbers import Array
from geak_evaluator.schema.dtypes import resolve

ENOUGH = 16.0
"""Bits: of all that is tried, less than one in some hundred fits so well by chance."""
_NOISE = 0.5
"""Steps that a right answer may be off by rounding alone."""
_SAMPLE = 1 << 12
_MOST_BITS = 20.0
"""That one element may tell."""


@np.errstate(all="ignore")  # what was given may be any numbers
def gain(got: Array, truth: Array, account: Array, format: str, tolerance: float, parameters: int = 0) -> float:
    """The bits by which an account tells more about an answer than the truth; 0 where any element contradicts it.

    What was fitted, by `parameters` numbers, tells so many elements less.
    """
    if got.size > 2 * _SAMPLE and not _fits(got, account, format, 4 * tolerance):
        return 0.0
    if resolve(format).kind != "float":
        if not np.array_equal(got, account):
            return 0.0
        each = _each(got, truth)
    else:
        after = errors(got, account, format, scale(account))
        tolerance = min(tolerance, 2.0 ** (resolve(format).mantissa - 3))  # with 8 bits nearly all is within it
        # What a right kernel may be off here and there, it is not off on average.
        if not (after <= max(1.5 * tolerance, 1.0)).all() or after.mean() > max(1.0, tolerance / 8):
            return 0.0
        before = np.minimum(errors(got, truth, format, scale(truth)), 2.0**_MOST_BITS)
        each = np.log2((before + _NOISE) / (after + _NOISE))
        odd = ~np.isfinite(got)
        each = np.where(odd, np.sign(each) * (not odd.all()), each)  # all of them NaN is what many a fault gives
    each = np.sort(np.minimum(each, _MOST_BITS), axis=None)
    return float(each[: each.size - parameters].sum())


def _fits(got: Array, account: Array, format: str, tolerance: float) -> bool:
    """Whether some elements do not contradict an account: most accounts are refuted by few of them."""
    some = slice(None, None, got.size // _SAMPLE)
    got, account = np.ravel(got)[some], np.ravel(account)[some]
    if resolve(format).kind != "float":
        return np.array_equal(got, account)
    return bool((errors(got, account, format, scale(account)) <= max(tolerance, 4.0)).all())


def most(got: Array, truth: Array, format: str) -> float:
    """The bits of an account by which everything is as it should be, but for rounding."""
    if resolve(format).kind != "float":
        return float(_each(got, truth).sum())
    before = np.minimum(errors(got, truth, format, scale(truth)), 2.0**_MOST_BITS)
    return float(np.log2((before + _NOISE) / (_NOISE / 2 + _NOISE)).sum())


def _each(got: Array, truth: Array) -> Array:
    """Of whole numbers, each that is wrong tells which it is of all that they may be; nothing where they are few."""
    kinds = np.unique(got).size
    span = min(int(got.max(initial=0)) - int(got.min(initial=0)) + 1, 1 << 12) if kinds > 2 else kinds
    return np.asarray(np.where(got != truth, np.log2(max(span, 1)), 0.0))


@dataclass(frozen=True)
class Wrong:
    """One output, or a part of it, with what it may be like."""

    got: Array
    truth: Array
    format: str
    tolerance: float
    inputs: Mapping[str, Array] = field(default_factory=dict)
    others: Mapping[str, Array] = field(default_factory=dict)
    """What is expected of the other outputs."""
    constants: Mapping[str, float] = field(default_factory=dict)
    """Sizes and scalars by name."""

    @property
    def is_float(self) -> bool:
        """Whether rounding may set it apart from the truth."""
        return resolve(self.format).kind == "float"

    def wrong(self) -> Array:
        """Which elements are wrong."""
        if self.is_float:
            return np.asarray(errors(self.got, self.truth, self.format, scale(self.truth)) > self.tolerance)
        off = np.abs(self.got.astype(np.float64) - self.truth)
        return np.asarray((self.got != self.truth) & (off >= self.tolerance))

    def is_like(self, account: Array, parameters: int = 0) -> bool:
        """Whether this is surely what it is."""
        return gain(self.got, self.truth, account, self.format, self.tolerance, parameters) >= ENOUGH
