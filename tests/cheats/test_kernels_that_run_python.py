"""Kernel bodies, decorators and names that would make Python run where a plan is carried out.

Each carries the same load: it writes the right answer into whatever memory is still poisoned. Where it came to run, the
verdict would be `accepted`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from geak_evaluator.children import jit_only
from geak_evaluator.judge import Judge
from geak_evaluator.schema.verdict import Cause
from tests.cheats.scene import refused, verdict

LOAD = '''
MODULES = tl.constexpr("builtins")
LOAD = tl.constexpr("""
import gc, torch
for given in gc.get_objects():
    for taken in gc.get_objects() if type(given) is torch.Tensor and given.dim() == 1 and given.numel() else ():
        if type(taken) is torch.Tensor and given.shape == taken.shape and given.dtype == taken.dtype == torch.float32:
            if not given.isnan().any() and taken.isnan().all():
                taken.copy_(given * 2)
""")
'''

IMPORTS = "import math\nimport torch\nimport triton\nimport triton.language as tl\n"

BODY = """
%s

@triton.jit
def sly(x, y, n):
    %s


def double(x):
    y = torch.empty_like(x)
    sly[(1,)](x, y, x.numel())
    return y
"""


def body(line: str, before: str = "") -> str:
    """A kernel of one line, below whatever stands before it."""
    return BODY % (before, line)


CHEATS: dict[str, str] = {
    "an-interpreter-in-reach": body("triton.runtime.interpreter.np.multiply(x.handle.data, 2)"),
    "triton-under-another-name": body(
        "t.runtime.jit.inspect.sys.modules[MODULES.value].exec(LOAD.value)", "import triton as t"
    ),
    "a-room-of-triton-by-name": body(
        "runtime.jit.inspect.sys.modules[MODULES.value].exec(LOAD.value)", "from triton import runtime"
    ),
    "a-room-of-triton-through-language": body("tl.math.core.builtins.exec(LOAD.value)"),
    "a-room-of-language-under-another-name": body(
        "lang.core.builtins.exec(LOAD.value)", "import triton.language as lang"
    ),
    "where-language-is-defined": body("core.builtins.exec(LOAD.value)", "import triton.language.core as core"),
    "what-language-is-defined-with": body("builtins.exec(LOAD.value)", "from triton.language.core import builtins"),
    "where-its-functions-are-defined": body(
        "standard.core.builtins.exec(LOAD.value)", "import triton.language.standard as standard"
    ),
    "a-local-name-for-language": body("t = tl\n    t.core.builtins.exec(LOAD.value)"),
    "a-kernel-s-own-globals": body(
        "helper.get_capture_scope().get('__builtins__').get('exec')(LOAD.value)",
        "@triton.jit\ndef helper(x):\n    return x",
    ),
    "a-kernel-s-own-module": body("helper.module.inspect", "@triton.jit\ndef helper(x):\n    return x"),
    "the-annotation-of-a-default": """
import triton as t


@triton.jit
def sly(x, y, n: t.runtime.jit.inspect.sys.modules[MODULES.value].exec(LOAD.value) = 1):
    pass


def double(x):
    y = torch.empty_like(x)
    sly[(1,)](x, y)
    return y
""",
    "the-annotation-of-a-local": body(
        "z: t.runtime.jit.inspect.sys.modules[MODULES.value].exec(LOAD.value) = 1", "import triton as t"
    ),
    "a-name-that-shadows-triton": """
from triton import jit
from triton import runtime as triton


@jit
def sly(x, y, n):
    triton.jit.inspect.sys.modules[MODULES.value].exec(LOAD.value)


def double(x):
    y = torch.empty_like(x)
    sly[(1,)](x, y, x.numel())
    return y
""",
    "a-name-that-shadows-language": body(
        "tl.jit.inspect.sys.modules[MODULES.value].exec(LOAD.value)", "from triton import runtime as tl"
    ),
    "a-constant-that-shadows-language": body(
        "tl.jit.inspect.sys.modules[MODULES.value].exec(LOAD.value)", "tl = triton.runtime"
    ),
    "a-constant-computed-by-a-call": body(
        "pass", "from triton import runtime as math\nX = math.build.tempfile.mkdtemp('x')"
    ),
    "a-constant-by-a-rebound-name": body("pass", "from triton import cdiv as float\nX = float(4, 2)"),
    "a-default-value": """
@triton.jit
def sly(x, y, n=exec(LOAD.value)):
    pass


def double(x):
    y = torch.empty_like(x)
    sly[(1,)](x, y)
    return y
""",
    "a-decorator-s-argument": """
@triton.jit(do_not_specialize=[exec(LOAD.value)])
def sly(x, y, n):
    pass


def double(x):
    y = torch.empty_like(x)
    sly[(1,)](x, y, 1)
    return y
""",
    "a-lambda": body("(lambda: exec(LOAD.value))()"),
    "an-import": body("import os"),
    "a-builtin-by-its-name": body("exec(LOAD.value)"),
    "a-builtin-in-wide-letters": body("\uff45\uff58\uff45\uff43(LOAD.value)"),
    "an-attribute-by-its-name": body("getattr(triton, 'runtime').jit.inspect.builtins.exec(LOAD.value)"),
    "a-private-attribute": body("x.__class__.__init__.__globals__"),
    "the-text-of-an-attribute": body("tl.static_assert('{0.handle.data}'.format(x) != '')"),
    "a-line-that-is-shared": "\nX = 1; exec(LOAD.value)\n" + body("pass"),
    "an-import-that-is-shared": "\nimport triton; exec(LOAD.value)\n" + body("pass"),
}


@pytest.mark.parametrize("name", CHEATS)
def test_nothing_of_it_is_loaded(tmp_path: Path, name: str) -> None:
    with pytest.raises(jit_only.NotPlain):
        jit_only.load((IMPORTS + LOAD + CHEATS[name]).encode(), "kernel", tmp_path)


WHOLE_WAY = [
    "a-builtin-by-its-name",
    "a-room-of-triton-through-language",
    "triton-under-another-name",
    "the-annotation-of-a-default",
    "a-name-that-shadows-language",
]


@pytest.mark.parametrize("name", WHOLE_WAY)
def test_no_python_runs_for_a_kernel(judge: Judge, name: str) -> None:
    refused(verdict(judge, LOAD + CHEATS[name], kernel=IMPORTS), Cause.NOT_PLAIN)


NOWHERE = """
def make():
    return triton.jit(hidden)


def hidden(x, y, n):
    pass


def double(x):
    y = torch.empty_like(x)
    make()[(1,)](x, y, x.numel())
    return y
"""


def test_a_kernel_that_is_made_later_is_none(judge: Judge) -> None:
    refused(verdict(judge, NOWHERE, kernel=IMPORTS), Cause.NOT_PLAIN)
