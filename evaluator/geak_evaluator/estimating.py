"""The estimates of a verdict: for each target, of the cases that a spec wants timed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from geak_evaluator.candidate import Candidate
from geak_evaluator.estimate.inner import between
from geak_evaluator.estimate.model import estimate
from geak_evaluator.machine_code.compile import Compiler
from geak_evaluator.oracle import SpecProblem, TooBig
from geak_evaluator.schema import domain
from geak_evaluator.schema.estimate import Estimate
from geak_evaluator.schema.exchange import Replayed
from geak_evaluator.schema.machine_code import Figures
from geak_evaluator.schema.plan import Plan
from geak_evaluator.schema.spec import Case, Spec
from geak_evaluator.tracing import Traced, Untraced

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
) -> tuple[Estimate, ...]:
    """One for each target and case; a case that cannot be counted here gives way to the largest that was run."""
    wanted = timed(spec) or (max(shown, key=size),)
    fallback = max(shown, key=size)
    found: list[Estimate] = []
    for case in wanted:
        made = list(_of_case(case, targets, on, compiler, note=""))
        if made and all(one.trouble for one in made) and case != fallback:  # there may be no target left
            note = f"of the largest case, since of [{case}] there is none: {made[0].trouble}"
            made = list(_of_case(fallback, targets, on, compiler, note=note))
        found += [one for one in made if one not in found]
    return tuple(found)


def timed(spec: Spec) -> tuple[Case, ...]:
    """The cases that a spec wants timed, as far as they are estimated."""
    return tuple(domain.expand(spec, (case,))[0] for case in spec.bench[:MOST_CASES])


def tiles(target: str, case: Case, traced: Traced, figures: Sequence[Figures]) -> float:
    """What puts the tiles of a product in order: its estimate and its inner loops together; 0 where there is none."""
    return sum(map(between, estimate(target, case, traced.plan, traced.replayed.works, figures).parts))


def _of_case(
    case: Case, targets: Sequence[str], on: Callable[[str], Candidate], compiler: Compiler, *, note: str
) -> Iterator[Estimate]:
    known: list[tuple[Plan, Replayed]] = []
    for place, target in enumerate(targets):
        try:
            traced = on(target).trace(case, known, targets[place + 1 :])
        except (TooBig, Untraced, SpecProblem) as error:
            yield Estimate(target, case, note=note, trouble=str(error))
            continue
        known.append((traced.plan, traced.replayed))
        words = "; ".join(filter(None, (note, _FIRST * bool(traced.configurations))))
        made = estimate(
            target, case, traced.plan, traced.replayed.works, _figures(compiler, traced, target), note=words
        )
        yield made if _finite(made) else Estimate(target, case, note=note, trouble="its counts are no numbers")


def _figures(compiler: Compiler, traced: Traced, target: str) -> list[Figures]:
    """The machine code of this case: most of it was compiled for another case already."""
    handed = traced.replayed.handed
    own = tuple(one for one in handed.kernels if one.target == target)
    results = compiler.figures_of(replace(handed, kernels=own))
    return [one.figures for one in results if one.figures is not None]


def _finite(made: Estimate) -> bool:
    """The counts are a child's word: numbers, but any."""
    return all(math.isfinite(value) and value >= 0 for value in (made.us, made.low, made.high, made.sol))
