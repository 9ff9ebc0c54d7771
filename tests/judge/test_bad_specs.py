"""A spec that cannot be used: a sentence for its author, with the file and, where it is known, the line."""

import re
from pathlib import Path

import pytest
from trial import KERNEL, SPEC, a_spec, changed, verdict_on

from geak_evaluator.judge import Judge
from geak_evaluator.oracle import SpecFile, SpecProblem
from geak_evaluator.sandbox.policy import Limits

pytestmark = pytest.mark.usefixtures("described_afterwards")

PATH = Path("/specs/scale.py")


def problem(judge, spec: str | bytes, path: Path = PATH) -> str:
    """What is said when a kernel is to be judged by it."""
    data = spec.encode() if isinstance(spec, str) else spec
    with pytest.raises(SpecProblem) as caught:
        judge.evaluate(SpecFile(path, data), KERNEL.encode())
    text = str(caught.value)
    assert text.startswith(str(path)), text
    assert "Traceback" not in text
    return text


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"", "/specs/scale.py: scale.py is empty; a spec is a Python file"),
        (b"spec = (", "/specs/scale.py: scale.py, line 1: '(' was never closed: a spec must be Python"),
        (b"x = 1\0", "null bytes"),
        (b"x = '\xff'", "utf-8"),
        (b"#" * (10 << 20), "over 1 MiB; a spec is a Python file"),
        (b"x = 1", "it defines no `spec`; a spec file says spec = Spec(axes=..., inputs=..., cases=...)"),
        (b"spec = {'axes': {}}", "its `spec` is a dict; a spec file says spec = Spec("),
        (b"import nothing_such", "/specs/scale.py, line 1: ModuleNotFoundError: No module named 'nothing_such'"),
        (b"x = 1\n1 / 0", "/specs/scale.py, line 2: ZeroDivisionError: division by zero"),
        (b"\nraise SystemExit(3)", "/specs/scale.py, line 2: SystemExit: 3"),
        (b"\nraise KeyboardInterrupt", "/specs/scale.py, line 2: KeyboardInterrupt"),
        (b"import os\nos._exit(0)", "/specs/scale.py: its process died"),
        (b"while True: print('x' * 100000)", "/specs/scale.py: it printed without end"),
        (b"x = bytearray(1 << 45)", "/specs/scale.py, line 1: MemoryError"),
        (b"open('/etc/shadow')", "/specs/scale.py, line 1: PermissionError"),
        (b"open('/tmp/geak-escaped', 'w')", "/specs/scale.py, line 1: PermissionError"),
        (b"import socket\nsocket.create_connection(('127.0.0.1', 80))", "/specs/scale.py, line 2: "),
    ],
    ids=lambda value: repr(value[:30]) if isinstance(value, bytes) else "",
)
def test_a_file_that_is_no_spec(judge, source, message):
    assert message in problem(judge, source)
    assert not Path("/tmp/geak-escaped").exists()


