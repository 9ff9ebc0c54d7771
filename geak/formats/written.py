"""A spec of watched calls as source, and the kernel file that goes with it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from geak_evaluator.schema.observed import Sketch

Sizes = dict[str, Any]


@dataclass(frozen=True)
class Material:
    """A foreign file, cut for watching."""

    kernel: str
    """What the tests are about, without them."""
    test: str
    watch: tuple[str, ...]
    timed: str = ""
    project: str = ""
    torch: bool = False
    """It is no kernel but the reference for one."""


@dataclass(frozen=True)
class Plan:
    """A spec in the making."""

    name: str
    entry: str
    sketch: Sketch
    material: Material
    about: str
    cases: tuple[int, ...] = ()
    """Which calls the sizes were taken from, in step with `sizes`."""
    sizes: tuple[Sizes, ...] = ()
    free: Mapping[str, str] = field(default_factory=dict)
    """Axes that may have other sizes than were seen, as source."""
    bench: tuple[Sizes, ...] = ()
    tied: bool = False
    """Numbers that the test passes go with its sizes, and not with others."""
    tensors_only: bool = False
    oracle: str = "float64"
    trial: bool = True


def spec_text(plan: Plan) -> str:
    """The spec file."""
    sketch = plan.sketch
    body = ["spec = Spec("]
    body += ["    axes={", *(f'        "{n}": {_axis_text(plan, n)},' for n in sketch.axes), "    },"]
    if sketch.dtypes:
        types = {n: f"({', '.join(map(_quoted, choices))},)" for n, choices in formats(plan).items()}
        body += [f"    dtypes={_dict(types)},"]
    inputs = {n: _input(plan, n, text) for n, text in sketch.inputs.items()}
    body += ["    inputs={", *(f'        "{n}": {text},' for n, text in inputs.items()), "    },"]
    body += [
        "    cases=[",
        *(f"        {_case(plan, i, s)}," for i, s in zip(plan.cases, plan.sizes, strict=True)),
        "    ],",
    ]
    if plan.bench and not plan.trial:
        body += ["    bench=[", *(f"        {_sizes(s)}," for s in plan.bench), "    ],"]
    if (where := _where(plan)) and not plan.trial:
        body += [f"    where=({', '.join(map(_quoted, where))},),"]
    if sketch.changes:
        body += [f"    changes=({', '.join(map(_quoted, sketch.changes))},),"]
    body += [f"    entry={_quoted(plan.entry)},"]
    if plan.material.torch:
        body += [f"    oracle={_quoted(plan.oracle)},"] * (plan.oracle != "float64")
    else:
        file = f"{plan.name}_original.py"
        body += ['    oracle="peer",', f"    peer={_quoted(f'{file}:{plan.entry}')},", f"    starter={_quoted(file)},"]
        body += ['    launches="by_value",'] if any(sketch.values) else []
    body += [")"]
    declared = "\n".join(body)
    words = [word for word in ("Axis", "Case", "Scalar", "Spec", "Tensor") if re.search(rf"\b{word}\(", declared)]
    told = plan.about + "\nNote: what it returns beside tensors is left out of the outputs." * plan.tensors_only
    about = told.replace("\\", "\\\\").replace('"""', "'''")
    head = ['"""' + about.rstrip(), '"""', ""]
    head += ["import torch", ""] if any(sketch.values) or plan.material.torch else []
    head += [f"from geak_evaluator import {', '.join(words)}", ""]
    return "\n".join([*head, declared, *_reference(plan), *_makes(plan), ""])


def formats(plan: Plan) -> dict[str, tuple[str, ...]]:
    """The number formats behind each name: of several those that its original was accepted with."""
    found = {}
    for name, choices in plan.sketch.dtypes.items():
        accepted = tuple(choice for choice in choices if any(sizes.get(name) == choice for sizes in plan.sizes))
        found[name] = choices if plan.trial or not accepted else accepted
    return found


def _input(plan: Plan, name: str, text: str) -> str:
    """An input as it is declared; of several numbers that are tied those that its original was accepted with."""
    if plan.trial or not _numbers_bound(plan) or ", choices=" not in text:
        return text
    known = {s[name] for s in (*plan.sizes, *plan.bench)}
    spelled = {word for n in known for word in (repr(n), repr(float(n)), f'float("{n}")')}
    before, _, after = text.rpartition("choices=(")
    choices = [word for word in after.removesuffix("))").split(", ") if word in spelled]
    return f"{before}choices=({', '.join(choices)}))" if len(choices) > 1 else f"{before}{choices[0]})"


def _axis_text(plan: Plan, name: str) -> str:
    if plan.trial:
        return f"Axis(0, {1 << 40})"
    if name in plan.free:
        return plan.free[name]
    chosen = sorted({s[name] for s in (*plan.sizes, *plan.bench)})
    return f"Axis(choices=({', '.join(map(str, chosen))},))"


