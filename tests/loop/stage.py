"""A small run on a stage: a spec, a script of replies, and a judge that goes by words."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

JUDGE = f"{sys.executable} {Path(__file__).with_name('judge_by_words.py')}"
SPEC = '"""Twice each element."""\n'

KERNEL = """# {words}
import torch
import triton
import triton.language as tl


@triton.jit
def double_kernel(x, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + at, tl.load(x + at, mask=at < n) * 2, mask=at < n)


def double(x):  # {number}
    y = torch.empty_like(x)
    double_kernel[(triton.cdiv(x.numel(), 256),)](x, y, x.numel(), BLOCK=256)
    return y
"""


def kernel(number: int, *words: str) -> str:
    """A kernel whose comments tell the judge what to say."""
    return KERNEL.format(words="\n# ".join(words or ("verdict: accepted",)), number=number)


def script(place: Path, kernels: Sequence[str], *, lessons: int = 40, plans: int = 40) -> Path:
    """A script whose generator writes these kernels in turn; the other roles say something each time."""
    replies = [("generator", f"I write this.\n\n```python\n{source}```\n") for source in kernels]
    replies += [
        ("optimizer", f'{{"change": "make the loads wider, try {n}", "why": "they are narrow"}}') for n in range(plans)
    ]
    replies += [
        ("reflector", f'{{"cause": "cause {n}", "advice": "advice {n}", "tried": "tried {n}", "outcome": "avoid"}}')
        for n in range(lessons)
    ]
    lines = []
    for role, text in replies:
        assert "'''" not in text
        lines.append(f"[[reply]]\nrole = \"{role}\"\ntext = '''\n{text}'''\n")
    path = place / "replies.toml"
    path.write_text("\n".join(lines))
    return path


def spec(place: Path) -> Path:
    """The spec's file."""
    path = place / "double.py"
    path.write_text(SPEC)
    return path


def options(place: Path, kernels: Sequence[str], **more: Any) -> dict[str, Any]:
    """What `geak.generate` is asked on this stage."""
    asked = {"model": f"scripted:{script(place, kernels)}", "judge": (JUDGE,), "rounds": 6, "out": place / "run"}
    return asked | more
