"""Inputs that some of a test's calls leave out: only the combinations that were seen and accepted are a spec's."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import replace

from geak.formats.written import Plan, Sizes

_OPTIONAL = ", optional=True"


def settled(plan: Plan) -> Plan:
    """The plan with inputs that are optional each for itself, as a spec means it; else those of one combination."""
    sketch = plan.sketch
    optional = [name for name, text in sketch.inputs.items() if _OPTIONAL in text]
    seen = Counter(sketch.without[i] for i in plan.cases)
    varied = {name for name in optional if len({name in one for one in seen}) > 1}
    tied = _tied(plan)
    if not optional or (len(varied) == len(optional) and len(seen) == 2 ** len(varied) and not tied):
        return plan
    if len(seen) < 2 ** len(varied) or tied:
        kept = max(seen, key=lambda one: (seen[one], -len(one)))
        pairs = [(i, s) for i, s in zip(plan.cases, plan.sizes, strict=True) if sketch.without[i] == kept]
        plan = replace(plan, cases=tuple(i for i, _ in pairs), sizes=tuple(s for _, s in pairs))
        varied = set()
    gone = {name for name in optional if name not in varied and name in sketch.without[plan.cases[0]]}
    return _without(plan, gone, varied)


def _tied(plan: Plan) -> bool:
    """Whether a number says what is left out, as `has_bias` does: it never had one value with two combinations."""
    combinations: dict[tuple[str, ...], list[Sizes]] = {}
    for i, sizes in zip(plan.cases, plan.sizes, strict=True):
        combinations.setdefault(plan.sketch.without[i], []).append(sizes)
    numbers = [n for n, v in plan.sizes[0].items() if n not in plan.sketch.axes and not isinstance(v, str)]
    for name in numbers:
        values = [{sizes[name] for sizes in group} for group in combinations.values()]
        if any(not one & other for one, other in itertools.combinations(values, 2)):
            return True
    return False


def _without(plan: Plan, gone: set[str], varied: set[str]) -> Plan:
    """The plan with None in the place of some inputs, and only some of the others optional."""
    sketch = plan.sketch
    inputs = {n: t if n in varied else t.replace(_OPTIONAL, "") for n, t in sketch.inputs.items() if n not in gone}
    words = {word for text in inputs.values() for word in re.findall(r"\w+", text)}
    unused = {name for name in sketch.axes if name not in words}
    call = sketch.call
    for name in gone:
        call = re.sub(rf"(?<![\w.]){name}(?![\w=])", "None", call)
    own = gone and sketch.plain and not plan.material.torch
    return replace(
        plan,
        entry=f"{plan.entry}_entry" if own else plan.entry,
        sizes=tuple({n: v for n, v in one.items() if n not in unused} for one in plan.sizes),
        sketch=replace(
            sketch,
            inputs=inputs,
            axes={n: v for n, v in sketch.axes.items() if n not in unused},
            shapes={n: v for n, v in sketch.shapes.items() if n not in gone},
            cases=tuple({n: v for n, v in one.items() if n not in unused} for one in sketch.cases),
            without=tuple(tuple(n for n in one if n in varied) for one in sketch.without),
            values=tuple({n: v for n, v in one.items() if n not in gone} for one in sketch.values),
            floats=tuple({n: v for n, v in one.items() if n not in gone} for one in sketch.floats),
            changes=tuple(n for n in sketch.changes if n not in gone),
            call=call,
            plain=sketch.plain and not gone,
        ),
    )
