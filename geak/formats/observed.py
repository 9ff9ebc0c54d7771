"""From a foreign test's calls, as a judge saw them, to a spec that its own kernel is accepted under."""

from __future__ import annotations

import ast
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from geak.errors import SpecError
from geak.formats.base import Listed, Scale
from geak.formats.kept import keep, kept
from geak.formats.optional import settled
from geak.formats.sizes import elements, in_proportion, scaled
from geak.formats.trials import CASES, Trying
from geak.formats.written import Material, Plan, Sizes, formats, kernel_text, spec_text
from geak.journal.store import write
from geak.judge import text
from geak.judges import Judges
from geak.tasks import Task
from geak_evaluator.schema.observed import Entry, Observed

_LARGEST = 1 << 24
"""Elements of a case that is tried at all."""
_BENCH = 6


async def task(listed: Listed, material: Material, folder: Path, judges: Judges, scale: Scale, name: str) -> Task:
    """The spec of one entry as a file in `folder`, its original beside it; SpecError where it cannot be made one."""
    spec, original = folder / f"{name}.py", folder / f"{name}_original.py"
    if spec.exists():
        return _with_original(await kept(spec, listed, judges), original)
    seen, entry = await _observed(listed, material, judges)
    notes = [seen.trouble] * bool(seen.trouble)
    if entry is not None and entry.sketch is not None and not (entry.sketch.shapes or material.torch):
        kernels = launched(material.kernel, entry.name)
        if len(kernels) == 1:  # it may draw its inputs itself, and then no two calls agree: its kernel's do
            notes.append(f"{entry.name} is passed no tensor; the task is {kernels[0]}, the kernel that it launches")
            material = replace(material, watch=kernels)
            seen, entry = await _observed(listed, material, judges)
    if entry is None or entry.sketch is None:
        called = [one.name for one in seen.entries if one.calls]
        why = seen.trouble or (
            f"its test never calls {', '.join(material.watch)}" if not called else "no call is usable"
        )
        raise SpecError(f"{listed.name}: {why}")
    plan = Plan(name, _entry(entry, material), entry.sketch, material, _about(listed, entry, notes))
    # Apart: a folder holds a spec once it is whole.
    with tempfile.TemporaryDirectory(prefix="geak-trial-") as apart:
        try:
            plan = await _fitted(plan, listed, Trying(Path(apart), judges), scale)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            # What was seen is a foreign process's word; sizes that cannot be meant cost this task alone.
            raise SpecError(f"{listed.name}: the calls of its test cannot be read: {error}") from None
        trial = Path(apart) / spec.name
        if not material.torch:
            write(Path(apart) / original.name, kernel_text(plan).encode("utf-8", "surrogateescape"))
        write(trial, spec_text(plan).encode("utf-8", "surrogateescape"))
        findings = await judges.lint(trial)
    if not material.torch:
        write(original, kernel_text(plan).encode("utf-8", "surrogateescape"))
    made = keep(spec, spec_text(plan), listed, findings, single_shape=not plan.free)
    return _with_original(made, original)


async def _observed(listed: Listed, material: Material, judges: Judges) -> tuple[Observed, Entry | None]:
    seen = await judges.observe(
        listed.file,
        material.kernel,
        test=material.test,
        timed=material.timed,
        watch=material.watch,
        project=material.project,
    )
    usable = (one for one in seen.entries if one.sketch is not None and not all(one.sketch.timed))
    return seen, next(usable, None)


def launched(kernel: str, function: str) -> tuple[str, ...]:
    """The kernels that a function of a file launches by itself: `name[grid](...)` in its own text."""
    try:
        tree = ast.parse(kernel)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    own = next((node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function), None)
    found = [
        call.func.value.id
        for call in (ast.walk(own) if own is not None else ())
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Subscript) and isinstance(call.func.value, ast.Name)
    ]
    return tuple(dict.fromkeys(name for name in found if name in names))


