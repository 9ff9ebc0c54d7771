"""MultiKernelBench: KernelBench's kind of file in categories, some with groups of inputs in a file beside them."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from geak.drafting import Draft, DraftError, Wanted, from_torch, read
from geak.formats.base import Listed, Scale
from geak.formats.files import folders, head, python_files
from geak.formats.modules import ENTRY, Drafting, drafted
from geak.formats.rewriting import Passed, with_inputs
from geak.judges import Judges
from geak.tasks import Task
from geak_evaluator.schema.verdict import Policy

_GROUPED = "npukernelbench_level"
_FUSED = ("fuse", "arch", "attention")
_SIDE_FILE = 1 << 22
"""Bytes of a side file that are read."""
_MOST = 8
"""Groups of inputs that become timed cases."""
_FLOATS = {"float16": "fp16", "fp16": "fp16", "bfloat16": "bf16", "bf16": "bf16", "float32": "fp32", "fp32": "fp32"}
_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool")


class MultiKernelBench:
    """reference/activation/elu.py: class Model and get_inputs, or get_input_groups and elu.json."""

    name = "multikernelbench"
    layout = "MultiKernelBench: reference/CATEGORY/NAME.py with a class Model"

    def recognises(self, root: Path) -> bool:
        """Whether the categories are here, or one of them, or a file of one."""
        return any(_is_task(file) for category in _categories(root) for file in python_files(category)[:3])

    def tasks(self, root: Path) -> Iterator[Listed]:
        """A task for each file of a category."""
        for category in _categories(root):
            yield from map(_listed, python_files(category))

    async def task(self, listed: Listed, folder: Path, judges: Judges, scale: Scale) -> Task:
        """A spec of the module; what its groups say beside sizes is part of it."""
        grouped = "def get_input_groups" in head(listed.file)
        return await drafted(listed, _grouped(listed) if grouped else _plain(listed), folder, judges, scale)


def _categories(root: Path) -> list[Path]:
    root = root.resolve()
    if root.is_file():
        return [root] if root.parent.parent.name == "reference" else []
    if root.parent.name == "reference":
        return [root]
    return folders(root if root.name == "reference" else root / "reference")


def _is_task(file: Path) -> bool:
    text = head(file)
    return "class Model" in text and ("def get_inputs" in text or "def get_input_groups" in text)


def _listed(file: Path) -> Listed:
    category = file.parent.name
    grouped = category.startswith(_GROUPED)
    why = ""
    if grouped and "get_input_groups" in head(file) and not file.with_suffix(".json").is_file():
        why = f"the groups of its inputs, {file.stem}.json, are not beside it"
    return Listed(
        f"{category}/{file.stem}",
        file,
        MultiKernelBench.name,
        title=re.sub(r"^\d+_", "", file.stem).replace("_", " "),
        category=_GROUPED.removesuffix("_level") if grouped else category,
        difficulty=f"level {category.removeprefix(_GROUPED)}" if grouped else "",
        licence="MIT",
        why_not=why,
        policy=Policy.MIXED if category in _FUSED else Policy.PURE,
        tolerance="torch.allclose with atol = rtol = 1e-4, whatever the type",
        metric="Pass@k, and SpeedUp_alpha@k: the share that is right and alpha times as fast as eager torch",
    )


def _plain(listed: Listed) -> Drafting:
    return lambda wanted: from_torch(listed.file, "Model", ENTRY, wanted=wanted)


def _grouped(listed: Listed) -> Drafting:
    """Each group that goes with the first one is a set of sizes that is timed."""

    def draft(wanted: Wanted) -> Draft:
        groups = _passable(_groups(listed.file.with_suffix(".json")))
        tree = read(listed.file).tree
        families = [_family(group) for group in groups]
        most = max(families, key=lambda one: (_ranked(one), families.count(one)))
        kin = [group for group, family in zip(groups, families, strict=True) if family == most]
        formats = tuple(dict.fromkeys(_FLOATS[t] for g in kin for i in g if (t := i["dtype"]) in _FLOATS))
        wanted = replace(wanted, formats=formats or ("fp32",))
        own = [_drafted(listed, tree, group, wanted).own for group in kin[1:_MOST]]
        return _drafted(listed, tree, kin[0], replace(wanted, bench=tuple(sizes for sizes in own if sizes)))

    return draft


def _drafted(listed: Listed, tree: ast.Module, group: list[dict[str, Any]], wanted: Wanted) -> Draft:
    text = with_inputs(tree, [_passed(item) for item in group])
    return from_torch(listed.file, "Model", ENTRY, wanted=wanted, text=text)


def _passed(item: dict[str, Any]) -> Passed:
    """One input as source: a tensor by how it is made, anything else by its value."""
    kind, dtype, shape = item["type"], item["dtype"], item.get("shape")
    if kind == "tensor" and dtype in _FLOATS:
        return Passed(item["name"], f"torch.randn({_sizes(shape)})", tensor=True)
    if kind == "tensor" and dtype in _INTEGERS:
        return Passed(item["name"], f"torch.randint(0, 2, ({_sizes(shape)},), dtype=torch.{dtype})", tensor=True)
    if kind == "attr" and item.get("type") != "tensor_list":
        return Passed(item["name"], repr(item.get("value")))
    raise DraftError(f"its input {item['name']} is a {kind} of {dtype}, which no spec of a module can pass")


def _sizes(shape: object) -> str:
    if not isinstance(shape, list) or not all(type(size) is int and size > 0 for size in shape):
        raise DraftError(f"a tensor of its side file has the shape {shape!r}")
    return ", ".join(map(str, shape)) if shape else "()"


def _family(group: list[dict[str, Any]]) -> list[object]:
    """What two groups must have in common to be sizes of one spec."""
    return [
        (i["name"], len(i["shape"]), i["dtype"] in _FLOATS or i["dtype"])
        if i["type"] == "tensor" and isinstance(i.get("shape"), list)
        else (i["name"], i.get("value"))
        for i in group
    ]


def _passable(groups: list[list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    """Those that a spec can pass: their tensors hold something, of a type that there is here."""
    found, first = [], None
    for group in groups:
        try:
            [_passed(item) for item in group]
            found.append(group)
        except DraftError as error:
            first = first or error
    if not found and first is not None:
        raise first
    return found


def _ranked(family: list[object]) -> bool:
    """Whether a tensor of it has dimensions."""
    return any(isinstance(one, tuple) and len(one) == 3 and one[1] for one in family)


def _groups(file: Path) -> list[list[dict[str, Any]]]:
    """The inputs of each group, as the side file has them: a JSON object a line."""
    try:
        with file.open("rb") as opened:
            lines = opened.read(_SIDE_FILE).decode("utf-8").splitlines()
        found = [json.loads(line)["inputs"] for line in lines if line.strip()]
        whole = [group for group in found if all({"name", "type", "dtype"} <= item.keys() for item in group)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DraftError(f"{file.name} is no side file as they are kept: {type(error).__name__}: {error}") from None
    if not whole:
        raise DraftError(f"{file.name} holds no group of inputs")
    return whole
