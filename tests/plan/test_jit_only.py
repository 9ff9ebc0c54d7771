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
        ("x = tl.math.core", "tl.math.core"),
        ("tl.random.tl.knobs.subprocess.Popen('true')", "tl.random.tl"),
        ("x = tl.extra.pkgutil.importlib", "tl.extra.pkgutil"),
        ("x = tl.math.wraps", "tl.math.wraps"),
        ("x = triton.Config", "triton.Config"),
        ("helper(tl.math)", "the module tl.math as a value"),
        ("tl.core = 1", "tl.core"),
        ("a.preload('{}')", "preload"),
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
        "import triton.runtime as runtime",
        "from triton import runtime",
        "from triton import *",
        "from triton.language.core import sys",
        "from triton.language.core import extern_elementwise as runtime",
        "from triton.language.standard import _get_int_dtype as runtime",
        "from triton.language.extra import pkgutil as runtime",
        "try:\n    from triton import runtime\nexcept ImportError:\n    from triton.language import semantic as r",
        "try:\n    import triton\nexcept ImportError:\n    runtime = print('foreign')",
    ],
)
def test_only_a_few_of_tritons_modules_can_be_imported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    module = jit_only.load(f"import triton\n{line}\n".encode(), "kernel", tmp_path)
    assert {name for name in vars(module) if not name.startswith("__")} == {"triton"}
    assert capsys.readouterr().out == ""


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


HELPED = {
    "from pkg.helper import double as twice": "twice(x)",
    "import pkg.helper": "pkg.helper.double(x)",
    "import pkg.helper as h": "h.double(x)",
    "from pkg import helper": "helper.double(x)",
    "from pkg import double": "double(x)",
}


@pytest.mark.parametrize("line", HELPED)
def test_a_helper_is_found_however_it_is_imported(tmp_path: Path, line: str) -> None:
    package = tmp_path / "project" / "pkg"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from .helper import double\n")
    (package / "helper.py").write_text(
        "import triton\nfrom . import helper\n\n@triton.jit\ndef double(x):\n    return x * 2\n"
    )
    body = f"import triton\n{line}\n\n@triton.jit\ndef kernel(x):\n    {HELPED[line]}\n"
    kernels = jit_only.take(body.encode(), "kernel", tmp_path, str(tmp_path / "project"))
    assert kernels.find("kernel").fn.__module__ == "kernel"
    assert kernels.find("double", "pkg.helper") is kernels.helpers["pkg.helper"].double


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("SIZE = os.getpid()", "kernel kernel names SIZE, whose value is no literal"),
        ("def SIZE():\n    return 4", "names SIZE, which is a plain Python function"),
        ("class SIZE:\n    pass", "names SIZE, which is a plain Python class"),
        ("if os:\n    SIZE = 4\nelse:\n    SIZE = 5", "names SIZE, whose value is no literal"),
    ],
)
def test_what_a_kernel_needs_and_was_not_kept_is_named(tmp_path: Path, line: str, sentence: str) -> None:
    kernel = "@triton.jit\ndef inner(x):\n    return x\n\n@triton.jit\ndef kernel(x):\n    tl.store(x, inner(SIZE))\n"
    source = f"import os\nimport triton\nimport triton.language as tl\n\n{line}\n\n{kernel}"
    kernels = jit_only.take(source.encode(), "kernel", tmp_path)
    assert kernels.find("inner").arg_names == ["x"]
    with pytest.raises(jit_only.NotPlain, match=sentence) as caught:
        kernels.find("kernel")
    assert caught.value.line == 5


def test_what_is_for_profilers_is_not_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = "import triton\n\n@triton.jit(repr=print('x'), noinline=True)\ndef kernel(a):\n    pass\n"
    module = jit_only.load(source.encode(), "kernel", tmp_path)
    assert module.kernel.noinline
    assert capsys.readouterr().out == ""


def test_defaults_may_be_constants_and_functions(tmp_path: Path) -> None:
    source = (
        "import triton\nN = 2 * 8\n\n@triton.jit\ndef f(x):\n    return x\n\n"
        "@triton.jit\ndef kernel(a, n=N, op=f):\n    pass\n"
    )
    module = jit_only.load(source.encode(), "kernel", tmp_path)
    assert [p.default for p in module.kernel.signature.parameters.values()][1:] == [16, module.f]


