"""A small operation, a sound kernel for it, and what a judge says of both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from geak_evaluator.judge import Judge
from geak_evaluator.oracle import SpecFile
from geak_evaluator.schema.verdict import Cause, Status, Verdict

IMPORTS = "import torch\nimport triton\nimport triton.language as tl\n"
WORDS = "import torch\nfrom geak_evaluator import Axis, Case, Scalar, Spec, Tensor\n"

SPEC = f'''"""Twice each element, plus one."""
{WORDS}
spec = Spec(
    axes={{"M": Axis(choices=(3,)), "N": Axis(choices=(70,))}},  # no other size is to be tried
    inputs={{"x": Tensor("M, N")}},
    outputs=Tensor("M, N"),
    cases=[{{"M": 3, "N": 70}}],
)


def reference(x):
    return x * 2 + 1
'''

KERNEL = f"""{IMPORTS}

@triton.jit
def _scale(x, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    value = tl.load(x + at, mask=at < n)
    tl.store(y + at, value * 2 + 1, mask=at < n)


def scale(x):
    y = torch.empty_like(x)
    n = x.numel()
    _scale[(triton.cdiv(n, 64),)](x, y, n, BLOCK=64)
    return y
"""

Try = Callable[..., Verdict]


def changed(source: str, *pairs: tuple[str, str]) -> str:
    """A source with something replaced, which must be there."""
    for old, new in pairs:
        assert old in source, old
        source = source.replace(old, new)
    return source


def a_spec(
    reference: str, *, inputs: str = '{"x": Tensor("M, N")}', cases: str = '[{"M": 3, "N": 70}]', more: str = ""
) -> str:
    """A spec over M and N, which have few sizes; `more` are further fields."""
    return f'''"""An operation."""
{WORDS}
spec = Spec(
    axes={{"M": Axis(choices=(3,)), "N": Axis(choices=(70,))}},
    inputs={inputs},
    cases={cases},
    {more}
)


{reference}
'''


def verdict_on(
    judge: Judge, spec: str, kernel: str | bytes, *, name: str = "scale", target: str = "gfx942", **asked: Any
) -> Verdict:
    """What the judge says of a kernel, both given as text."""
    source = kernel.encode() if isinstance(kernel, str) else kernel
    return judge.evaluate(SpecFile(Path(f"/specs/{name}.py"), spec.encode()), source, **{"targets": [target], **asked})


def accepted(verdict: Verdict) -> None:
    """Nothing is wrong, and every case was run."""
    assert verdict.status is Status.ACCEPTED, verdict.line()
    assert verdict.failure is None
    assert len(verdict.cases) == verdict.asked > 0
    assert verdict.line().startswith("ACCEPTED")


def rejected(verdict: Verdict, cause: Cause, *words: str) -> None:
    """It was found out why, and said so."""
    assert verdict.status is Status.REJECTED, verdict.line()
    assert verdict.failure is not None
    assert verdict.failure.cause is cause, verdict.line()
    assert all(word in verdict.failure.message for word in words), verdict.failure.message
    assert verdict.failure.message in verdict.line()
