"""What wrong values look like as a whole: the truth times a number, nothing, no numbers, or nearly right."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping

import numpy as np

from geak_evaluator.proof.compare import errors, scale
from geak_evaluator.proof.gain import ENOUGH, Wrong, gain
from geak_evaluator.proof.places import another, elsewhere, foreign, index
from geak_evaluator.proof.rows import by_column, by_row, by_statistic, in_block
from geak_evaluator.schema.dtypes import resolve


@np.errstate(all="ignore")
def plainly(one: Wrong) -> str:
    """What it is, element for element; empty where nothing is borne out."""
    return another(one) or index(one) or elsewhere(one) or _turned_over(one)


@np.errstate(all="ignore")
def vaguely(one: Wrong) -> str:
    """What is odd about it as a whole; empty where nothing is borne out."""
    tries = (
        _nothing,
        _factor,
        _should_be_nothing,
        _of_nothing,
        _times,
        _off_by_one,
        by_row,
        by_column,
        by_statistic,
        in_block,
        _no_number,
        foreign,
        _digits,
    )
    return next(filter(None, (attempt(one) for attempt in tries)), "")


def _turned_over(one: Wrong) -> str:
    if not one.is_float:
        return ""
    if one.is_like(-one.truth):
        return "everything has the other sign"
    with np.errstate(divide="ignore"):
        return "everything is 1 over what is expected" if one.is_like(1 / one.truth) else ""


def _factor(one: Wrong) -> str:
    """A number that all of it is multiplied by."""
    if not one.is_float:
        return ""
    known = np.isfinite(one.got) & np.isfinite(one.truth)
    got, truth = one.got[known], one.truth[known]
    total = float(np.sum(truth**2))
    factor = float(np.sum(got * truth)) / total if 0 < total < math.inf else 0.0
    if factor == 0 or not math.isfinite(factor):
        return ""
    told = gain(one.got, one.truth, factor * one.truth, one.format, one.tolerance, 1)
    for name, value in _ratios(one.constants):
        if abs(factor / value - 1) < 0.01:
            named = gain(one.got, one.truth, value * one.truth, one.format, one.tolerance)
            if named >= max(ENOUGH, told):
                return f"everything is {_short(value)} times what is expected, which is {name} here"
    if told >= ENOUGH:
        return f"everything is {_short(factor)} times what is expected: look at a scale, or at what is divided by"
    return ""


def _ratios(constants: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Numbers that a result is often wrongly multiplied by, with how they come about."""
    used = {name: value for name, value in constants.items() if value > 0 and value != 1}
    for name, value in used.items():
        yield name, value
        yield f"1 / {name}", 1 / value
    for name, value in used.items():
        if value == int(value) and value > 1:
            yield f"{name} / ({name} - 1)", value / (value - 1)
            yield f"({name} - 1) / {name}", (value - 1) / value
            block = 1 << (int(value) - 1).bit_length()
            if block != value:
                yield f"{name} / {block}, the next power of 2", value / block
                yield f"{block} / {name}, the next power of 2", block / value
        for word, power in ((f"({name} * {name})", value * value), (f"sqrt({name})", math.sqrt(value))):
            yield word, power
            yield f"1 / {word}", 1 / power
    for (name, value), (other, divisor) in itertools.permutations(used.items(), 2):
        yield f"{name} / {other}", value / divisor
        if name < other:
            yield f"{name} * {other}", value * divisor
            yield f"1 / ({name} * {other})", 1 / (value * divisor)


def _no_number(one: Wrong) -> str:
    if not one.is_float:
        return ""
    odd = ~np.isfinite(one.got) & np.isfinite(one.truth)
    if not odd.any():
        return ""
    if np.isnan(one.got[odd]).all():
        word = "NaN, computed where a number is expected: 0 / 0, infinity less infinity, or exp of a large number"
        return f"{word}; is the largest taken off first, and what lies beyond the end left out?"
    if (one.got[odd] > 0).all() or (one.got[odd] < 0).all():
        sign = "" if (one.got[odd] > 0).all() else "-"
        word = f"{sign}infinity where a number is expected: a division by 0, exp or log beyond its range"
        return f"{word}, or what stands for a masked element comes through"
    return "NaN and infinity where numbers are expected: a division by 0, or exp or log beyond its range"