@pytest.mark.parametrize(
    ("text", "value"),
    [("X = 1 << 5", 32), ("X = 2**-3", 0.125), ("A, X = 3, 4 if 3 > 2 else 5", 4), ("X = triton.cdiv(9, 2)", 5)],
)
def test_constants_are_computed(tmp_path: Path, text: str, value: float) -> None:
    assert value == jit_only.load(f"import triton\n{text}\n".encode(), "kernel", tmp_path).X


@pytest.mark.parametrize(
    "value",
    ["(2 ** 9) ** 9", "2 ** 10 ** 10", "1 << 10 ** 10", "open('x')", "[i for i in range(9)]", "math.factorial(10**9)"],
)
def test_constants_are_literals_and_cheap(tmp_path: Path, value: str) -> None:
    module = jit_only.load(f"import math\nX = {value}\n".encode(), "kernel", tmp_path)
    assert not hasattr(module, "X")


@pytest.mark.parametrize("end", ["\x0c", "\x1c", "\x85", "\u2028"])
def test_lines_end_where_python_ends_them(tmp_path: Path, end: str) -> None:
    hidden = "@triton.jit\ndef kernel(x):\n    tl.store(x, 1)\n"
    source = f"import triton\nimport triton.language as tl\nTEXT = 'a{end}b{end}c{end}d'\n\n{hidden}"
    module = jit_only.load(source.encode(), "kernel", tmp_path)
    assert module.kernel.src.startswith("def kernel(x):\n    tl.store(x, 1)")


def test_what_kernels_commonly_name_is_allowed(tmp_path: Path) -> None:
    source = """
import math

import triton
import triton.language as tl
from triton.language.extra import libdevice
from triton.language import exp as e

LOG2E = tl.constexpr(math.log2(math.e))


@triton.jit
def helper(x, KIND: tl.constexpr = "gelu"):
    return libdevice.tanh(x) if KIND.value.startswith("g") else tl.math.exp2(x * LOG2E)


@triton.jit
def kernel(x, n, step: int = 1, T: tl.constexpr = tl.float32, B: tl.constexpr = 64):
    tl.static_assert(B % 16 == 0, f"{B}")
    at = tl.arange(0, B)
    value = tl.load(x + at, mask=at < n).to(x.dtype.element_ty)
    value = helper(e(value)).to(tl.float32) + triton.cdiv(n, B) + tl.extra.libdevice.floor(value)
    tl.store(x + at, value.to(T).T, mask=at < triton.next_power_of_2(B))
    tl.store(x, tl.rand(0, at), mask=at < value.shape[0])
"""
    assert hasattr(jit_only.load(source.encode(), "kernel", tmp_path), "kernel")


WRAPPED = """
import triton
import triton.language as tl
{line}

@triton.jit
def kernel(x, out, BLOCK: tl.constexpr):
    tl.store(out, {body}(tl.load(x + tl.arange(0, BLOCK)), 0))


def max(x):
    return x
"""


def test_a_wrapper_may_be_called_as_one_of_pythons_own_functions(tmp_path: Path) -> None:
    source = WRAPPED.format(line="", body="tl.max")
    assert jit_only.take(source.encode(), "kernel", tmp_path).find("kernel").arg_names == ["x", "out", "BLOCK"]


@pytest.mark.parametrize(
    ("line", "body", "sentence"),
    [
        ("", "max", "kernel kernel names max, which is a plain Python function"),
        ("SIZE = max(3, 4)", "tl.max", "the name max is given another meaning"),
        ("from elsewhere import max", "tl.max", "the name max is given another meaning"),
        (
            "try:\n    from elsewhere import max\nexcept ImportError:\n    pass",
            "tl.max",
            "the name max is given another",
        ),
    ],
)
def test_and_none_is_taken_for_pythons_own(tmp_path: Path, line: str, body: str, sentence: str) -> None:
    source = WRAPPED.format(line=line, body=body)
    with pytest.raises(jit_only.NotPlain, match=sentence):
        jit_only.take(source.encode(), "kernel", tmp_path).find("kernel")


NESTED = """
try:
    from triton.language.extra.cuda.libdevice import pow as _pow
except ImportError:
    try:
        from triton.language.math import pow as _pow
    except ImportError:
        from triton.language.libdevice import pow as _pow
"""


def test_an_import_may_have_several_places_to_come_from(tmp_path: Path) -> None:
    source = WRAPPED.format(line=NESTED, body="_pow")
    kernels = jit_only.take(source.encode(), "kernel", tmp_path)
    assert kernels.find("kernel").fn.__globals__["_pow"].__module__ == "triton.language.extra.cuda.libdevice"


