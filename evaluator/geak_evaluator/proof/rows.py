"""Rows and columns that are each wrong by numbers of their own: what is summed or taken off along them is."""

from __future__ import annotations

import contextlib
import itertools

import numpy as np

from geak_evaluator.proof.gain import Wrong
from geak_evaluator.proof.numbers import Array

_MOST_ROWS = 256
"""Each is fitted by numbers of its own; of more some are looked at."""


def by_row(one: Wrong) -> str:
    """Each row wrong by numbers of its own: a statistic of the row is."""
    if not one.is_float or one.got.ndim == 0:
        return ""
    width = one.got.shape[-1]
    bad = np.flatnonzero(one.wrong().reshape(-1, width).any(axis=1))[:_MOST_ROWS]
    if 0 < bad.size < _rows(one):
        return by_row(_part(one, bad))
    table = {"": one.truth.reshape(-1, width), "1": np.ones(one.truth.shape).reshape(-1, width)}
    for name, values in one.inputs.items():
        if values.shape == one.got.shape:
            table[name] = values.reshape(-1, width)
        elif values.ndim == 1 and values.shape[0] == width and one.got.ndim > 1:
            table[name] = np.broadcast_to(values, table["1"].shape)
        if name in table and values.shape == one.got.shape:
            with np.errstate(over="ignore"):
                powers = np.exp(table[name])
            if one.got.ndim > 1 and np.isfinite(powers).all():
                table[f"exp({name})"] = powers
    for name, values in one.others.items():
        if values.shape == one.got.shape:
            table[f"output {name}"] = values.reshape(-1, width)
            table[f"the square of output {name}"] = values.reshape(-1, width) ** 2
    if np.unique(one.truth).size < 3 or np.unique(one.got).size < 3:
        return ""
    names = [name for name in table if name not in ("", "1")]
    for chosen in ("", "1", *names):
        if one.is_like(_fitted(one, [table[chosen]]), _rows(one)):
            return _in_words((chosen,), one)
    threes = (("", first, second) for first, second in itertools.combinations(("1", *names), 2))
    for pair in (("", "1"), *itertools.product(("", "1"), names), *itertools.combinations(names, 2), *threes):
        if one.is_like(_fitted(one, [table[name] for name in pair]), len(pair) * _rows(one)):
            return _in_words(pair, one)
    return ""


def _in_words(names: tuple[str, ...], one: Wrong) -> str:
    many = _rows(one) > 1
    rows, own = ("each row is", " of its own") if many else ("it is", "")
    of = " and ".join(name for name in names if name not in ("", "1"))
    if of and "" in names:
        return f"but for {of} {rows} off by a factor{own}: look at the mean and the scale of a row"
    if of:
        amount = " and an amount" if "1" in names else ""
        return f"{rows} off by a multiple of {of}{amount}: look at a sum or mean over the row"
    what = " and ".join({"": "a factor", "1": "an amount"}[name] for name in names)
    look = {"": "what a row is scaled by", "1": "what is taken off a row"}
    return f"{rows} off by {what}{own}: look at {' and '.join(look[name] for name in names)}, a sum, mean or maximum"


def _part(one: Wrong, rows: Array) -> Wrong:
    """Some of its rows, with what belongs to them."""

    def cut(values: Array) -> Array:
        return values.reshape(-1, values.shape[-1])[rows] if values.shape == one.got.shape else values

    inputs, others = ({name: cut(values) for name, values in part.items()} for part in (one.inputs, one.others))
    return Wrong(cut(one.got), cut(one.truth), one.format, one.tolerance, inputs, others, one.constants)


def _rows(one: Wrong) -> int:
    return int(one.got.size // one.got.shape[-1])


def _fitted(one: Wrong, bases: list[Array]) -> Array:
    """The truth of each row with those multiples of the bases that bring it nearest."""
    width = one.got.shape[-1]
    got, truth = one.got.reshape(-1, width), one.truth.reshape(-1, width)
    fitted = truth.copy()
    for row in range(len(got)):
        base = np.stack([basis[row] for basis in bases], axis=1)
        known = np.isfinite(got[row]) & np.isfinite(truth[row]) & np.isfinite(base).all(axis=1)
        if known.sum() > len(bases) + 1:
            with contextlib.suppress(np.linalg.LinAlgError):  # of numbers so large that nothing can be fitted
                found = np.linalg.lstsq(base[known], got[row][known] - truth[row][known], rcond=None)[0]
                fitted[row] += base @ found
    return fitted.reshape(one.got.shape)


def by_column(one: Wrong) -> str:
    """Each column off by a number of its own."""
    if not one.is_float or one.got.ndim < 2:
        return ""
    width = one.got.shape[-1]
    some = slice(None, None, max(1, _rows(one) // _MOST_ROWS))
    turned = Wrong(
        np.ascontiguousarray(one.got.reshape(-1, width)[some, :_MOST_ROWS].T),
        np.ascontiguousarray(one.truth.reshape(-1, width)[some, :_MOST_ROWS].T),
        one.format,
        one.tolerance,
    )
    for basis, what in ((turned.truth, "a factor"), (np.ones(turned.truth.shape), "an amount")):
        if turned.is_like(_fitted(turned, [basis]), _rows(turned)):
            return f"each column is off by {what} of its own: look at what goes by column"
    return ""


def by_statistic(one: Wrong) -> str:
    """Of an output that has one number for each row of an input: what of the row it is off by."""
    wrong = one.wrong()
    for name, values in one.inputs.items() if one.is_float else ():
        if values.ndim != one.got.ndim + 1 or values.shape[:-1] != one.got.shape or values.shape[-1] < 2:
            continue
        for word, statistic in (("largest", values.max(-1)), ("smallest", values.min(-1)), ("sum", values.sum(-1))):
            for sign, by in ((1, "too much"), (-1, "too little")):
                if one.is_like(np.where(wrong, one.truth + sign * statistic, one.truth)):
                    return f"{by} by the {word} of each row of {name}: is it added, or taken off, at the end?"
    return ""


def in_block(one: Wrong) -> str:
    """Of an output that is right up to a block of its last axis: what the first wrong block is off by."""
    columns = (
        np.flatnonzero(one.wrong().reshape(-1, one.got.shape[-1]).any(axis=0)) if one.got.ndim else np.zeros(0, int)
    )
    first = int(columns[0]) if columns.size else 0
    if first < 8:
        return ""
    block = np.s_[..., first : min(one.got.shape[-1], first + (first & -first))]
    part = Wrong(one.got[block], one.truth[block], one.format, one.tolerance)
    words = by_row(part)
    return f"from column {first} on {words}; is what goes before carried over?" if words else ""
