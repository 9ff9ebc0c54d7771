"""Which sizes a drafted spec is proved and timed at: the file's own, and others out of its domain."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace

from geak.drafting.by_example import by_example
from geak.drafting.sizes import AxisDraft, Sizes, cases, fits, variants
from geak.drafting.sketch import Sketch
from geak_evaluator.schema import expr
from geak_evaluator.schema.spec import Axis, Numbers, Scalar, Spec, SpecError, Tensor
from geak_evaluator.schema.spec import Value as Size


def _build(text: str) -> Tensor | Scalar | Numbers:
    """The declaration behind its source, which is ours and holds literals only."""
    node = ast.parse(text, mode="eval").body
    if not isinstance(node, ast.Call):
        given = ast.literal_eval(node)
        return Numbers(tuple(map(str, given)), "list" if isinstance(given, list) else "tuple")
    args = [ast.literal_eval(a) for a in node.args]
    keywords = {k.arg: ast.literal_eval(k.value) for k in node.keywords if k.arg}
    return Tensor(*args, **keywords) if text.startswith("Tensor") else Scalar(*args, **keywords)


def by_example_alone(result: Sketch, own: Mapping[str, int | tuple[int, ...]]) -> None:
    """Declares what is passed anew, where the example shows all of it."""
    declared = {name: _build(text) for name, text in {**result.inputs, **result.init}.items()}
    axes: list[AxisDraft] = []
    texts = by_example(axes, declared, own)
    if texts is not None:
        result.axes, result.where, result.outputs, result.optional = axes, [], "", []
        result.agrees = True
        result.inputs = {name: texts[name] for name in result.inputs}
        result.init = {name: texts[name] for name in result.init}


def with_own_sizes(result: Sketch, own: Mapping[str, int | tuple[int, ...]]) -> None:
    """Gives each axis its size in the file's own example, where all that is passed there agrees."""
    sizes: dict[str, Size] = {}
    shapes: list[tuple[tuple[str, ...], tuple[int, ...]]] = []
    axes = {axis.name: axis for axis in result.axes}
    for name, text in {**result.init, **result.inputs}.items():
        declared, value = _build(text), own.get(name)
        if isinstance(declared, Scalar) and isinstance(value, int) and isinstance(declared.value, str):
            shapes.append(((declared.value,), (value,)))
        elif isinstance(value, tuple) and not isinstance(declared, Scalar):
            texts = declared.shape if isinstance(declared, Tensor) else declared.items
            shapes += [(texts, value)] if len(texts) == len(value) else []
    every = [pair for names, values in shapes for pair in zip(names, values, strict=True)]
    sizes |= {name: value for name, value in every if name in axes}
    try:
        agrees = all(expr.integer(text, sizes) == value for text, value in every)
    except (expr.ExprError, ValueError):
        agrees = False
    result.agrees = agrees and sizes.keys() == axes.keys() and bool(own)
    if result.agrees:
        for name, axis in axes.items():
            axis.own = int(sizes[name])


def pick(result: Sketch) -> None:
    """The cases for proving and for timing, and axes that are wide enough for them."""
    axes: dict[str, Axis] = {}
    for axis in result.axes:
        if axis.choices and any(c % axis.multiple_of for c in axis.choices):
            axis.choices = ()
        axes[axis.name] = axis.axis
    inputs = {n: _build(t) for n, t in {**result.init, **result.inputs}.items()}
    plain = {n: item for n, item in inputs.items() if not isinstance(item, Numbers)}
    try:
        spec = Spec(axes=axes, inputs=plain, cases=(), where=tuple(result.where))
        small, large = cases(result.axes, spec, result.wanted.elements)
        small, large = _fewer(result, small, large)
        axes |= {axis.name: axis.axis for axis in result.axes}
        spec = replace(spec, axes=axes)
        large = large if result.wanted.single else _also(spec, result.wanted.bench, large)
        small += variants(spec, small, result.wanted.drawn, result.wanted.elements)
    except SpecError:
        small, large = [], []
    if not small and result.axes:
        result.ask("cases", "no sizes were found that meet the relations; write one case")
        small = [{a.name: a.size(2) for a in result.axes}]
    result.cases = [dict(c) for c in small] or [{}]
    result.bench = [dict(c) for c in large]


def _fewer(result: Sketch, small: list[Sizes], large: list[Sizes]) -> tuple[list[Sizes], list[Sizes]]:
    """Without the smallest, where these are not wanted; the domain then begins, or is all, where they do."""
    wanted = result.wanted
    if wanted.as_made and result.own and result.axes:
        batch, *rest = result.axes
        for axis in rest:
            axis.choices, axis.multiple_of = (axis.own,), 1
        made = {axis.name: axis.own for axis in rest}
        return [{batch.name: size, **made} for size in (1, 2, 3) if size in batch.axis], large
    if not (wanted.first or wanted.single) or wanted.first >= len(small):
        return small, large
    kept = small[wanted.first : wanted.first + 1] if wanted.single else small[wanted.first :]
    for axis in result.axes:
        sizes = [int(case[axis.name]) for case in kept]
        if wanted.single:
            axis.choices, axis.multiple_of = (sizes[0],), 1
        else:
            axis.least = max(axis.least, *sizes) if len(sizes) == 1 else max(axis.least, min(sizes))
    return kept, [] if wanted.single else large


def _also(spec: Spec, asked: tuple[Mapping[str, int], ...], large: list[Sizes]) -> list[Sizes]:
    """The sizes for timing, with more of them."""
    found = list(large)
    for sizes in asked:
        more: Sizes = dict(sizes)
        if more.keys() == spec.axes.keys() and more not in found and fits(spec, more):
            found.append(more)
    return found
