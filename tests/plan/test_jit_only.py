"""What a replay loads of a kernel file: its kernels and nothing that Python would run for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from geak_evaluator.children import jit_only

PLAIN = '''"""A kernel file."""

import os
import math
import torch
import triton
import triton.language as tl
from triton.language import exp

print("foreign code runs")
SIZE: tl.constexpr = 64
LOG2E = math.log2(math.e)
PATH = os.getcwd()
TABLE = {"a": 1}


@triton.autotune(configs=[], key=["n"])
@triton.heuristics({"EVEN": lambda args: True})
@triton.jit
def kernel(x, n, factor=1.5, BLOCK: tl.constexpr = 64):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(x + at, exp(tl.load(x + at, mask=at < n)) * factor, mask=at < n)


def wrapper(x):
    kernel[(1,)](x, x.numel())
    return torch.softmax(x, -1)
'''


def test_only_kernels_constants_and_triton_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = jit_only.load(PLAIN.encode(), "kernel", tmp_path)
    names = {name for name in vars(module) if not name.startswith("__")}
    assert names == {"math", "triton", "tl", "exp", "SIZE", "LOG2E", "kernel"}
    assert capsys.readouterr().out == ""
    assert type(module.kernel).__name__ == "JITFunction"


def test_lines_keep_their_numbers(tmp_path: Path) -> None:
    module = jit_only.load(PLAIN.encode(), "kernel", tmp_path)
    assert module.kernel.fn.__code__.co_firstlineno == PLAIN[: PLAIN.index("@triton.jit")].count("\n") + 1


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("x = getattr(tl, 'core')", "getattr"),
        ("x = tl.core.sys", "tl.core"),
        ("x = triton.runtime.interpreter.np", "triton.runtime"),
        ("x = a.handle.data", "handle"),
        ("x = a.__class__", "__class__"),
        ("x = tl.load._semantic", "_semantic"),
        ("f = lambda: 1", "lambda"),
        ("import os", "import"),
        ("x = eval('1')", "eval"),
        ("x = __import__('os')", "__import__"),
    ],
)
def test_a_kernel_that_reaches_for_python_is_refused(tmp_path: Path, body: str, sentence: str) -> None:
    source = f"import triton\nimport triton.language as tl\n\n@triton.jit\ndef kernel(a):\n    {body}\n"
    with pytest.raises(jit_only.NotPlain, match=sentence) as caught:
        jit_only.load(source.encode(), "kernel", tmp_path)
    assert caught.value.line == 6


@pytest.mark.parametrize(
    "line",
    [
        "@triton.jit\ndef kernel(a, b=print('x')):\n    pass\n",
        "@triton.jit(version=print('x'))\ndef kernel(a):\n    pass\n",
        "import triton; print('x')\n",
        "SIZE = 64; print('x')\n",
    ],
)
def test_code_that_would_run_at_definition_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    source = f"import triton\nimport triton.language as tl\n\n{line}"
    with pytest.raises(jit_only.NotPlain):
        jit_only.load(source.encode(), "kernel", tmp_path)
    assert capsys.readouterr().out == ""


def test_annotations_are_not_evaluated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = "import triton\n\n@triton.jit\ndef kernel(a: print('x'), B: 'tl.constexpr'):\n    pass\n"
    jit_only.load(source.encode(), "kernel", tmp_path)
    assert capsys.readouterr().out == ""


def test_kernels_of_a_project_come_along_as_kernels_alone(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "pkg").mkdir(parents=True)
    (project / "pkg" / "__init__.py").touch()
    (project / "pkg" / "helper.py").write_text(
        "import triton\nprint('foreign')\nSCALE = 2.0\n\n@triton.jit\ndef double(x):\n    return x * SCALE\n\n"
        "def plain(x):\n    return x\n"
    )
    source = (
        "import triton\nfrom pkg.helper import double, plain, SCALE\n\n@triton.jit\ndef kernel(x):\n    double(x)\n"
    )
    module = jit_only.load(source.encode(), "kernel", tmp_path, str(project))
    assert type(module.double).__name__ == "JITFunction"
    assert module.SCALE == 2.0
    assert not hasattr(module, "plain")


@pytest.mark.parametrize(
    "value", ["2 ** 10 ** 10", "1 << 10 ** 10", "open('x')", "[i for i in range(9)]", "math.factorial(10**9)"]
)
def test_constants_are_literals_and_cheap(tmp_path: Path, value: str) -> None:
    module = jit_only.load(f"import math\nX = {value}\n".encode(), "kernel", tmp_path)
    assert not hasattr(module, "X")
