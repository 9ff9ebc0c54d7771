"""From a foreign test's calls, as a judge saw them, to a spec that its own kernel is accepted under."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import Any

from geak.errors import SpecError
from geak.formats.base import Listed, Scale
from geak.journal.store import write
from geak.judges import Judges
from geak.tasks import Task
from geak_evaluator.schema import expr
from geak_evaluator.schema.observed import Entry, Sketch, Trials
from geak_evaluator.schema.verdict import Policy

Sizes = dict[str, Any]

CASES = 4
"""Of one spec at the most: a test of forty sizes repeats itself."""
_NATIVE = 4
"""So many times what a scale allows a case may have and still be run at the benchmark's own size."""
_LARGEST = 1 << 20
"""Elements of a case that is tried at all."""
_BENCH = 6


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
class _Plan:
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
    tensors_only: bool = False
    oracle: str = "float64"
    trial: bool = True


async def task(listed: Listed, material: Material, folder: Path, judges: Judges, scale: Scale, name: str) -> Task:
    """The spec of one entry as a file in `folder`, its original beside it; SpecError where it cannot be made one."""
    seen = await judges.observe(
        listed.file,
        material.kernel,
        test=material.test,
        timed=material.timed,
        watch=material.watch,
        project=material.project,
    )
    entry = next((one for one in seen.entries if one.sketch is not None and not all(one.sketch.timed)), None)
    if entry is None or entry.sketch is None:
        called = [one.name for one in seen.entries if one.calls]
        why = seen.trouble or (f"its test never calls {', '.join(material.watch)}" if not called else "no call is usable")
        raise SpecError(f"{listed.name}: {why}")
    plan = _Plan(name, _entry(entry, material), entry.sketch, material, _about(listed, entry, seen.trouble))
    return await _fitted(plan, listed, folder, judges, scale)


def _entry(entry: Entry, material: Material) -> str:
    assert entry.sketch is not None
    plain = entry.name.replace(".", "_")
    if material.torch or entry.sketch.plain:
        return plain
    return f"{plain}_launch" if entry.kind == "kernel" else f"{plain}_entry"


def _about(listed: Listed, entry: Entry, trouble: str) -> str:
    lines = [listed.title or listed.name, "", f"Task {listed.name} of {listed.format}; its test's calls were watched."]
    assert entry.sketch is not None
    lines += [f"Note: {note}." for note in entry.sketch.notes]
    lines += [f"Note: {trouble}." * bool(trouble)]
    return "\n".join(filter(None, lines[:1])) + "\n\n" + "\n".join(line for line in lines[2:] if line)


async def _fitted(plan: _Plan, listed: Listed, folder: Path, judges: Judges, scale: Scale) -> Task:
    """Tries sizes, then the freedom around them; what its own kernel is not accepted at is left out."""
    native = [i for i, timed in enumerate(plan.sketch.timed) if not timed][: 3 * CASES]
    most = scale.elements
    first = {i: _scaled(plan.sketch, i, most) for i in native}
    picked: dict[str, int] = {}
    for i, sizes in first.items():
        picked.setdefault(repr(sizes), i)
    chosen = sorted(picked.values(), key=lambda i: _elements(plan.sketch, first[i]))[:CASES]
    trials = _Trying(folder, judges)
    plan, accepted, why = await trials.some(plan, [(i, first[i]) for i in chosen])
    # Where that is too small for a kernel's tiles and heads, larger; at last as the benchmark has it.
    for sizes in (lambda i: _scaled(plan.sketch, i, 8 * most, least=64), lambda i: plan.sketch.cases[i]):
        others = [(i, sizes(i)) for i in chosen if sizes(i) != first[i]]
        others = [(i, s) for i, s in others if _elements(plan.sketch, s) <= _LARGEST]
        if not accepted and others:
            plan, accepted, why = await trials.some(plan, others[:2])
    if not accepted:
        raise SpecError(f"{listed.name}: its own kernel is not accepted at any of its sizes: {why}")
    plan = replace(plan, cases=tuple(i for i, _ in accepted), sizes=tuple(s for _, s in accepted))
    plan = replace(plan, free=await trials.sure(plan, await trials.freedom(plan)))
    plan = replace(plan, bench=_bench(plan), trial=False)
    spec = folder / f"{plan.name}.py"
    original = _kernel_text(plan)
    write(spec, spec_text(plan).encode("utf-8", "surrogateescape"), only_new=False)
    if plan.material.torch:
        return Task(spec)
    path = folder / f"{plan.name}_original.py"
    write(path, original.encode("utf-8", "surrogateescape"), only_new=False)
    return Task(spec, original, str(path))