@pytest.mark.parametrize("side", ["cuda", "hip"])
def test_a_vendors_library_may_be_called_by_its_full_name(tmp_path: Path, side: str) -> None:
    source = WRAPPED.format(line="", body=f"tl.extra.{side}.libdevice.pow")
    assert jit_only.take(source.encode(), "kernel", tmp_path).find("kernel")


@pytest.mark.parametrize(
    ("line", "body"),
    [
        ("import triton.language.core as core", "core.static_range"),
        ("from triton.language import core", "core.reshape"),
        ("from triton.language.core import constexpr", "constexpr"),
        ("from triton.language.standard import _log2, zeros_like", "_log2"),
        ("", "tl.standard.zeros_like"),
    ],
)
def test_words_of_the_language_go_by_where_they_are_defined_too(tmp_path: Path, line: str, body: str) -> None:
    assert jit_only.take(WRAPPED.format(line=line, body=body).encode(), "kernel", tmp_path).find("kernel")


@pytest.mark.parametrize("word", ["extern_elementwise", "builtin", "dispatch", "inspect", "_unwrap_if_constexpr"])
def test_what_the_language_does_not_hand_on_stays_where_it_is_defined(tmp_path: Path, word: str) -> None:
    source = WRAPPED.format(line="import triton.language.core as core", body=f"core.{word}")
    with pytest.raises(jit_only.NotPlain, match=f"core.{word}"):
        jit_only.load(source.encode(), "kernel", tmp_path)


HEAD = "import torch\nimport triton\nimport triton.language as tl\nfrom triton.language.extra import libdevice\n\n"
BRANCHES = f"""{HEAD}
IS_HIP = hasattr(torch.version, "hip") and torch.version.hip is not None
if IS_HIP:
    # one of AMD's
    WIDTH = 64

    @triton.jit
    def rounded(x):
        return tl.extra.hip.libdevice.round(x)

elif torch.version.cuda:
    WIDTH = 32

    @triton.jit
    def rounded(x):
        return tl.extra.cuda.libdevice.round(x)


try:
    uniform = tl.no_such_thing
except AttributeError:

    @triton.jit
    def uniform(x):
        return x * 2


try:
    tanh = libdevice.tanh
except AttributeError:
    tanh = None


@triton.jit
def kernel(x):
    tl.store(x, tanh(uniform(rounded(tl.load(x)))))
"""


@pytest.mark.parametrize(("backend", "width", "word"), [("hip", 64, "hip.libdevice"), ("cuda", 32, "cuda.libdevice")])
def test_of_a_branch_what_the_target_takes_is_kept(tmp_path: Path, backend: str, width: int, word: str) -> None:
    kernels = jit_only.take(BRANCHES.encode(), "kernel", tmp_path, backend=backend)
    assert kernels.find("kernel") is kernels.own.kernel
    assert vars(kernels.own)["WIDTH"] == width
    assert word in kernels.own.rounded.src
    assert kernels.own.rounded.src.startswith("def rounded")
    assert kernels.own.uniform.src.startswith("def uniform")
    at = BRANCHES[: BRANCHES.index(f"tl.extra.{word}.round")].count("\n") + 1
    assert kernels.own.rounded.fn.__code__.co_firstlineno == at - 2  # with its decorator


@pytest.mark.parametrize(
    "branch",
    [
        "if print('foreign'):\n    SIZE = 1\n",
        "if torch.cuda.is_available():\n    SIZE = 1\nelse:\n    SIZE = 2\n",
        "if torch.version.hip: SIZE = 1\n",
        "if torch.version.hip.startswith('6'):\n    SIZE = 1\n",
        "try:\n    SIZE = print('foreign')\nexcept AttributeError:\n    SIZE = 1\n",
        "try:\n    SIZE = torch.cuda\nexcept AttributeError:\n    SIZE = 1\n",
        "try:\n    SIZE = tl.core.sys\nexcept AttributeError:\n    SIZE = 1\n",
    ],
)
def test_nothing_of_a_branch_that_cannot_be_told_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], branch: str
) -> None:
    source = f"{HEAD}{branch}\n@triton.jit\ndef kernel(x):\n    tl.store(x, SIZE)\n"
    kernels = jit_only.take(source.encode(), "kernel", tmp_path, backend="hip")
    assert not hasattr(kernels.own, "SIZE")
    with pytest.raises(jit_only.NotPlain, match="names SIZE"):
        kernels.find("kernel")
    assert capsys.readouterr().out == ""