def test_a_secret_beside_the_spec_cannot_be_read(judge, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("token-1234")
    told = problem(judge, f"raise ValueError(open({str(secret)!r}).read())", tmp_path / "scale.py")
    assert "token-1234" not in told
    assert "line 1: " in told


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (
            [("outputs=", "output=")],
            "line 5: TypeError: Spec.__init__() got an unexpected keyword argument 'output'; did",
        ),
        ([("outputs=", "output=")], "did you mean outputs?"),
        ([('Tensor("M, N")},', 'Tensor("M, N", type="fp16")},')], "'type'; did you mean dtype?"),
        ([("choices=(3,)", "choices=(3,), step=8")], "'step'; there are min, max, multiple_of, choices"),
        (
            [("inputs={", "axes={"), ('"x": Tensor("M, N")', '"x": Axis(1, 2)')],
            "SyntaxError: keyword argument repeated",
        ),
        ([("choices=(3,)", "64, 1")], "line 6: SpecError: an axis from 64 to 1 in steps of 1 holds no size"),
        ([('Tensor("M, N")}', 'Tensor("M N")}')], "ExprError: '(M N,)' is not an expression"),
        (
            [('Tensor("M, N")}', 'Tensor("M, N", fill="gauss")}')],
            "SpecError: there is no fill 'gauss'; there are normal",
        ),
        ([('Tensor("M, N")}', 'Tensor("M, n")}')], "input x: no axis is named n; did you mean N?"),
        ([('Tensor("M, N")}', 'Tensor("M, N", "float32")}')], "input x: 'float32' is no number format; there are fp64"),
        ([('"M": 3, "N": 70', '"M": 3')], "case 1 (M=3) does not say how large N is"),
        ([('"M": 3, "N": 70', '"M": 3, "N": 7000')], "case 1 (M=3, N=7000) has N=7000, outside 70"),
        ([('[{"M": 3, "N": 70}]', "[]")], "there are no cases: cases=[{...}] says which sizes are run"),
        ([('[{"M": 3, "N": 70}]', "5")], "TypeError: 'int' object is not iterable"),
        (
            [('outputs=Tensor("M, N")', 'outputs="M, N"')],
            "$.spec.outputs: expected Tensor or tuple or dict or None, got str",
        ),
        (
            [('outputs=Tensor("M, N")', 'contract="kernel"')],
            "line 5: SpecError: there is no contract 'kernel'; there are function, ",
        ),
        ([('outputs=Tensor("M, N")', "entry=5")], "$.spec.entry: expected str, got int"),
        (
            [('"""Twice each element, plus one."""', "")],
            "the file has no docstring: its first line says what is wanted",
        ),
        ([("def reference(x):", "def reference(y):")], "reference takes y, which no input declares"),
        ([("def reference(x):", "def reference(x, bias):")], "reference takes bias, which no input declares"),
        ([("def reference(x):", "def reference():")], "reference does not take x, declared as input"),
        ([("def reference(x):", "def reference(*x):")], "`reference` takes *x; it must name its arguments"),
        ([("def reference(x):", "def expected(x):")], "it defines no `reference`, which says what is right"),
        ([("def reference(x):", "reference = 5\ndef f(x):")], "it defines no `reference`, which says what is right"),
        (
            [('outputs=Tensor("M, N")', 'project="../nowhere"')],
            "project '../nowhere' is not there: nothing lies at /nowhere",
        ),
        ([('outputs=Tensor("M, N")', 'where="M > N"')], "case 1 (M=3, N=70) breaks the relation M > N"),
    ],
)
def test_a_declaration_that_cannot_be_meant(judge, pairs, message):
    assert message in problem(judge, changed(SPEC, *pairs))