class _Trying:
    """Trial specs in the task's folder, and what a judge says of their cases."""

    def __init__(self, folder: Path, judges: Judges) -> None:
        self._folder, self._judges = folder, judges

    async def some(
        self, plan: _Plan, cases: Sequence[tuple[int, Sizes]]
    ) -> tuple[_Plan, list[tuple[int, Sizes]], str]:
        """The cases that are accepted, under a plan that was mended where that was all that it lacked."""
        why = ""
        for attempt in _mended(plan):
            trials = await self.ask(attempt, cases)
            good = [case for case, tried in zip(cases, trials.cases, strict=False) if not tried.cause]
            if good:
                return attempt, good, ""
            failed = next((tried for tried in trials.cases if tried.cause), None)
            why = why or (f"{failed.cause}: {failed.message}" if failed else "no case was tried")
            if failed is not None and failed.cause not in ("original", "wrong_type", "raised"):
                break
        return plan, [], why

    async def freedom(self, plan: _Plan) -> dict[str, str]:
        """Sizes that the kernel is accepted at besides those that were seen, as axes."""
        loose = _loose(plan)
        if not loose:
            return {}
        number, base = min(zip(plan.cases, plan.sizes, strict=True), key=lambda one: _elements(plan.sketch, one[1]))
        steps = {"": 1, "multiple_of=16": 16}
        moved = [{**base, **{n: base[n] + step for n in loose}} for step in steps.values()]
        single = [{**base, n: base[n] + 1} for n in loose] if len(loose) > 1 else []
        tried = (await self.ask(plan, [(number, sizes) for sizes in (*moved, *single)])).cases
        for (extra, step), one in zip(steps.items(), tried, strict=False):
            if not one.cause and all(step == 1 or not any(s % step for s in _seen(plan, n)) for n in loose):
                return {n: _axis(plan, n, extra) for n in loose}
        odd = [n for n, one in zip(loose, tried[2:], strict=False) if not one.cause]
        if len(odd) > 1:
            (both,) = (await self.ask(plan, [(number, {**base, **{n: base[n] + 1 for n in odd}})])).cases
            odd = odd if not both.cause else odd[:1]
        return {n: _axis(plan, n, "") for n in odd}

    async def sure(self, plan: _Plan, free: dict[str, str]) -> dict[str, str]:
        """The freedom that was found, if sizes drawn from it at random are accepted as well; else none."""
        if not free:
            return free
        number, base = min(zip(plan.cases, plan.sizes, strict=True), key=lambda one: _elements(plan.sketch, one[1]))
        rng = random.Random(plan.name)
        drawn = [{**base, **{n: _draw(text, base[n], rng) for n, text in free.items()}} for _ in range(3)]
        tried = (await self.ask(plan, [(number, sizes) for sizes in drawn])).cases
        return free if not any(one.cause for one in tried) else {}

    async def ask(self, plan: _Plan, cases: Sequence[tuple[int, Sizes]]) -> Trials:
        """What becomes of each case."""
        tried = replace(plan, cases=tuple(i for i, _ in cases), sizes=tuple(s for _, s in cases), trial=True)
        spec = self._folder / f"{plan.name}.py"
        kernel = "" if plan.material.torch else _kernel_text(tried)
        if kernel:
            path = self._folder / f"{plan.name}_original.py"
            write(path, kernel.encode("utf-8", "surrogateescape"), only_new=False)
        write(spec, spec_text(tried).encode("utf-8", "surrogateescape"), only_new=False)
        return await self._judges.tried(spec, kernel, policy=Policy.OPEN)