def _where(plan: Plan) -> list[str]:
    """The sizes that were seen together, where axes may not be mixed; with them the numbers and types that are tied.

    A number that a test passes with its table of lengths, as the longest of them, is right with that table alone.
    """
    fixed = [n for n in plan.sketch.axes if n not in plan.free]
    seen = [*plan.sizes, *plan.bench]
    others = [n for n, v in seen[0].items() if n not in plan.sketch.axes and (plan.tied or not isinstance(v, str))]
    found = [_together(fixed, seen)]
    if _numbers_bound(plan) and others:
        found.append(_together([*fixed, *others], seen))
    found += _no_fewer(plan)
    return [text for text in dict.fromkeys(found) if text]


def _numbers_bound(plan: Plan) -> bool:
    return plan.tied or any(plan.sketch.values)


def _no_fewer(plan: Plan) -> list[str]:
    """There are as many different numbers as an input of them has places."""
    found = []
    for name, text in plan.sketch.inputs.items():
        drawn = re.search(r'fill="permutation\((.+)\)"', text)
        if drawn is not None and drawn[1] != (last := plan.sketch.shapes[name][-1]):
            found.append(f"{last} <= {drawn[1]}")
    return found


def _together(names: Sequence[str], seen: Sequence[Sizes]) -> str:
    """The combinations of these sizes that were seen; "" where each goes with all of the others."""
    rows = [dict(zip(names, (s[n] for n in names), strict=True)) for s in seen]
    for name in names:
        rest = _distinct([{n: v for n, v in row.items() if n != name} for row in rows])
        if len(_distinct(rows)) == len(rest) * len({row[name] for row in rows}):  # it is bound to nothing
            rows = rest
    return " or ".join(" and ".join(f"{n} == {v!r}" for n, v in row.items()) for row in _distinct(rows) if row)


def _distinct(rows: Sequence[Sizes]) -> list[Sizes]:
    return [row for i, row in enumerate(rows) if row not in rows[:i]]


def _case(plan: Plan, number: int, sizes: Sizes) -> str:
    without = plan.sketch.without[number]
    told = _sizes(sizes)
    return f"Case({told}, without=({', '.join(map(_quoted, without))},))" if without else told


def _sizes(sizes: Sizes) -> str:
    return _dict({name: _quoted(v) if isinstance(v, str) else repr(v) for name, v in sizes.items()})


def _dict(items: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{_quoted(name)}: {text}" for name, text in items.items()) + "}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _makes(plan: Plan) -> list[str]:
    """`make_inputs` with the whole numbers that follow no rule, by sizes."""
    if not any(plan.sketch.values):
        return []
    names = list(plan.sketch.axes)
    rows = {}
    for i, sizes in zip(plan.cases, plan.sizes, strict=True):
        if plan.sketch.values[i]:
            rows[tuple(sizes[n] for n in names)] = plan.sketch.values[i]
    table = [f"    {key!r}: {values!r}," for key, values in rows.items()]
    return [
        "",
        "# Positions, lengths and tables as the benchmark's test has them, by size.",
        f"NAMES = {tuple(names)!r}",
        "VALUES = {",
        *table,
        "}",
        "",
        "",
        "def make_inputs(case, rng):",
        "    known = VALUES.get(tuple(case[name] for name in NAMES), {})",
        "    return {name: torch.tensor(values) for name, values in known.items()}",
    ]


_ONLY_TENSORS = '''

def geak_tensors(value):
    """The tensors of what was returned: nothing else is compared."""
    if isinstance(value, torch.Tensor):
        return (value,)
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (tuple, list)) else ()
    return tuple(tensor for part in parts for tensor in geak_tensors(part))
'''


def launches(plan: Plan) -> bool:
    """Whether its entry is a launch, which gives back nothing of use."""
    return re.match(r"\w+\[", plan.sketch.call) is not None


def _called(plan: Plan, name: str, target: str) -> str:
    given = ", ".join(plan.sketch.inputs)
    if launches(plan):
        return f"\n\ndef {name}({given}):\n    {target}\n"
    call = f"geak_tensors({target})" if plan.tensors_only else target
    helper = _ONLY_TENSORS if plan.tensors_only else ""
    return f"{helper}\n\ndef {name}({given}):\n    return {call}\n"


def _reference(plan: Plan) -> list[str]:
    if not plan.material.torch:
        return []
    return ["", "", plan.material.kernel.strip(), _called(plan, "reference", plan.sketch.call)]


def kernel_text(plan: Plan) -> str:
    """The original as a kernel file: what its tests call, behind an entry that a spec can call."""
    kernel = plan.material.kernel.rstrip() + "\n"
    if plan.sketch.plain and not plan.tensors_only:
        return kernel
    if plan.tensors_only and not re.search(r"^import torch$", kernel, re.MULTILINE):
        kernel += "\n\nimport torch\n"
    return kernel + _called(plan, plan.entry, plan.sketch.call)