def _with_original(made: Task, original: Path) -> Task:
    if not original.exists():
        return made
    return replace(made, original=text(original), original_path=str(original))


def _entry(entry: Entry, material: Material) -> str:
    assert entry.sketch is not None
    plain = entry.name.replace(".", "_")
    if material.torch or entry.sketch.plain:
        return plain
    return f"{plain}_launch" if entry.kind == "kernel" else f"{plain}_entry"


def _about(listed: Listed, entry: Entry, notes: Sequence[str]) -> str:
    lines = [listed.title or listed.name, "", f"Task {listed.name} of {listed.format}; its test's calls were watched."]
    assert entry.sketch is not None
    lines += [f"Note: {note}." for note in (*entry.sketch.notes, *notes)]
    return "\n".join(filter(None, lines[:1])) + "\n\n" + "\n".join(line for line in lines[2:] if line)


async def _fitted(plan: Plan, listed: Listed, trials: Trying, scale: Scale) -> Plan:
    """Tries sizes, then the freedom around them; what its own kernel is not accepted at is left out."""
    native = [i for i, timed in enumerate(plan.sketch.timed) if not timed][: 3 * CASES]
    most = scale.elements
    first = {i: scaled(plan.sketch, i, most) for i in native}
    picked: dict[str, int] = {}
    for i, sizes in first.items():
        picked.setdefault(repr(sizes), i)
    chosen = sorted(picked.values(), key=lambda i: elements(plan.sketch, first[i]))[:CASES]
    plan, accepted, why = await trials.some(plan, [(i, first[i]) for i in chosen])
    # Where that is too small for a kernel's tiles and heads, larger; at last as the benchmark has it.
    larger = {i: scaled(plan.sketch, i, 8 * most, least=64) for i in chosen}
    whole = {i: in_proportion(plan.sketch, i, 8 * most) for i in chosen}
    for attempt in (larger, whole, {i: plan.sketch.cases[i] for i in chosen}):
        others = [(i, s) for i, s in attempt.items() if s != first[i] and elements(plan.sketch, s) <= _LARGEST]
        if not accepted and others:
            plan, accepted, why = await trials.some(plan, others[:2])
    if not accepted:
        if not plan.sketch.shapes and why.startswith("wrong_values"):
            raise SpecError(
                f"{listed.name}: its tests pass no tensor; it draws its inputs itself, and no two calls agree"
            )
        what = "its reference has no answer" if plan.material.torch else "its own kernel is not accepted"
        raise SpecError(f"{listed.name}: {what} at any of its sizes: {why}")
    plan = settled(replace(plan, cases=tuple(i for i, _ in accepted), sizes=tuple(s for _, s in accepted)))
    plan = replace(plan, tied=await trials.tied(plan))
    plan = replace(plan, free=await trials.sure(plan, await trials.freedom(plan)))
    return replace(plan, bench=_bench(plan), trial=False)


def _bench(plan: Plan) -> tuple[Sizes, ...]:
    """What the benchmark times, as far as the axes hold it; else the sizes of its tests, where they were scaled."""
    if any(plan.sketch.values):
        return ()
    timed = [s for s, t in zip(plan.sketch.cases, plan.sketch.timed, strict=True) if t]
    own = [s for s, t in zip(plan.sketch.cases, plan.sketch.timed, strict=True) if not t and s not in plan.sizes]
    fixed = [n for n in plan.sketch.axes if n not in plan.free]
    allowed = {n: {s[n] for s in plan.sizes} for n in fixed}
    types = formats(replace(plan, trial=False))
    kept = [s for s in timed or own if all(s[n] in allowed[n] for n in fixed)]
    kept = [s for s in kept if all(s.get(n, choices[0]) in choices for n, choices in types.items())]
    return tuple(sorted(kept, key=lambda s: elements(plan.sketch, s))[-_BENCH:])