def test_code_beside_what_a_branch_keeps_does_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    branch = "if torch.version.hip:\n    print('foreign')\n    SIZE = 1; print('foreign')\n"
    with pytest.raises(jit_only.NotPlain, match="shares its line"):
        jit_only.take(f"{HEAD}{branch}".encode(), "kernel", tmp_path, backend="hip")
    jit_only.take(f"{HEAD}{branch.replace('; print', '#')}".encode(), "kernel", tmp_path, backend="hip")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "line",
    ["from torch._inductor.runtime import triton_helpers as th", "import torch._inductor.runtime.triton_helpers as th"],
)
def test_kernels_of_torchs_own_may_be_called(tmp_path: Path, line: str) -> None:
    source = f"{HEAD}{line}\nfrom torch._inductor.runtime.triton_helpers import libdevice, set_driver_to_cpu\n\n"
    body = (
        "@triton.jit\ndef kernel(x, n):\n    tl.store(x, libdevice.rsqrt(th.max2(tl.load(x + tl.arange(0, 4)), 0)))\n"
    )
    kernels = jit_only.take(f"{source}{body}".encode(), "kernel", tmp_path)
    assert kernels.find("kernel") is kernels.own.kernel
    assert not hasattr(kernels.own, "set_driver_to_cpu")
    for foreign in ("th.set_driver_to_cpu()", "th.warnings.warn(1)", "th.get_constexprs(1)"):
        with pytest.raises(jit_only.NotPlain, match=r"th\."):
            jit_only.load(f"{source}@triton.jit\ndef kernel(x):\n    {foreign}\n".encode(), "kernel", tmp_path)


def test_a_default_may_be_a_constant_of_tritons_own(tmp_path: Path) -> None:
    defaults = "a: tl.constexpr = tl.core.CONSTEXPR_0, b: core.constexpr = core.CONSTEXPR_0"
    head = f"{HEAD}from triton.language import core\n\n"
    kernels = jit_only.take(f"{head}@triton.jit\ndef kernel(x, {defaults}):\n    pass\n".encode(), "kernel", tmp_path)
    assert [found.value for found in kernels.find("kernel").fn.__defaults__] == [0, 0]
    for foreign in ("core.sys", "tl.core.sys", "tl.core.load"):
        refused = jit_only.take(
            f"{head}@triton.jit\ndef kernel(x, a={foreign}):\n    pass\n".encode(), "kernel", tmp_path
        )
        with pytest.raises(jit_only.NotPlain, match="no literal"):
            refused.find("kernel")


def test_what_comes_from_elsewhere_is_named_with_its_home(tmp_path: Path) -> None:
    source = f"{HEAD}from somewhere.else_ import helper\n\n@triton.jit\ndef kernel(x):\n    helper(x)\n"
    kernels = jit_only.take(source.encode(), "kernel", tmp_path)
    with pytest.raises(
        jit_only.NotPlain, match=r"names helper, which is imported from somewhere\.else_, neither Triton's"
    ):
        kernels.find("kernel")


ODD = f"""{HEAD}
@triton.jit
def odd(x):
    open(x)


@triton.jit
def calls(x):
    odd(x)


@triton.jit
def given(x, f=odd):
    f(x)


@triton.jit
def kernel(x):
    tl.store(x, 1)
"""


def test_a_kernel_that_may_not_be_run_is_in_nobodys_way(tmp_path: Path) -> None:
    kernels = jit_only.take(ODD.encode(), "kernel", tmp_path)
    assert kernels.find("kernel") is kernels.own.kernel
    for name in ("odd", "calls", "given"):
        with pytest.raises(jit_only.NotPlain, match="kernel odd: the name open inside a kernel"):
            kernels.find(name)


def test_nor_is_one_in_a_file_of_the_project(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "odd.py").write_text(ODD)
    (project / "strange.py").write_text("import triton\n\nif True: print(1)\nSIZE = 1; print(1)\n")
    source = "import triton\nfrom odd import kernel, odd\nfrom strange import SIZE\n"
    own = "\n@triton.jit\ndef own(x):\n    kernel(x)\n\n\n@triton.jit\ndef bad(x):\n    odd(x + SIZE)\n"
    kernels = jit_only.take(f"{source}{own}".encode(), "kernel", tmp_path, str(project))
    assert kernels.find("own") is kernels.own.own
    assert kernels.find("kernel", "odd") is kernels.helpers["odd"].kernel
    for name, module in (("bad", ""), ("odd", "odd"), ("SIZE", "strange")):
        with pytest.raises(jit_only.NotPlain, match=r"in (odd|strange)\.py: "):
            kernels.find(name, module)