def test_several_faults_are_told_at_once(judge):
    told = problem(judge, changed(SPEC, ('Tensor("M, N")}', 'Tensor("P, Q")}'), ('"N": 70', '"N": 7000')))
    assert re.search(r"scale\.py:\n  input x: no axis is named P.*\n  input x: no axis is named Q", told)
    assert "\n  case 1 (M=3, N=7000) has N=7000" in told


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (changed(SPEC, ("x * 2 + 1", "x * 2 + y")), "line 14: case M=3, N=70: NameError: name 'y' is not defined"),
        (a_spec("def reference(x):\n    pass"), "reference returns no tensor and changes none, so there is nothing to"),
        (changed(SPEC, ("x * 2 + 1", "None")), "reference returns 0 tensors, and outputs declares 1"),
        (changed(SPEC, ("x * 2 + 1", "x, x")), "reference returns 2 tensors, and outputs declares 1"),
        (changed(SPEC, ("x * 2 + 1", "x.sum()")), "output 0 is declared as (3, 70), and reference returns ()"),
        (changed(SPEC, ("x * 2 + 1", "x.tolist()")), "reference returns a float at 0.0; it must return tensors"),
        (changed(SPEC, ("x * 2 + 1", "x.numpy()")), "reference returns a ndarray at 0; it must return tensors"),
        (
            changed(SPEC, ("x * 2 + 1", "(x * 2).int()")),
            "output 0 is declared as fp32, and reference returns torch.int32",
        ),
        (changed(SPEC, ("    return x", "    raise SystemExit\n    return x")), "line 14: case M=3, N=70: SystemExit"),
        (
            a_spec("def reference(x):\n    return x.to(torch.complex64)"),
            "output 0 is torch.complex64, which is no number",
        ),
        (
            a_spec("def reference(x):\n    return x.fill_diagonal_(0).unsqueeze_(0)", more='outputs=Tensor("M, N"),'),
            "(1, 3, 70)",
        ),
        (
            a_spec("def reference(x):\n    return x", inputs='{"x": Tensor("M, N", fill="permutation(N // 2)")}'),
            "x cannot be filled with permutation(N // 2): permutation(35) cannot fill a last dimension of 70",
        ),
        (
            a_spec(
                "def reference(x):\n    return x", more='contract="gradient", wrt="x", outputs=Tensor("M, N"),'
            ).replace("return x", "return x.detach()"),
            "no output depends on the inputs in wrt, so there is no gradient to compare",
        ),
        (
            a_spec(
                "class Reference:\n    def __init__(self): pass\n    def forward(self, x): return x",
                more='contract="module",',
            ),
            "Reference is no torch.nn.Module but makes a Reference",
        ),
    ],
)
def test_a_reference_that_does_not_do_what_is_declared(judge, spec, message):
    assert message in problem(judge, spec)


MAKES = a_spec("def reference(x):\n    return x\n\n\ndef make_inputs(case, rng):\n    ...")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return None", "make_inputs returns a NoneType; it must return a dict of the inputs it makes"),
        ("return {'y': 1}", "make_inputs makes y, which no input declares"),
        ("return {'x': 3}", "make_inputs makes x as a int; it must be a tensor"),
        ("return {'x': torch.zeros(2)}", "make_inputs makes x of shape (2,), and (3, 70) is declared"),
        ("return {'x': torch.zeros(case['K'])}", "KeyError: 'K'"),
        ("raise RuntimeError('no')", "RuntimeError: no"),
    ],
)
def test_make_inputs_that_makes_something_else(judge, body, message):
    assert message in problem(judge, changed(MAKES, ("    ...", f"    {body}")))


@pytest.mark.parametrize(
    "spec",
    [b"while True: pass", changed(SPEC, ("    return x", "    while True: pass\n    return x")).encode()],
    ids=["at import", "in the reference"],
)
def test_a_spec_that_hangs(box, spec):
    told = problem(Judge(box, limits=Limits(wall_s=5)), spec)
    assert told.endswith("it did not finish in the time it has")


def test_a_spec_that_leaves_a_process_behind_is_ended_with_it(judge):
    fork = "\nimport os, time\nif os.fork() == 0:\n    time.sleep(1000)\n"
    assert verdict_on(judge, SPEC + fork, KERNEL).failure is None


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(SpecProblem, match=r"nowhere\.py: No such file or directory"):
        SpecFile.read(tmp_path / "nowhere.py")
    with pytest.raises(SpecProblem, match="is a folder; a spec is a Python file"):
        SpecFile.read(tmp_path)


def test_a_project_must_be_a_folder(judge, tmp_path):
    (tmp_path / "pkg.py").touch()
    spec = changed(SPEC, ('outputs=Tensor("M, N")', 'project="pkg.py"'))
    assert "project 'pkg.py' is no folder but a file" in problem(judge, spec, tmp_path / "scale.py")


def test_a_case_that_is_too_large_here_is_undecided(judge):
    spec = changed(SPEC, ("choices=(3,)", "choices=(1 << 24,)"), ('"M": 3', '"M": 1 << 24'))
    verdict = verdict_on(judge, spec, KERNEL)
    assert verdict.line().startswith("UNDECIDED scale  its inputs are larger than a case may be here")
