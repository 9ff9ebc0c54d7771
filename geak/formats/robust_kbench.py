"""robust-kbench: a folder a task, a module whose work is a function, and a grid of configurations, both ways."""

from __future__ import annotations

import ast
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from geak.drafting import Draft, DraftError, Wanted, from_torch, read
from geak.formats.base import Listed, Scale
from geak.formats.files import folders, python_files
from geak.formats.modules import ENTRY, Drafting, drafted
from geak.formats.rewriting import method, with_settings
from geak.judges import Judges
from geak.tasks import Task
from geak_evaluator.schema.verdict import Policy

_WAYS = ("forward", "backward")
_DEEPEST = 4
_MOST = 8
"""Points of a grid that become timed cases."""
_CONFIG = 1 << 20


class RobustKBench:
    """tasks/NAME/func_forward.py and config_forward.json; where it has a backward, the same again."""

    name = "robust-kbench"
    layout = "robust-kbench: tasks/NAME/func_forward.py with config_forward.json"

    def recognises(self, root: Path) -> bool:
        """Whether a task's folder is here, or somewhere below tasks/."""
        return next(_folders(root), None) is not None

    def tasks(self, root: Path) -> Iterator[Listed]:
        """A task for each way of each folder."""
        for folder in _folders(root):
            yield from (_listed(folder, way) for way in _WAYS if (folder / f"func_{way}.py").is_file())

    async def task(self, listed: Listed, folder: Path, judges: Judges, scale: Scale) -> Task:
        """A spec of the module; of a backward, of the function and its gradients."""
        backward = listed.file.name == "func_backward.py"
        return await drafted(
            listed, _backward(listed) if backward else _forward(listed), folder, judges, scale, own=not backward
        )


def _folders(root: Path) -> Iterator[Path]:
    if root.is_file():
        root = root.parent if root.name in ("func_forward.py", "func_backward.py") else Path("/dev/null")
    inside = "tasks" in root.resolve().parts or any((root / f"func_{way}.py").is_file() for way in _WAYS)
    todo = [(root if inside else root / "tasks", 0)]
    while todo:
        folder, depth = todo.pop(0)
        if any((folder / f"func_{w}.py").is_file() and (folder / f"config_{w}.json").is_file() for w in _WAYS):
            yield folder
        elif depth < _DEEPEST:
            todo += [(inner, depth + 1) for inner in folders(folder)]


def _listed(folder: Path, way: str) -> Listed:
    parts = folder.resolve().parts
    place = parts[len(parts) - 1 - parts[::-1].index("tasks") + 1 :] if "tasks" in parts[:-1] else parts[-1:]
    level = next((part for part in place if part.startswith("level_")), "")
    original = next((p.stem for p in python_files(folder) if re.match(r"\d+_", p.name)), place[-1])
    config = folder / f"config_{way}.json"
    return Listed(
        "/".join((*place, way)),
        folder / f"func_{way}.py",
        RobustKBench.name,
        title=f"{re.sub(r'^[0-9]+_', '', original).replace('_', ' ').strip()}, {way}",
        category="kernelbench" if level else "robust-kbench",
        difficulty=level.replace("_", " "),
        licence="Apache-2.0",
        why_not="" if config.is_file() else f"its {config.name} is missing",
        policy=Policy.MIXED if level == "level_2" else Policy.PURE,
        tolerance="torch.allclose with atol = rtol = 1e-5",
        metric="speedup over eager torch and torch.compile, mean over its grid",
    )


def _forward(listed: Listed) -> Drafting:
    """The module with each point of the grid as constants; the first is the one that its own timings use."""

    def draft(wanted: Wanted) -> Draft:
        tree = read(listed.file).tree
        texts = [with_settings(tree, point) for point in _grid(listed.file.with_name("config_forward.json"))]

        def of(text: str, wanted: Wanted) -> Draft:
            return from_torch(listed.file, "Model", ENTRY, wanted=wanted, text=text)

        own = [of(text, wanted).own for text in texts[1:_MOST]]
        return of(texts[0], replace(wanted, bench=tuple(sizes for sizes in own if sizes)))

    return draft


def _backward(listed: Listed) -> Drafting:
    """The function that the module calls, and the gradients that its autograd function returns."""

    def draft(wanted: Wanted) -> Draft:
        tree = read(listed.file).tree
        function = next((n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "forward_fn"), None)
        if function is None:
            raise DraftError("it has no forward_fn")
        returned = [
            n.value for n in ast.walk(method(tree, "AutogradFunction", "backward")) if isinstance(n, ast.Return)
        ]
        last = returned[-1] if returned else None
        parts = last.elts if isinstance(last, ast.Tuple) else [last]
        names = [argument.arg for argument in function.args.args]
        wrt = [
            name
            for name, part in zip(names, parts, strict=False)
            if not (part is None or (isinstance(part, ast.Constant) and part.value is None))
        ]
        point = _grid(listed.file.with_name("config_backward.json"))[0]
        text = with_settings(tree, point)
        entry = listed.name.rsplit("/", 2)[-2]
        return from_torch(listed.file, "forward_fn", entry, wanted=replace(wanted, wrt=tuple(wrt)), text=text)

    return draft


def _grid(file: Path) -> list[dict[str, object]]:
    """Every point: the one that is timed first, then the product of inputs, constructor and what both share."""
    try:
        with file.open("rb") as opened:
            config = json.loads(opened.read(_CONFIG))
        points: list[dict[str, object]] = []
        for size in ("single", "multi"):
            parts = [config.get(f"{size}_{part}_configs") or [{}] for part in ("input", "init", "shared")]
            points += [{**a, **b, **c} for a, b, c in itertools.islice(itertools.product(*parts), 64)]
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DraftError(f"{file.name} is no grid as they are kept: {type(error).__name__}: {error}") from None
    return [point for number, point in enumerate(points) if point not in points[:number]]
