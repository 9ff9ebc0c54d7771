"""flashinfer-bench: a definition a JSON file, its workloads beside it; a folder of them is a trace set."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geak.drafting.source import parsed
from geak.errors import SpecError
from geak.formats.base import Listed, Scale
from geak.formats.flashinfer_spec import INTEGERS, written
from geak.formats.modules import origin
from geak.formats.trying import first_that_runs
from geak.judges import Judges
from geak.tasks import Task
from geak_evaluator.schema.dtypes import NAMES

_BELOW = (".", "flashinfer_trace", "examples/ffi/Example-FlashInfer-Trace")
"""Where a trace set lies in a checkout of its own, and in one of flashinfer-bench."""
_LICENCE = "Apache-2.0"
_METRIC = "the mean over workloads of how much faster than a baseline, and the share of workloads that is right"
_TOLERANCE = "wrong where both the absolute and the relative error are above 1e-2"
_LIMIT = 1 << 23
_POINTER = "version https://git-lfs"
_FORMATS = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"} | {
    name.replace("fp8", "float8"): name for name in NAMES if name.startswith("fp8")
}


@dataclass(frozen=True)
class Definition:
    """A definition as its file has it, and the workloads beside it."""

    name: str
    op_type: str
    axes: dict[str, int | None]
    """The size of a constant axis; None where workloads say it."""
    inputs: dict[str, dict[str, Any]]
    outputs: dict[str, dict[str, Any]]
    reference: str
    constraints: tuple[str, ...] = ()
    description: str = ""
    tags: tuple[str, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    """What it says of an axis, an input or an output."""
    workloads: tuple[dict[str, Any], ...] = ()


class FlashInfer:
    """definitions/OP_TYPE/NAME.json with axes, inputs, outputs and reference; workloads/OP_TYPE/NAME.jsonl."""

    name = "flashinfer-bench"
    layout = "flashinfer-bench: definitions/OP_TYPE/NAME.json with axes, inputs, outputs and a reference"

    def recognises(self, root: Path) -> bool:
        """Whether a trace set is here, or one file of it."""
        return any(_is_definition(file) for where in _sets(root) for file in _files(where)[:3])

    def tasks(self, root: Path) -> Iterator[Listed]:
        """A task for each definition."""
        for where in _sets(root):
            for file in _files(where):
                yield _listed(file)

    async def task(self, listed: Listed, folder: Path, judges: Judges, scale: Scale) -> Task:
        """A spec of the definition; its constants may also be smaller, its workloads are the timed cases."""
        definition = _read(listed.file, workloads=True)
        if why := _why_not(definition):
            raise SpecError(f"{listed.file}: {why}")
        text = written(definition, formats(definition), scale, origin(listed, single=False))
        return await first_that_runs(listed, [(text, False)], folder, judges)


def formats(definition: Definition) -> dict[str, str]:
    """Each tensor's and number's format in our words; "" where there is none."""
    every = {**definition.inputs, **definition.outputs}
    return {n: _FORMATS.get(d := str(i.get("dtype")), d if d in NAMES else "") for n, i in every.items()}


def _sets(root: Path) -> list[Path]:
    """Every trace set at or below a path; a single definition stands for its own."""
    if root.is_file():
        return [root] if root.suffix == ".json" else []
    if root.name == "definitions":
        return [root.parent]
    if root.parent.name == "definitions":
        return [root]
    return [root / below for below in _BELOW if (root / below / "definitions").is_dir()]


def _files(where: Path) -> list[Path]:
    if where.is_file():
        return [where]
    if where.parent.name == "definitions":
        return sorted(file for file in where.glob("*.json") if file.is_file())
    folder = where / "definitions"
    return sorted(file for pattern in ("*.json", "*/*.json") for file in folder.glob(pattern) if file.is_file())


def _is_definition(file: Path) -> bool:
    text = _text(file)
    return text.startswith(_POINTER) or all(f'"{key}"' in text for key in ("op_type", "axes", "reference"))


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(_LIMIT).decode("utf-8", "replace")
    except OSError:
        return ""


def _listed(file: Path) -> Listed:
    below = file.parent.name if file.resolve().parent.parent.name == "definitions" else ""
    try:
        definition = _read(file)
        why = _why_not(definition)
    except SpecError as error:
        name = f"{below}/{file.stem}" if below else file.stem
        return Listed(
            name,
            file,
            FlashInfer.name,
            category=below,
            licence=_LICENCE,
            why_not=str(error),
            tolerance=_TOLERANCE,
            metric=_METRIC,
        )
    low = "float8" in json.dumps([definition.inputs, definition.outputs]) or definition.op_type == "moe"
    return Listed(
        f"{below}/{definition.name}" if below else definition.name,
        file,
        FlashInfer.name,
        title=definition.description.split("\n")[0].split(". ")[0].rstrip("."),
        category=definition.op_type,
        licence=_LICENCE,
        why_not=why,
        tolerance=_TOLERANCE + (", and 95 % of an output must be right" if low else ""),
        metric=_METRIC,
    )


def _read(file: Path, *, workloads: bool = False) -> Definition:
    """A definition; SpecError where the file holds none."""
    text = _text(file)
    if text.startswith(_POINTER):
        raise SpecError("the file is a pointer to large storage; `git lfs pull` brings what it stands for")
    try:
        said = json.loads(text)
        made = Definition(
            str(said["name"]),
            str(said["op_type"]),
            {str(n): int(a["value"]) if a["type"] == "const" else None for n, a in said["axes"].items()},
            {str(n): dict(i) for n, i in said["inputs"].items()},
            {str(n): dict(o) for n, o in said["outputs"].items()},
            str(said["reference"]),
            tuple(str(c) for c in said.get("constraints") or ()),
            str(said.get("description") or ""),
            tuple(str(t) for t in said.get("tags") or ()),
            tuple((n, str(i.get("description"))) for n, i in _everything(said) if i.get("description")),
            tuple(_workloads(file)) if workloads else (),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        missing = f"it does not say {error}" if isinstance(error, KeyError) else f"it cannot be read as one: {error}"
        raise SpecError(f"the file is no definition: {missing}") from None
    for name in (*made.axes, *made.inputs, *made.outputs):
        if not name.isidentifier():
            raise SpecError(f"the name {name!r} is none that a spec can use")
    return made


def _everything(said: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for place in ("axes", "inputs", "outputs"):
        yield from said[place].items()


def _workloads(file: Path) -> Iterator[dict[str, Any]]:
    """The workloads of a definition: each its axes and inputs; a line that is none is passed over."""
    folder = next((p for p in file.parents if p.name == "definitions"), None)
    if folder is None:
        return
    beside = folder.parent / "workloads" / file.relative_to(folder).with_suffix(".jsonl")
    for line in _text(beside).splitlines():
        try:
            said = json.loads(line)
            workload = said.get("workload", said)
            axes = {str(n): int(v) for n, v in workload["axes"].items()}
            yield {"axes": axes, "inputs": dict(workload.get("inputs") or {})}
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            continue


def _why_not(made: Definition) -> str:
    """Why a definition cannot be judged, in a sentence."""
    for name, form in formats(made).items():
        if not form:
            kind = {**made.inputs, **made.outputs}[name].get("dtype")
            return f"{name} is of type {kind}, which no spec can name"
    if made.op_type == "sampling" or "multinomial" in made.reference:
        return "its answer is drawn at random, and a verdict compares values"
    if made.op_type == "moe":
        return "its reference ties experts, groups and blocks of 128 to their numbers; they cannot be interpreted"
    for name, item in made.inputs.items():
        integer = formats(made)[name].startswith(("int", "uint"))
        if integer and item.get("shape") and name not in INTEGERS:
            return f"nothing says which values the integers {name} may take"
    try:
        tree = parsed(made.reference)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "its reference is not Python"
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    if "run" not in functions:
        return "its reference defines no function `run`"
    if functions.keys() & {"reference", "make_inputs"}:
        return "its reference uses a name that a spec needs for itself"
    return ""
