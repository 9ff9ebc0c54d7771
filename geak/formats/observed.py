"""From a foreign test's calls, as a judge saw them, to a spec that its own kernel is accepted under."""

from __future__ import annotations

import ast
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from geak.errors import SpecError
from geak.files import text
from geak.formats.base import Listed, Scale
from geak.formats.kept import keep, kept
from geak.formats.optional import settled
from geak.formats.sizes import elements, in_proportion, scaled
from geak.formats.trials import CASES, Trying
from geak.formats.written import Material, Plan, Sizes, formats, kernel_text, spec_text
from geak.journal.store import write
from geak.judges import Judges
from geak.tasks import Task
from geak_evaluator.schema.observed import Entry

_LARGEST = 1 << 24
"""Elements of a case that is tried at all."""
_BENCH = 6
_UNASKABLE = ("no_kernel", "unstable_plan", "wrong_shape")
"""What a function fails by that works on nothing of a kernel's, looks at values, or gives as much as they say."""


async def task(listed: Listed, material: Material, folder: Path, judges: Judges, scale: Scale, name: str) -> Task:
    """The spec of one entry as a file in `folder`, its original beside it; SpecError where it cannot be made one."""
    spec, original = folder / f"{name}.py", folder / f"{name}_original.py"
    if spec.exists():
        return _with_original(await kept(spec, listed, judges), original)
    # Apart: a folder holds a spec once it is whole.
    with tempfile.TemporaryDirectory(prefix="geak-trial-") as apart:
        try:
            plan = await _askable(listed, material, Trying(Path(apart), judges), scale, name)
        except SpecError as error:
            raise SpecError(str(error).replace(f"{apart}/", "")) from None  # which is gone by then
        trial = Path(apart) / spec.name
        if not material.torch:
            write(Path(apart) / original.name, kernel_text(plan).encode("utf-8", "surrogateescape"))
        write(trial, spec_text(plan).encode("utf-8", "surrogateescape"))
        findings = await judges.lint(trial)
    if not material.torch:
        write(original, kernel_text(plan).encode("utf-8", "surrogateescape"))
    made = keep(spec, spec_text(plan), listed, findings, single_shape=not plan.free)
    return _with_original(made, original)


async def _askable(listed: Listed, material: Material, trials: Trying, scale: Scale, name: str) -> Plan:
    """What can be asked of an entry; of a function that no spec can call, of the kernel that it launches."""
    try:
        return await _planned(listed, material, trials, scale, name)
    except _NotAskable as error:
        inner = () if material.torch else launched(material.kernel, material.watch)
        if not inner or inner == material.watch:
            raise
        note = f"{', '.join(material.watch)} cannot be asked as it is called, so the task is a kernel that it launches"
        try:
            return await _planned(listed, replace(material, watch=inner), trials, scale, name, note)
        except SpecError:
            raise error from None


async def _planned(listed: Listed, material: Material, trials: Trying, scale: Scale, name: str, note: str = "") -> Plan:
    """The first of what is watched that can be asked, at sizes that its own kernel is accepted at."""
    seen = await trials.judges.observe(
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
        why = f"its test never calls {', '.join(material.watch)}" if not called else "no call is usable"
        raise _NotAskable(f"{listed.name}: {seen.trouble or why}")
    about = _about(listed, entry, [one for one in (seen.trouble, note) if one])
    plan = Plan(name, _entry(entry, material), entry.sketch, material, about)
    try:
        return await _fitted(plan, listed, trials, scale)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        # What was seen is a foreign process's word; sizes that cannot be meant cost this task alone.
        raise SpecError(f"{listed.name}: the calls of its test cannot be read: {error}") from None


class _NotAskable(SpecError):
    """A function that no spec can call, or whose result does not follow from what it is passed."""


def launched(kernel: str, entries: Sequence[str]) -> tuple[str, ...]:
    """The kernels that functions of a file launch: `name[grid](...)` in their text or in that of what they name."""
    try:
        tree = ast.parse(kernel)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    parts: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            parts[node.name] = node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            parts[node.targets[0].id] = node
    waiting = [entry.partition(".")[0] for entry in entries]
    seen = set(waiting)
    found: dict[str, None] = {}
    while waiting:
        part = parts.get(waiting.pop(0))
        for inner in ast.walk(part) if part is not None else ():
            if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Subscript):
                name = inner.func.value.id if isinstance(inner.func.value, ast.Name) else ""
                found |= {name: None} if name in parts else {}
            elif isinstance(inner, ast.Name) and inner.id in parts and inner.id not in seen:
                seen.add(inner.id)
                waiting.append(inner.id)
    return tuple(found)


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
    wide = {i: in_proportion(plan.sketch, i, 64 * most) for i in chosen}
    seen = [*first.values()]
    for attempt in (larger, whole, wide, {i: plan.sketch.cases[i] for i in chosen}):
        others = [(i, s) for i, s in attempt.items() if s not in seen and elements(plan.sketch, s) <= _LARGEST]
        seen += [sizes for _, sizes in others]
        if not accepted and others:
            plan, accepted, told = await trials.some(plan, others[:2])
            why = why if why.startswith("no_kernel") else told
    if not accepted:
        cause = why.partition(":")[0]
        if not plan.sketch.shapes:
            drawn = "it draws its inputs itself, and no two calls agree"
            raise _NotAskable(f"{listed.name}: its tests pass no tensor; {drawn if cause == 'wrong_values' else why}")
        what = "its reference has no answer" if plan.material.torch else "its own kernel is not accepted"
        raise (_NotAskable if cause in _UNASKABLE else SpecError)(f"{listed.name}: {what} at any of its sizes: {why}")
    plan = settled(replace(plan, cases=tuple(i for i, _ in accepted), sizes=tuple(s for _, s in accepted)))
    plan = replace(plan, tied=await trials.tied(plan))
    plan = replace(plan, free=await trials.sure(plan, await trials.freedom(plan)))
    return replace(plan, bench=bench(plan), trial=False)


def bench(plan: Plan) -> tuple[Sizes, ...]:
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
    if plan.tied:  # what its own kernel was not accepted with is not timed either
        numbers = [n for n in plan.sizes[0] if n not in plan.sketch.axes]
        accepted = [[s[n] for n in numbers] for s in plan.sizes]
        kept = [s for s in kept if [s[n] for n in numbers] in accepted]
    return tuple(sorted(kept, key=lambda s: elements(plan.sketch, s))[-_BENCH:])