def _draw(axis: str, size: int, rng: random.Random) -> int:
    low, high = (int(n) for n in re.findall(r"\d+", axis)[:2])
    step = 16 if "multiple_of" in axis else 1
    top = max(low, min(high, max(2 * size, 64)))
    return rng.randint(-(-low // step), top // step) * step


def _mended(plan: _Plan) -> list[_Plan]:
    """The plan, and others for what it may lack."""
    sketch = plan.sketch
    both = tuple({**whole, **floats} for whole, floats in zip(sketch.values, sketch.floats, strict=True))
    exact = [replace(plan, sketch=replace(sketch, values=both))] if both != sketch.values else []
    if plan.material.torch:
        declared = replace(plan, oracle="declared")
        return [plan, declared, *exact, *(replace(one, oracle="declared") for one in exact), replace(declared, tensors_only=True)]
    return [plan, _wrapped(plan), *exact]


def _wrapped(plan: _Plan) -> _Plan:
    entry = plan.entry if not plan.sketch.plain else f"{plan.entry}_entry"
    return replace(plan, tensors_only=True, entry=entry)


def _seen(plan: _Plan, axis: str) -> list[int]:
    return [s[axis] for s in (*plan.sizes, *plan.sketch.cases) if isinstance(s.get(axis), int)]


def _axis(plan: _Plan, axis: str, extra: str) -> str:
    seen = _seen(plan, axis)
    low = min(s[axis] for s in plan.sizes)
    return f"Axis({min(low, min(seen))}, {max(seen) + (0 if max(seen) > low else 64)}{', ' * bool(extra)}{extra})"


def _loose(plan: _Plan) -> list[str]:
    """Axes that no literal value depends on."""
    literal = {name for values in plan.sketch.values for name in values}
    if literal:
        return []  # positions, lengths, tables: they speak of the sizes around them
    return [name for name in plan.sketch.axes if all(s[name] > 1 for s in plan.sizes)]


def _elements(sketch: Sketch, sizes: Sizes) -> int:
    return sum(prod(_dim(d, sizes) for d in shape) for shape in sketch.shapes.values())


def _dim(text: str, sizes: Sizes) -> int:
    return int(text) if text.isdigit() else expr.integer(text, sizes)


def _names(shape: Sequence[str]) -> set[str]:
    return {name for text in shape for name in expr.names_in(text)}


def _scaled(sketch: Sketch, number: int, most: int, least: int = 16) -> Sizes:
    """One call's sizes, all divided by the same power of 2 until they are few enough; none falls below `least`.

    A size that was no larger than another stays so, and a power of 2 stays one. Sizes of literal values stay.
    """
    whole = sizes = sketch.cases[number]
    held = {axis for name in sketch.values[number] for axis in _names(sketch.shapes.get(name, ()))}
    loose = [axis for axis in sketch.axes if axis not in held and whole[axis] > least]
    divisor = 1
    while _elements(sketch, sizes) > (_NATIVE * most if divisor == 1 else most) and divisor < 1 << 24:
        divisor *= 2
        sizes = {**whole, **{axis: max(least, -(-whole[axis] // divisor)) for axis in loose}}
    return dict(sizes)


def _bench(plan: _Plan) -> tuple[Sizes, ...]:
    """What the benchmark times, as far as the axes hold it; else the sizes of its tests, where they were scaled."""
    if any(plan.sketch.values):
        return ()
    timed = [s for s, t in zip(plan.sketch.cases, plan.sketch.timed, strict=True) if t]
    own = [s for s, t in zip(plan.sketch.cases, plan.sketch.timed, strict=True) if not t and s not in plan.sizes]
    fixed = [n for n in plan.sketch.axes if n not in plan.free]
    allowed = {n: {s[n] for s in plan.sizes} for n in fixed}
    kept = [s for s in timed or own if all(s[n] in allowed[n] for n in fixed)]
    return tuple(sorted(kept, key=lambda s: _elements(plan.sketch, s))[-_BENCH:])


# -- as source --


def spec_text(plan: _Plan) -> str:
    """The spec file."""
    sketch = plan.sketch
    body = ["spec = Spec("]
    body += ["    axes={", *(f'        "{n}": {_axis_text(plan, n)},' for n in sketch.axes), "    },"]
    if sketch.dtypes:
        types = {n: f"({', '.join(map(_quoted, choices))},)" for n, choices in sketch.dtypes.items()}
        body += [f"    dtypes={_dict(types)},"]
    body += ["    inputs={", *(f'        "{n}": {text},' for n, text in sketch.inputs.items()), "    },"]
    body += ["    cases=[", *(f"        {_case(plan, i, s)}," for i, s in zip(plan.cases, plan.sizes, strict=True)), "    ],"]
    if plan.bench and not plan.trial:
        body += ["    bench=[", *(f"        {_sizes(s)}," for s in plan.bench), "    ],"]
    if (where := _where(plan)) and not plan.trial:
        body += [f"    where={_quoted(where)},"]
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
    about = plan.about.replace("\\", "\\\\").replace('"""', "'''")
    head = ['"""' + about.rstrip(), '"""', ""]
    head += ["import torch", ""] if any(sketch.values) or plan.material.torch else []
    head += [f"from geak_evaluator import {', '.join(words)}", ""]
    return "\n".join([*head, declared, *_reference(plan), *_makes(plan), ""])


def _axis_text(plan: _Plan, name: str) -> str:
    if plan.trial:
        return f"Axis(0, {1 << 40})"
    if name in plan.free:
        return plan.free[name]
    chosen = sorted({s[name] for s in (*plan.sizes, *plan.bench)})
    return f"Axis(choices=({', '.join(map(str, chosen))},))"


def _where(plan: _Plan) -> str:
    """The sizes that were seen together, where axes may not be mixed."""
    fixed = [n for n in plan.sketch.axes if n not in plan.free]
    rows = list(dict.fromkeys(tuple(s[n] for n in fixed) for s in (*plan.sizes, *plan.bench)))
    varied = [i for i in range(len(fixed)) if len({row[i] for row in rows}) > 1]
    if len(varied) < 2:
        return ""
    parts = dict.fromkeys(" and ".join(f"{fixed[i]} == {row[i]}" for i in varied) for row in rows)
    return " or ".join(parts)


def _case(plan: _Plan, number: int, sizes: Sizes) -> str:
    without = plan.sketch.without[number]
    text = _sizes(sizes)
    return f"Case({text}, without=({', '.join(map(_quoted, without))},))" if without else text


def _sizes(sizes: Sizes) -> str:
    return _dict({name: _quoted(v) if isinstance(v, str) else repr(v) for name, v in sizes.items()})


def _dict(items: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{_quoted(name)}: {text}" for name, text in items.items()) + "}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _makes(plan: _Plan) -> list[str]:
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


def _called(plan: _Plan, name: str, target: str) -> str:
    given = ", ".join(plan.sketch.inputs)
    call = f"geak_tensors({target})" if plan.tensors_only else target
    helper = _ONLY_TENSORS if plan.tensors_only else ""
    return f"{helper}\n\ndef {name}({given}):\n    return {call}\n"


def _reference(plan: _Plan) -> list[str]:
    if not plan.material.torch:
        return []
    return ["", "", plan.material.kernel.strip(), _called(plan, "reference", plan.sketch.call)]


def _kernel_text(plan: _Plan) -> str:
    """The original as a kernel file: what its tests call, behind an entry that a spec can call."""
    text = plan.material.kernel.rstrip() + "\n"
    if plan.sketch.plain and not plan.tensors_only:
        return text
    if plan.tensors_only and not re.search(r"^import torch$", text, re.MULTILINE):
        text += "\n\nimport torch\n"
    return text + _called(plan, plan.entry, plan.sketch.call)


def identifier(name: str) -> str:
    """What a spec file may be called: letters, digits and _."""
    plain = re.sub(r"\W", "_", name, flags=re.ASCII).strip("_")
    return plain if plain[:1].isalpha() else f"task_{plain}"
