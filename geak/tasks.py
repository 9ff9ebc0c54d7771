"""What a run is about: a spec, and the kernel that it begins from. Files are read here, and none of them is run."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from geak import drafting, specs
from geak.errors import SpecError, UsageError
from geak.files import text
from geak.journal.store import write
from geak.judges import Judges
from geak_evaluator.schema.findings import Findings
from geak_evaluator.schema.spec import Description
from geak_evaluator.schema.verdict import Cause, Policy, Status, Verdict

SPEC = "spec"
"""Within a run's folder: where a spec lies that was drafted for it."""


@dataclass(frozen=True)
class Task:
    """A spec, and where its candidates begin."""

    spec: Path
    original: str = ""
    """The source of the kernel that was given, candidate 0; "" where none was."""
    original_path: str = ""
    drafted: bool = False
    """A model wrote the spec, and nobody has confirmed it."""
    read_off: bool = False
    """The spec was drafted here, from the code of the original; `ready` says whether it works."""
    kept: bool = True
    """What was drafted stays where it lies; in a preview it does not."""

    policy: Policy = Policy.PURE
    """What may do the work beside Triton kernels, where nobody says otherwise."""
    single_shape: bool = False
    """Its domain is one size: a foreign task whose reference accepts no other."""
    findings: Findings | None = None
    """What lint says of a foreign task's spec."""

    verdict: Verdict | None = None
    """On the original, where `ready` has asked for it."""

    @property
    def soft(self) -> tuple[str, ...]:
        """The answers without work that would pass: a foreign task that has any is reported apart."""
        found = self.findings.findings if self.findings is not None else ()
        return tuple(one.message for one in found if one.rule.startswith("vacuous"))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of a spec that was drafted here: where it is, and what was guessed."""
        if not self.read_off:
            return ()
        place = f": {self.spec}" if self.kept else "; a run keeps it in its folder"
        return (f"the spec is drafted{place}", *(f"check in the spec: {question}" for question in self.questions))

    @property
    def questions(self) -> tuple[str, ...]:
        """What its author still has to look at: the spec's comments `# CHECK: ...`."""
        return tuple(dict.fromkeys(re.findall(r"# CHECK: (.*)", text(self.spec))))


def for_spec(name: str) -> Task:
    """A kernel from nothing, for a spec by its file or its name."""
    return Task(specs.find(name))


def for_kernel(
    file: str, folder: Path, *, spec: str | None = None, reference: str | None = None, test: str = ""
) -> Task:
    """A better one than the kernel in FILE[:FUNCTION].

    Without a `spec`, one is drafted into `folder`, where a copy of the kernel is kept beside it: the original, whatever
    becomes of the user's file. Right is what the original says, or the function `reference` (FILE:FUNCTION), or what
    passes `test`, a pytest command that is run in the current folder. What is in `folder` already is used as it is, so
    that a draft can be mended by hand.
    """
    if sum(map(bool, (spec, reference, test))) > 1:
        raise UsageError("--spec, --reference and --test each say what is right; give one of them")
    path, function = place(file)
    original = text(path)
    if spec:
        return begin_with(for_spec(spec), file)
    try:
        if reference:
            draft = _with_reference(path, function, *place(reference))
        else:
            draft = drafting.from_kernel(path, function, _settings(path, folder, test))
    except drafting.DraftError as error:
        raise UsageError(f"{error}; or name a spec of your own with --spec (`geak specs new` writes one)") from None
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / path.name
    name = draft.name if draft.name != path.stem else f"{draft.name}_spec"
    write(copy, original.encode("utf-8", "surrogateescape"), only_new=True)
    write(folder / f"{name}.py", draft.text.encode(), only_new=True)
    return Task(folder / f"{name}.py", original, str(path), read_off=True)


def begin_with(task: Task, file: str) -> Task:
    """The task with the kernel in FILE[:FUNCTION] to begin from."""
    path, _ = place(file)
    return replace(task, original=text(path), original_path=str(path))


def place(words: str) -> tuple[Path, str | None]:
    """FILE[:FUNCTION] as a file and a name in it."""
    path, _, function = (words, "", "") if Path(words).exists() else words.rpartition(":")
    return (Path(path), function or None) if path else (Path(words), None)


