"""Correct kernels of awkward kinds: each is accepted, none is once it is broken, and a refusal says what is in its way.

A folder of `accepted` is an operation: its spec, and a file for each way of writing it. `refused` holds kernels that
are right, too, and cannot be accepted by design; their specs are those of `accepted`.
"""

from __future__ import annotations

import ast
from importlib import metadata
from pathlib import Path

import pytest

from geak_evaluator.judge import Judge
from geak_evaluator.oracle import SpecFile
from geak_evaluator.schema.verdict import Cause, Status, Verdict

HERE = Path(__file__).parent
ACCEPTED = sorted(path for path in (HERE / "accepted").glob("*/*.py") if path.name != "spec.py")
REFUSED = {
    "block_pointers": (Cause.COMPILE_ERROR, "removed in favor of the tensor descriptor API"),
    "kernel_in_a_function": (Cause.NOT_PLAIN, "made inside a function, a class or a branch"),
    "kernel_in_a_class": (Cause.NOT_PLAIN, "define it at the top level"),
    "constexpr_function": (Cause.NOT_PLAIN, "names _half, which is a plain Python function; make it a @triton.jit"),
    "addresses": (Cause.FOREIGN_WORK, "an address among a kernel's arguments: hand over the tensor itself"),
    "kept_workspace": (Cause.FOREIGN_WORK, "memory from before the call"),
    "value_decides": (Cause.UNSTABLE_PLAN, "looks at values"),
    "way_out_of_triton": (Cause.NOT_PLAIN, "tl.random.tl"),
    "finished_by_torch": (Cause.FOREIGN_WORK, "aten.sum"),
}
OLDER = {
    "dot_scaled": "Triton 3.6 does not compile tl.dot_scaled for gfx942",
    "block_pointers": "Triton 3.6 still has them",
}
"""What the oldest Triton that is promised does otherwise."""


def named(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def verdict(judge: Judge, path: Path, kernel: str = "") -> Verdict:
    """What the judge says of a kernel, or of what was made of it; a spec is named after its folder."""
    if path.stem in OLDER and metadata.version("triton").startswith("3.6."):
        pytest.skip(OLDER[path.stem])
    folder = HERE / "accepted" / path.parent.name
    # The path is never read again: what a spec names beside itself lies in the same folder.
    spec = SpecFile(folder / f"{folder.name}.py", (folder / "spec.py").read_bytes())
    return judge.evaluate(spec, kernel.encode() or path.read_bytes())


def _some() -> list[object]:
    """One file of each operation is judged in every run, the others in the slow one."""
    first = {path.parent: path for path in reversed(ACCEPTED)}
    return [pytest.param(path, marks=[pytest.mark.slow] * (path != first[path.parent])) for path in ACCEPTED]


@pytest.mark.parametrize("path", _some(), ids=named)
def test_a_correct_kernel_is_accepted(judge: Judge, path: Path) -> None:
    found = verdict(judge, path)
    assert found.status is Status.ACCEPTED, found.line()
    assert len(found.cases) == found.asked


def broken(source: str) -> str:
    """A kernel file whose first store, or first atomic addition, writes twice the value and one more."""
    stores = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("store", "atomic_add")
    ]
    if not stores:
        return ""
    value = min(stores, key=lambda node: node.lineno).args[1]
    lines = source.split("\n")
    before, after = lines[value.lineno - 1], lines[value.end_lineno - 1]  # type: ignore[operator]
    assert value.lineno == value.end_lineno, "a stored value on one line"
    lines[value.lineno - 1] = (
        f"{before[: value.col_offset]}({before[value.col_offset : value.end_col_offset]}) * 2 + 1"
        f"{after[value.end_col_offset :]}"
    )
    return "\n".join(lines)


def _breakable() -> list[object]:
    """One file of each operation is broken in every run, the others in the slow one."""
    params, seen = [], set()
    for path in ACCEPTED:
        if broken(path.read_text()):
            params.append(pytest.param(path, marks=pytest.mark.slow if path.parent in seen else ()))
            seen.add(path.parent)
    return params


@pytest.mark.parametrize("path", _breakable(), ids=named)
def test_the_same_kernel_gone_wrong_is_rejected(judge: Judge, path: Path) -> None:
    found = verdict(judge, path, broken(path.read_text()))
    assert found.status is Status.REJECTED, found.line()
    assert found.failure is not None
    assert found.failure.cause is Cause.WRONG_VALUES, found.line()


@pytest.mark.parametrize("path", sorted((HERE / "refused").glob("*/*.py")), ids=named)
def test_what_is_refused_by_design_is_told_why(judge: Judge, path: Path) -> None:
    found = verdict(judge, path)
    cause, words = REFUSED[path.stem]
    assert found.failure is not None, found.line()
    assert found.failure.cause is cause, found.line()
    assert words in found.failure.message, found.line()
