import json
import re

import pytest

from geak.specs import shipped
from geak_evaluator.schema import codec
from geak_evaluator.schema.verdict import Cause, Status, Verdict

SPEC = '''"""Twice each element."""
from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"N": Axis(choices=(70,))},
    inputs={"x": Tensor("N")},
    outputs=Tensor("N"),
    cases=[{"N": 70}],
)


def reference(x):
    return x * 2
'''
KERNEL = """import torch
import triton
import triton.language as tl


@triton.jit
def _twice(x, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    value = tl.load(x + at, mask=at < n)
    tl.store(y + at, value * 2, mask=at < n)


def twice(x):
    y = torch.empty_like(x)
    _twice[(2,)](x, y, x.numel(), BLOCK=64)
    return y
"""
ASM = 'tl.inline_asm_elementwise("v_mov_b32 $0, $1", "=v,v", [value], dtype=tl.float32, is_pure=True, pack=1)'

NEEDS_GPU = "inline assembly cannot be run here; needs a GPU: 'v_mov_b32 $0, $1'"


@pytest.fixture
def files(tmp_path):
    """A spec and a kernel for it, the kernel with something replaced."""

    def make(old: str = "", new: str = ""):
        spec, kernel = tmp_path / "twice.py", tmp_path / "kernel.py"
        spec.write_text(SPEC)
        assert old in KERNEL
        kernel.write_text(KERNEL.replace(old, new) if old else KERNEL)
        return spec, kernel

    return make


def test_a_kernel_is_accepted(geak, files):
    found = geak("eval", *files())
    assert (found.code, found.err) == (0, "")
    line, *more = found.out.splitlines()
    assert re.fullmatch(
        r"ACCEPTED twice  proved by interpreter, \d+ cases  compiles for gfx942 \(\d+ VGPR, occupancy 8\), sm_90", line
    )
    assert "  oracle float64, policy pure, sandbox" in more[0]
    assert len(more) <= 8


def test_a_kernel_of_a_shipped_spec_is_accepted_by_name(geak):
    found = geak("eval", "add_clamp", shipped() / "kernels" / "embedding.py")
    assert found.code == 1
    assert found.out.startswith("REJECTED add_clamp  it defines no add_clamp [")


@pytest.mark.parametrize("target", ["sm_90", "H100", "h100"])
def test_a_target_is_named_by_architecture_or_product(geak, files, target):
    found = geak("eval", *files(), "--target", target)
    assert found.code == 0
    assert "for sm_90" in found.out


@pytest.mark.parametrize(
    ("old", "new", "code", "words"),
    [
        ("value * 2", "value * 3", 1, ("REJECTED twice  wrong at [0]: got ", "70 of 70 elements", "[N=70]")),
        ("def twice", "def once", 1, ("REJECTED twice  it defines no twice",)),
        ("value * 2", f"{ASM} * 2", 6, (f"UNDECIDED twice  {NEEDS_GPU} (kernel _twice, line 10)",)),
        ("value * 2", f"{ASM.replace('=v,v', '=f,f')} * 2", 1, ("does not compile for gfx942: kernel _twice: LLVM: ",)),
        ("import torch\n", "import torch\nimport nothing_such\n", 1, ("(line 2)", "No module named 'nothing_such'")),
    ],
)
def test_the_exit_code_is_the_verdict_s(geak, files, old, new, code, words):
    found = geak("eval", *files(old, new))
    assert (found.code, found.err) == (code, "")
    assert all(word in found.out for word in words), found.out


@pytest.mark.parametrize(
    ("old", "new", "status", "cause"),
    [
        ("", "", Status.ACCEPTED, None),
        ("value * 2", "value * 3", Status.REJECTED, Cause.WRONG_VALUES),
        ("    return y", "    raise ValueError('\\x1b[31m \\ud800')", Status.REJECTED, Cause.RAISED),
    ],
)
def test_json_is_one_object_and_nothing_else(geak, files, old, new, status, cause):
    found = geak("eval", *files(old, new), "--json")
    verdict = codec.from_json(Verdict, json.loads(found.out))
    assert found.out.count("\n") == 1
    assert found.err == ""
    assert verdict.status is status
    assert (verdict.failure.cause if verdict.failure else None) is cause


def test_what_it_printed_is_shown_without_its_terminal_escapes(geak, files):
    found = geak(
        "eval", *files("    return y", "    print('\\x1b[2J\\x07hello')\n    raise ValueError('\\x1b[31mred\\x9b')")
    )
    assert found.code == 1
    assert "ValueError: �[31mred�" in found.out
    assert "  it printed:\n  | �[2J�hello\n" in found.out
    assert not any(c in found.out for c in "\x1b\x07\x9b")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("sofmax", "kernel.py"),
            "there is no spec 'sofmax': no such file, and none of that name ships; did you mean softmax?",
        ),
        (("softmax", "nowhere.py"), "nowhere.py: no such file or directory"),
        (("softmax", "."), "is a folder; a Python file is wanted"),
        (("twice.py", "kernel.py", "-t", "gfx9000"), "there is no target 'gfx9000'; there are gfx942, gfx950"),
        (("twice.py", "kernel.py", "--against", "kernel.py"), "--against goes with --time"),
        (("twice.py", "kernel.py", "--seconds", "5"), "--seconds goes with --time"),
        (("twice.py", "kernel.py", "--jobs", "2"), "--jobs goes with --kernels"),
        (("broken.py", "kernel.py"), "broken.py: its `spec` is a int"),
    ],
)
def test_what_cannot_be_meant_is_told_in_a_sentence(geak, files, tmp_path, monkeypatch, words, message):
    files()
    (tmp_path / "broken.py").write_text("spec = 3")
    monkeypatch.chdir(tmp_path)
    found = geak("eval", *words)
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith("error: ")
    assert message in found.err
    assert "Traceback" not in found.err


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the kernel file is empty"),
        (b"x = '\xff'", "line 1"),
        (b"x = 1\0", "null bytes"),
        (b"#" * (10 << 20), "the kernel file is over 1 MiB"),
    ],
)
def test_any_bytes_are_a_verdict(geak, files, data, message):
    spec, kernel = files()
    kernel.write_bytes(data)
    found = geak("eval", spec, kernel)
    assert (found.code, found.err) == (1, "")
    assert message in found.out


def test_any_bytes_are_no_spec(geak, files):
    spec, kernel = files()
    for data, message in ((b"x = '\xff'", "line 1"), (b"#" * (10 << 20), "over 1 MiB"), (b"", "is empty")):
        spec.write_bytes(data)
        found = geak("eval", spec, kernel)
        assert (found.code, found.out) == (2, "")
        assert message in found.err
