"""Finding what is weak about a spec, before a model finds it: answers that would pass without any work."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Literal

import numpy as np

from geak_evaluator.judge import Judge
from geak_evaluator.kernel_child import SPACE
from geak_evaluator.oracle import STATE_SPACE, Answer, Oracle, SpecFile, TooBig
from geak_evaluator.proof.compare import compare
from geak_evaluator.proof.numbers import Array
from geak_evaluator.schema import domain, dtypes, layout
from geak_evaluator.schema.findings import Finding, Findings
from geak_evaluator.schema.spec import Case

INTERPRETED_ELEMENTS = 1 << 22
"""Beyond so many elements in and out, a case takes the interpreter minutes."""

_SPELLED_OUT = 128
"""Numbers that a plan could hold one by one, a byte each (`proof/policy`)."""
_TARGET = "gfx942"
_WIDE = {"float": 8}

_MENDS = {
    "zeros": "draw inputs that give larger outputs, or tighten the tolerance",
    "constant": "choose inputs whose outputs differ from one another, or compare something less averaged",
    "input": "draw inputs that the operation really changes (signs, sizes, masks that matter)",
    "stale": "let the outputs depend on the values of the inputs, or tighten the tolerance",
}


def lint(judge: Judge, file: SpecFile) -> Findings:
    """Everything that is weak about a spec; an error means that it is not fit to judge with."""
    with judge.oracle(file) as oracle:
        spec = oracle.about.spec
        file.project(oracle.about)
        if spec.oracle == "tests":
            return Findings(oracle.about.name, (_unproved(spec.oracle),))
        cases = domain.expand(spec, spec.cases)
        found = [*_coverage(oracle, cases), *_untimed(oracle)]
        if spec.oracle == "peer":
            found.append(_unproved(spec.oracle))
        passed: dict[str, list[str]] = {}
        looked, largest = 0, (-1, cases[0])
        for case in cases:
            if (size := _elements(oracle, case)) > INTERPRETED_ELEMENTS:
                found.append(_too_large(case, size))
                continue
            try:
                found += _examine(oracle, case, passed)
            except TooBig as error:
                found.append(Finding("too-large", "warning", str(error), "move it to bench", str(case)))
                continue
            looked += 1
            largest = max(largest, (size, case), key=lambda pair: pair[0])
        if looked:
            found += _unused(oracle, largest[1])
            found += _forgeable(oracle, largest[1])
        found += _vacuous(passed, looked)
        return Findings(oracle.about.name, tuple(dict.fromkeys(found)), len(cases))


def _unproved(oracle: str) -> Finding:
    text = f"oracle {oracle!r} compares with code that may itself be wrong"
    return Finding("unproved-oracle", "warning", text, "write a reference where there can be one")


def _coverage(oracle: Oracle, cases: tuple[Case, ...]) -> Iterator[Finding]:
    """Sizes that no case tries although the domain holds them."""
    for name, axis in oracle.about.spec.axes.items():
        sizes = {case.sizes[name] for case in cases}
        if axis.choices or axis.multiple_of % 16 == 0 or axis.max <= 16:
            continue
        if all(isinstance(size, int) and size % 16 == 0 for size in sizes):
            text = f"every case has a multiple of 16 for {name}, and the domain holds other sizes"
            yield Finding("no-awkward-size", "warning", text, f"add a case with {name}=17, or say multiple_of=16")


def _untimed(oracle: Oracle) -> Iterator[Finding]:
    """Sizes of which nothing could be proved or timed: there is no room for their tensors."""
    spec = oracle.about.spec
    for case in domain.expand(spec, spec.bench):
        sizes = domain.with_scalars(spec, case.sizes)
        given = layout.extent(layout.inputs(spec, case, _TARGET)) + STATE_SPACE
        told = 0  # the truth, and what the reference gives in its own formats
        for _, output in domain.outputs(spec):
            format = spec.format(output.dtype, sizes, _TARGET)
            told += prod(domain.shape(output.shape, sizes)) * (_WIDE.get(format.kind, format.bytes) + format.bytes)
        if max(given, told) > SPACE:
            text = f"its {'inputs' if given > SPACE else 'outputs'} are larger than a case may be: it cannot be timed"
            yield Finding("too-large-to-time", "warning", text, "make it smaller", str(case))


def _elements(oracle: Oracle, case: Case) -> int:
    spec = oracle.about.spec
    sizes = domain.with_scalars(spec, case.sizes)
    return sum(prod(domain.shape(t.shape, sizes)) for n, t in spec.tensors.items() if n not in case.without)


def _too_large(case: Case, size: int) -> Finding:
    text = f"{size:,} input elements are too many for the interpreter (at most {INTERPRETED_ELEMENTS:,})"
    return Finding("too-large", "warning", text, "make it smaller, or move it to bench", str(case))


def _examine(oracle: Oracle, case: Case, passed: dict[str, list[str]]) -> Iterator[Finding]:
    answer = oracle.case(case, _TARGET, examine=True)
    other = oracle.case(case, _TARGET)
    label = str(case)
    yield from _reference(answer, label)
    for rule in _shortcuts(oracle, answer, other):
        passed.setdefault(rule, []).append(label)


def _reference(answer: Answer, label: str) -> Iterator[Finding]:
    if answer.reply.narrow:
        names = ", ".join(answer.reply.narrow[:3])
        text = f"the float64 oracle did not compute in float64: {names}"
        yield Finding("narrow-casts", "error", text, "avoid that operation, or say oracle='declared'", label)
    if answer.reply.unstable:
        text = f"the reference gives different answers for the same inputs: output {', '.join(answer.reply.unstable)}"
        yield Finding("unstable-reference", "error", text, "take the randomness out; draw it in make_inputs", label)
    for index, leaf in enumerate(answer.reply.outputs):
        truth = answer.expected(index)
        if truth.dtype == np.float64 and np.isnan(truth).any():
            share = float(np.isnan(truth).mean())
            text = f"output {leaf.path} is NaN in {share:.0%} of its elements"
            yield Finding(
                "nan-output", _severity(share == 1), text, "draw inputs on which the operation is defined", label
            )


def _shortcuts(oracle: Oracle, answer: Answer, other: Answer) -> Iterator[str]:
    """The lazy answers that every output of this case would let pass."""
    spec, outputs = oracle.about.spec, answer.reply.outputs
    truths = [answer.expected(i) for i in range(len(outputs))]
    if not truths or all(t.size == 0 for t in truths):
        return

    def passes(candidates: list[Array | None]) -> bool:
        for leaf, truth, lazy in zip(outputs, truths, candidates, strict=True):
            if lazy is None or lazy.shape != truth.shape:
                return False
            tolerance = 0.0 if spec.oracle == "exact" else spec.tolerance.of(leaf.format)
            if compare(leaf.path, lazy, truth, leaf.format, tolerance).mismatch is not None:
                return False
        return True

    if passes([np.zeros_like(t) for t in truths]):
        yield "zeros"
    # A constant that somebody could know: the middle of the answer to other inputs.
    elif passes([_constant(other.expected(i), t) for i, t in enumerate(truths)]):
        yield "constant"
    same_kind = [s for s in answer.slots if dtypes.resolve(s.format).kind == dtypes.resolve(outputs[0].format).kind]
    for slot in same_kind:
        value = answer.input(slot)
        if passes([value] * len(outputs)):
            yield f"input {slot.path}"
    if passes([other.expected(i) for i in range(len(other.reply.outputs))]):
        yield "stale"


def _constant(elsewhere: Array, truth: Array) -> Array:
    finite = elsewhere[np.isfinite(elsewhere.astype(float))]
    return np.full_like(truth, np.median(finite) if finite.size else 0)


def _forgeable(oracle: Oracle, case: Case) -> Iterator[Finding]:
    """Answers so small that a wrapper which sees every input could spell them out in its launches."""
    spec = oracle.about.spec
    formats = [spec.format(t.dtype, case.sizes, _TARGET).kind for n, t in spec.tensors.items() if n not in case.without]
    if spec.launches != "by_value" or "float" in formats:
        return
    answer = oracle.case(case, _TARGET)
    size = sum(answer.expected(i).size for i in range(len(answer.reply.outputs)))
    if size < _SPELLED_OUT:
        text = f"launches may follow every input, and {size} numbers of answer can be spelled out in them"
        yield Finding("forgeable", "warning", text, "add a case with larger outputs, or leave out launches='by_value'")


def _vacuous(passed: dict[str, list[str]], looked: int) -> Iterator[Finding]:
    words = {"zeros": "zeros", "constant": "one constant everywhere", "stale": "the answer to other inputs"}
    for rule, labels in passed.items():
        kind = rule.split()[0]
        what = words.get(rule, f"the {rule} returned as it is")
        everywhere = len(labels) == looked
        if 2 * len(labels) <= looked:
            continue  # at sizes as small as 1 doing nothing may well be right; the other cases tell
        where = "in every case" if everywhere else f"in {len(labels)} of {looked} cases"
        text = f"{what} would pass {where}"
        yield Finding(f"vacuous-{kind}", _severity(everywhere), text, _MENDS[kind], "" if everywhere else labels[0])


def _unused(oracle: Oracle, case: Case) -> Iterator[Finding]:
    """Inputs whose values make no difference."""
    about = oracle.about
    if about.makes_inputs:
        return  # its values may depend on one another, and changing one alone would break them
    seed = 1
    plain = oracle.case(case, _TARGET, seed=seed)
    for name, tensor in about.spec.tensors.items():
        format = about.spec.format(tensor.dtype, case.sizes, _TARGET)
        if name in case.without or format.kind != "float":
            continue
        disturbed = oracle.case(case, _TARGET, seed=seed, fills={name: "uniform(0.25, 0.75)"})
        pairs = zip(plain.reply.outputs, range(len(plain.reply.outputs)), strict=True)
        if all(np.array_equal(plain.expected(i), disturbed.expected(i), equal_nan=True) for _, i in pairs):
            text = f"input {name} has no influence on the outputs"
            yield Finding("unused-input", "warning", text, "take it out, or let the reference use it", str(case))


def _severity(fatal: bool) -> Literal["error", "warning"]:
    return "error" if fatal else "warning"