def _nothing(one: Wrong) -> str:
    wrong = one.wrong()
    if not one.is_float:
        return ""
    if not (one.got[wrong] == 0).all():
        first = one.got.flat[0]
        if one.got.size > 2 and np.isfinite(first) and (one.got == first).all() and np.unique(one.truth).size > 2:
            return f"it is {_short(float(first))} throughout: is it cut off there?"
        return ""
    if (one.truth[wrong] < 0).all() and wrong.sum() > 2 and (one.truth >= 0).any():
        return "0 where a negative number is expected: does a maximum begin at 0, or is padding 0?"
    if not one.got.any():
        return "everything is 0: is a loop never run, a mask never true, or exp taken of what is far below 0?"
    return "what is wrong is 0: is it left out of a loop or a mask?" if wrong.sum() > 2 else ""


def _should_be_nothing(one: Wrong) -> str:
    wrong = one.wrong()
    if wrong.any() and (one.truth[wrong] == 0).all() and (one.truth != 0).any():
        return "wrong just where 0 is expected: is something divided by 0, or not left out that is masked?"
    return ""


def _of_nothing(one: Wrong) -> str:
    """Whole numbers made of nothing: a float that is none becomes any of them."""
    zeros = [name for name, values in one.inputs.items() if values.size > 1 and not values.any()]
    if one.is_float or not zeros or one.truth.any() or np.unique(one.got).size < 3:
        return ""
    return f"{zeros[0]} is 0 throughout, and so is what is expected: is something divided by it?"


def _times(one: Wrong) -> str:
    """An input that is a factor or a term of all of it once too often, or once too rarely."""
    for name, values in one.inputs.items() if one.is_float else ():
        if values.shape == one.got.shape[one.got.ndim - values.ndim :] and np.unique(values).size > 2:
            with np.errstate(all="ignore"):
                if one.is_like(one.truth * values):
                    return f"everything is multiplied by {name} once too often"
                if one.is_like(np.where(values != 0, one.truth / values, one.truth)):
                    return f"{name} is left out as a factor of everything"
                if one.is_like(one.truth + values):
                    return f"{name} is added to everything once too often"
                if one.is_like(one.truth - values):
                    return f"{name} is not added, or taken off everything"
    return ""


def _off_by_one(one: Wrong) -> str:
    wrong = one.wrong()
    if one.is_float or wrong.sum() < 8 or np.unique(one.truth).size < 16:
        return ""
    off = np.abs(one.got.astype(np.float64) - one.truth)
    if (off > 1).any():
        wraps = (np.minimum(off, np.abs(off - 2.0 ** (8 * resolve(one.format).bytes))) <= 1).all()
        return "off by 1 at most, and the largest wrap round: is the scale right?" if wraps else ""
    if (np.abs(one.got) <= np.abs(one.truth)).all():
        return "off by 1 towards 0 at most: is it cut off, not rounded?"
    if (one.got <= one.truth).all():
        return "too small by 1 at most: is it rounded down, not to the nearest?"
    return "off by 1 at most: is it rounded to the nearest, and by the right scale?"


def _digits(one: Wrong) -> str:
    """Right but for its last digits."""
    if not one.is_float or one.got.size < 3 or not (np.isfinite(one.got) & np.isfinite(one.truth)).all():
        return ""
    size = scale(one.truth)
    off = (one.got - one.truth) / np.maximum(np.abs(one.truth), size)
    worst, own = float(np.abs(off).max()), resolve(one.format).mantissa
    both = (off > 0).any() and (off < 0).any()  # as rounding has it; what is too large throughout is something else
    if own >= 23 and 0 < worst <= 2.0**-7 and (both or worst <= 2.0**-10):
        name = "fp16 or tf32" if worst <= 2.0**-9 else "bf16 or fp16"
        return f"right to {max(1, int(-math.log10(worst)))} digits: is something rounded to {name} on the way?"
    far = errors(one.got, one.truth, one.format, size)
    if 3 < own < 23 and far.max() <= 3 * one.tolerance and (far > one.tolerance).mean() <= 0.5:
        return "nearly right: are digits lost on the way? sum in fp32, and round once"
    return ""


def _short(value: float) -> str:
    return f"{value:.4g}"
