"""What a plan tells of a file's names: values as data, and never a way to anything but Triton's language."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
import triton.language as tl
from triton.language.extra import libdevice

from geak_evaluator.children import jit_only, jit_told
from geak_evaluator.schema.plan import Branch, Named, Plan

HEAD = "import torch\nimport triton\nimport triton.language as tl\n\n"


@pytest.mark.parametrize("value", [3, 2.5, True, None, "tanh", tl.float16, libdevice.tanh, tl.math, tl.sigmoid])
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    found = jit_told.told("", "name", value)
    assert found is not None
    assert jit_told.value(found) is value or jit_told.value(found) == value


def test_a_constant_comes_back_as_one() -> None:
    found = jit_told.told("", "name", tl.constexpr(7))
    assert found is not None
    assert jit_told.value(found).value == 7


@pytest.mark.parametrize(
    "value", [os, os.getcwd, torch, torch.finfo(torch.float32), tl.core, [1], "x" * 300, int, print]
)
def test_all_else_is_told_by_nobody(value: Any) -> None:
    assert jit_told.told("", "name", value) is None


@pytest.mark.parametrize("word", ["os.system", "builtins.eval", "triton.language.core.sys", "triton.runtime.jit", "tl"])
def test_a_word_that_is_none_of_tritons_is_not_found(word: str) -> None:
    with pytest.raises(AttributeError):
        jit_told.value(Named("", "name", "word", text=word))


SOURCE = f"""{HEAD}
if wide():
    LANES = tl.constexpr(64)
else:
    LANES = tl.constexpr(32)
LIMIT = largest()


@triton.jit
def _inner(x, top: tl.constexpr = largest()):
    return tl.minimum(x, top + LIMIT)


@triton.jit
def kernel(x):
    at = x + tl.arange(0, LANES)
    tl.store(at, _inner(tl.load(at)))
"""


def test_a_kernel_is_read_with_what_its_plan_tells(tmp_path: Path) -> None:
    kernels = jit_only.take(SOURCE.encode(), "kernel", tmp_path, backend="hip")
    with pytest.raises(jit_only.NotPlain, match="kernel _inner: a default value that is no literal"):
        kernels.find("_inner")
    names = tuple(Named("", name, "number", 8) for name in ("LIMIT", "_inner(top)"))
    found = kernels.under(Plan((), branches=(Branch("", 6, False),), names=names))
    assert found.find("kernel") is found.own.kernel
    assert vars(found.own)["LANES"].value == 32
    assert vars(found.own)["LIMIT"] == 8
    assert found.own._inner.fn.__defaults__ == (8,)
    with pytest.raises(jit_only.NotPlain, match="kernel _inner names LIMIT, whose value is no literal"):
        kernels.under(Plan((), branches=(Branch("", 6, True),), names=names[1:])).find("kernel")
