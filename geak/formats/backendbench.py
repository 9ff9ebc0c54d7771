"""BackendBench: an operator of torch and the calls that models make of it; its suites `torchbench` and `opinfo`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path

from geak.errors import UsageError
from geak.formats import operators, opinfo
from geak.formats.base import Listed, Scale
from geak.formats.forms import Form, forms, readings
from geak.formats.modules import origin
from geak.formats.traces import is_trace, read
from geak.formats.trying import first_that_runs
from geak.formats.writing import plural
from geak.judges import Judges
from geak.tasks import Task

_LICENCE = "BSD-3-Clause"
_TOLERANCE = "torch.testing.assert_close with atol = rtol = 1e-2 for every type, NaN equal to NaN"
_METRIC = "the share of operators that are right, and the geometric mean of speedups over shapes and operators"
_OPINFO = "opinfo/"
_BELOW = ("", "*_train/", "tritonbench/data/input_configs/*/")
"""Where traces lie below a path: in it, by the kind of model, in a checkout of tritonbench."""
_LOOKED = 300
_FORMS = 3
"""Of an operator's forms, how many are tasks of their own: few calls have any other."""


class BackendBench:
    """Traces: "Operator: aten.add.Tensor", then "cnt: 3, ((T([8, 4], f16), T([4], f16)), {})"."""

    name = "backendbench"
    layout = 'BackendBench: traces *.txt of "Operator: aten.NAME.OVERLOAD" and "cnt: N, (ARGS, KWARGS)", or *.parquet'

    def recognises(self, root: Path) -> bool:
        """Whether a trace is here, or a folder of them, or what makes the opinfo suite."""
        return (root / opinfo.SUITE).is_file() or any(is_trace(file) for file in _files(root)[:_LOOKED])

    def tasks(self, root: Path) -> Iterator[Listed]:
        """A task for each form in which an operator is called, and one for each operator that can be none."""
        try:
            traced = _traced(root)
        except UsageError as error:
            yield _one(root, root.stem, "", "", str(error))
            return
        alone = [file for file in _files(root) if is_trace(file)]
        for operator, texts in sorted(traced.items()):
            yield from _listed(alone[0] if len(alone) == 1 else root, operator, texts)
        if (root / opinfo.SUITE).is_file():
            for operator in opinfo.suite():
                name = f"{_OPINFO}{operator.removeprefix('aten.')}"
                title = "the arguments of torch's own tests"
                yield _one(root / opinfo.SUITE, name, operator, title, operators.why_not(operator))

    async def task(self, listed: Listed, folder: Path, judges: Judges, scale: Scale) -> Task:
        """A spec of one form; where its sizes depend on one another, of the smallest sizes that were traced."""
        operator, _, number = listed.name.rpartition("/")[2].partition("~")
        if f"{_OPINFO}{operator}" in listed.name:
            form = await opinfo.asked(f"aten.{operator}", judges)
        else:
            form = _forms(listed.file, f"aten.{operator}")[int(number or 1) - 1]
        return await first_that_runs(listed, readings(form, scale.elements, partial(origin, listed)), folder, judges)


def _files(root: Path) -> list[Path]:
    if root.is_file():
        return [root]
    found = [file for below in _BELOW for file in root.glob(f"{below}*.txt") if file.is_file()]
    return sorted([*found, *root.glob("*.parquet")])


@lru_cache(maxsize=4)
def _traced(root: Path) -> dict[str, Counter[str]]:
    return read(file for file in _files(root) if is_trace(file))


@lru_cache(maxsize=2048)
def _forms(root: Path, operator: str) -> tuple[Form, ...]:
    return tuple(forms(operator, _traced(root)[operator]))


def _listed(root: Path, operator: str, texts: Counter[str]) -> Iterator[Listed]:
    name, every = operator.removeprefix("aten."), sum(texts.values())
    why = operators.why_not(operator)
    known = () if why else _forms(root, operator)
    if not known:
        why = why or "its calls hold nothing that a spec can say: no tensors, empty ones, or strides with gaps"
        yield _one(root, name, operator, plural(every, "call"), why)
    for number, form in enumerate(known[:_FORMS], 1):
        title = f"{form.count:,} of its {every:,} calls, at {plural(len(form.calls), 'size')}"
        yield _one(root, name if number == 1 else f"{name}~{number}", operator, title, "")


def _one(root: Path, name: str, operator: str, title: str, why: str) -> Listed:
    return Listed(
        name,
        root,
        BackendBench.name,
        title=title,
        category=operators.base(operator),
        licence=_LICENCE,
        why_not=why,
        tolerance=_TOLERANCE,
        metric=_METRIC,
    )
