"""The estimates of a verdict: for each target, of the cases that a spec wants timed."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import replace
from math import prod

from geak_evaluator.candidate import Candidate
from geak_evaluator.estimate.inner import between
from geak_evaluator.estimate.model import estimate, stored
from geak_evaluator.machine_code.compile import Compiler
from geak_evaluator.oracle import SpecProblem, TooBig
from geak_evaluator.schema import domain
from geak_evaluator.schema.estimate import Estimate
from geak_evaluator.schema.exchange import Replayed
from geak_evaluator.schema.machine_code import Figures
from geak_evaluator.schema.plan import Plan
from geak_evaluator.schema.spec import Case, Spec
from geak_evaluator.tracing import Traced, Untraced

_MOST_LEFT_OUT = 0.25
"""Of the bytes of its outputs, what a plan may seem not to write: not all of its programs were looked at."""
MOST_CASES = 2
"""Of a spec's bench cases, each with the first of its types."""
_FIRST = "an autotuned kernel's first configuration"


def estimates(
    spec: Spec,
    shown: Sequence[Case],
    targets: Sequence[str],
    on: Callable[[str], Candidate],
    compiler: Compiler,
    size: Callable[[Case], int],
    launched: Container[tuple[str, str]],
) -> tuple[Estimate, ...]:
    """One for each target and case; a case that cannot be counted here gives way to the largest that was run.

    `launched` are the kernels of all cases that were proved, by module and name: of other work there is no estimate.
    """
    wanted = timed(spec) or (max(shown, key=size),)
    fallback = max(shown, key=size)
    found: list[Estimate] = []
    for case in wanted:
        try:
            made = list(_of_case(spec, case, targets, on, compiler, launched, note=""))
        except _OtherWork as other:
            found += [Estimate(target, case, trouble=str(other)) for target in targets]
            continue
        if made and all(one.trouble for one in made) and case != fallback:  # there may be no target left
            note = f"of the largest case, since of [{case}] there is none: {made[0].trouble}"
            made = list(_of_case(spec, fallback, targets, on, compiler, launched, note=note))
        found += [one for one in made if one not in found]
    return tuple(found)


def timed(spec: Spec) -> tuple[Case, ...]:
    """The cases that a spec wants timed, as far as they are estimated."""
    return tuple(domain.expand(spec, (case,))[0] for case in spec.bench[:MOST_CASES])


def tiles(target: str, case: Case, traced: Traced, figures: Sequence[Figures]) -> float:
    """What puts the tiles of a product in order: its estimate and its inner loops together; 0 where there is none."""
    return sum(map(between, estimate(target, case, traced.plan, traced.replayed.works, figures).parts))


class _OtherWork(Exception):
    """A case in which a kernel file does other work than in those that were proved; the message says which."""


def _of_case(
    spec: Spec,
    case: Case,
    targets: Sequence[str],
    on: Callable[[str], Candidate],
    compiler: Compiler,
    launched: Container[tuple[str, str]],
    *,
    note: str,
) -> Iterator[Estimate]:
    known: list[tuple[Plan, Replayed]] = []
    for place, target in enumerate(targets):
        try:
            traced = on(target).trace(case, known, targets[place + 1 :])
        except (TooBig, Untraced, SpecProblem) as error:
            yield Estimate(target, case, note=note, trouble=str(error))
            continue
        _require_proved(spec, case, target, traced, launched)
        known.append((traced.plan, traced.replayed))
        words = "; ".join(filter(None, (note, _FIRST * bool(traced.configurations))))
        made = estimate(
            target, case, traced.plan, traced.replayed.works, _figures(compiler, traced, target), note=words
        )
        yield made if _finite(made) else Estimate(target, case, note=note, trouble="its counts are no numbers")


def _require_proved(spec: Spec, case: Case, target: str, traced: Traced, launched: Container[tuple[str, str]]) -> None:
    """Raises _OtherWork where no proved case launched a kernel, or where much of an output cannot be written."""
    plan = traced.plan
    if new := next((one.kernel for one in plan.launches if (one.module, one.kernel) not in launched), ""):
        raise _OtherWork(f"at this size it launches {new}, which no proved case does")
    if spec.changes:  # what it returns may be what it changed, here and there
        return
    sizes = domain.with_scalars(spec, case.sizes)
    shapes = [
        (domain.shape(leaf.shape, sizes), spec.format(leaf.dtype, sizes, target)) for _, leaf in domain.outputs(spec)
    ]
    asked = sum(prod(shape) * format.bytes for shape, format in shapes)
    written = stored(plan, traced.replayed.works)
    if written < (1 - _MOST_LEFT_OUT) * asked:
        raise _OtherWork(f"at this size it writes {written:.3g} of the {asked:.3g} bytes of its outputs")


def _figures(compiler: Compiler, traced: Traced, target: str) -> list[Figures]:
    """The machine code of this case: most of it was compiled for another case already."""
    handed = traced.replayed.handed
    own = tuple(one for one in handed.kernels if one.target == target)
    results = compiler.figures_of(replace(handed, kernels=own))
    return [one.figures for one in results if one.figures is not None]


def _finite(made: Estimate) -> bool:
    """The counts are a child's word: numbers, but any."""
    return all(math.isfinite(value) and value >= 0 for value in (made.us, made.low, made.high, made.sol))