async def ready(
    task: Task, judges: Judges, *, targets: Sequence[str] = ("gfx942",), policy: Policy = Policy.PURE
) -> tuple[Description, Verdict | None]:
    """What the task's spec declares; and of one that was drafted here, the verdict on the original.

    SpecError where the spec cannot be used, or a drafted one does not fit its original.
    """
    try:
        about = await judges.describe(task.spec)
        if not task.read_off:
            return about, None
        verdict = await judges.evaluate(task.spec, task.original, targets=targets, policy=policy)
    except SpecError as error:
        if not task.read_off:
            raise
        raise SpecError(_mend(task, str(error))) from None
    fault = verdict.failure.cause if verdict.status is Status.REJECTED and verdict.failure is not None else None
    if fault in _MISDRAFTED or (fault in _WRONG and about.spec.oracle == "peer"):
        raise SpecError(_mend(task, f"the kernel itself is refused: {verdict.line()}"))
    return about, verdict


def begun_from(task: Task, about: Description) -> Task:
    """The task with the kernel that its spec names to begin from, where nobody named another."""
    if task.original_path or not about.spec.starter:
        return task
    starter = task.spec.parent / about.spec.starter
    return replace(task, original=text(starter), original_path=str(starter))


# Ways to fail that say more of a drafted spec, or of how tests are run, than of a kernel that works elsewhere.
_MISDRAFTED = frozenset(
    {
        *(Cause.MISSING_ENTRY, Cause.RAISED, Cause.OUT_OF_BOUNDS, Cause.CHANGED_INPUT, Cause.UNSTABLE_PLAN),
        *(Cause.NO_KERNEL, Cause.WRONG_OUTPUTS, Cause.WRONG_TYPE, Cause.WRONG_SHAPE, Cause.WRONG_DTYPE),
        *(Cause.WRONG_DEVICE, Cause.TESTS_FAILED),
    }
)
# By its own word an original cannot be wrong; by a reference it may, and then that is what the run is to mend.
_WRONG = frozenset({Cause.WRONG_VALUES, Cause.UNWRITTEN, Cause.WRONG_STATE, Cause.WRONG_STRIDES})


def _mend(task: Task, why: str) -> str:
    again = f"geak optimize {shlex.quote(task.original_path)} --spec {shlex.quote(str(task.spec))}"
    go_on = f"mend it and go on: {again}" if task.kept else "a run, without --dry-run, keeps it to be mended"
    return f"the spec that was drafted from {task.original_path} does not work yet: {why}; {go_on}"


def _with_reference(path: Path, function: str | None, reference: Path, name: str | None) -> drafting.Draft:
    entry = function or drafting.from_kernel(path).entry
    return drafting.from_torch(reference, name, entry)


def _settings(path: Path, folder: Path, test: str) -> list[str]:
    """What a spec says of the kernel's surroundings, as source."""
    root = Path.cwd() if test else _root(path)
    if not test and not _imports_from(path, root):
        return []
    try:
        inside = path.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        raise UsageError(f"{path} is not below the current folder, where --test would run; go to its project") from None
    project = Path(os.path.relpath(root.resolve(), folder.resolve())).as_posix()
    settings = [
        f"project={json.dumps(project, ensure_ascii=False)}",
        f"files=({json.dumps(inside, ensure_ascii=False)},)",
    ]
    return [*(['oracle="tests"', f"tests={json.dumps(test, ensure_ascii=False)}"] if test else []), *settings]


def _root(path: Path) -> Path:
    """The folder that a module is imported from: above the packages that it lies in."""
    folder = path.resolve().parent
    while (folder / "__init__.py").is_file() and folder != folder.parent:
        folder = folder.parent
    return folder


def _imports_from(path: Path, root: Path) -> bool:
    """Whether a file imports others of its own project."""
    for statement, alias in drafting.read(path).imports.values():
        if isinstance(statement, ast.ImportFrom) and statement.level:
            return True
        module = (statement.module or "") if isinstance(statement, ast.ImportFrom) else alias.name
        top = module.split(".")[0]
        if top not in sys.stdlib_module_names and ((root / f"{top}.py").is_file() or (root / top).is_dir()):
            return True
    return False
