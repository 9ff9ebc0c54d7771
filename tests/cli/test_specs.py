import json

import pytest

from geak.errors import UsageError
from geak.specs import find, shipped
from geak_evaluator.schema import codec
from geak_evaluator.schema.findings import Findings
from geak_evaluator.schema.spec import Description

SOUND = '''"""Twice each element \x1b[31mred."""
from geak_evaluator import Axis, Scalar, Spec, Tensor

spec = Spec(
    axes={"N": Axis(1, 100)},
    inputs={"x": Tensor("N"), "by": Scalar("float", 2.0)},
    outputs=Tensor("N"),
    cases=[{"N": 17}],
    where=("N > 0",),
)


def reference(x, by):
    return x * by
'''
VACUOUS = SOUND.replace("x * by", "x * 0")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "twice.py").write_text(SOUND)
    (tmp_path / "_helper.py").write_text("raise SystemExit")
    return tmp_path


def test_the_specs_that_ship_are_listed(geak):
    found = geak("specs", "list", "--json")
    assert (found.code, found.err) == (0, "")
    rows = json.loads(found.out)["specs"]
    assert [row["name"] for row in rows] == sorted(path.stem for path in shipped().glob("*.py"))
    assert all(set(row) == {"name", "title", "cases", "contract", "oracle"} for row in rows)


def test_a_folder_is_listed_a_line_for_each(geak, folder):
    (folder / "broken.py").write_text("spec = 3")
    found = geak("specs", "list", folder)
    assert found.code == 0
    broken, twice = found.out.splitlines()
    assert broken.split(maxsplit=1) == [
        "broken",
        f"not a spec: {folder}/broken.py: its `spec` is a int; a spec file says "
        "spec = Spec(axes=..., inputs=..., cases=...)",
    ]
    assert twice.startswith("twice                float64   function     Twice each element")
    assert "\x1b" not in found.out
    rows = json.loads(geak("specs", "list", folder, "--json").out)["specs"]
    assert [("problem" in row, row["name"]) for row in rows] == [(True, "broken"), (False, "twice")]


@pytest.mark.parametrize("command", ["list", "lint"])
def test_a_stray_script_in_a_folder_is_not_run(geak, folder, command):
    (folder / "stray.py").write_text("raise SystemExit('it ran')")
    found = geak("specs", command, folder)
    assert f"not a spec: {folder}/stray.py: it defines no `spec`; a spec file says spec = Spec(" in found.out
    assert "it ran" not in found.out + found.err


def test_one_file_is_listed_alone(geak, folder):
    assert geak("specs", "list", folder / "twice.py").out.startswith("twice ")


def test_a_folder_of_nothing_but_broken_specs_fails(geak, tmp_path):
    (tmp_path / "broken.py").write_text("spec = 3")
    assert geak("specs", "list", tmp_path).code == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("list", "nowhere"), "error: nowhere does not exist"),
        (("list", "."), "error: . is kept in no format that is known; looked for specs of GEAK: "),
        (
            ("show", "sofmax"),
            "error: there is no spec 'sofmax': no such file, and none of that name ships; did you mean softmax?",
        ),
        (
            ("show", "qqqqqq"),
            "error: there is no spec 'qqqqqq': no such file, and none of that name ships; geak specs list names",
        ),
        (("show", "."), "error: . is a folder; name one spec in it (geak specs list .)"),
        (("lint", "sofmax"), "did you mean softmax?"),
        (("lint", "no/such/file.py"), "there is no spec 'no/such/file.py'"),
    ],
)
def test_what_is_not_there_is_told(geak, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    found = geak("specs", *words)
    assert (found.code, found.out) == (2, "")
    assert message in found.err
    assert "Traceback" not in found.err


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("row_argmax", "row_argmax.py"),
        ("row_argmx.py", "row_argmax.py"),
        ("argmx", "argmax"),
        ("in/tw.py", "in/two.py"),
    ],
)
def test_a_file_that_is_nearly_named_is_a_hint(tmp_path, monkeypatch, name, meant):
    (tmp_path / "in").mkdir()
    for file in ("row_argmax.py", "in/two.py"):
        (tmp_path / file).write_text(SOUND)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=rf"did you mean {meant}\?$"):
        find(name)


def test_a_spec_is_shown_by_name_and_by_path(geak):
    by_name, by_path = geak("specs", "show", "softmax"), geak("specs", "show", shipped() / "softmax.py")
    assert by_name.code == by_path.code == 0
    assert by_name.out == by_path.out
    assert by_name.out.startswith("softmax: Softmax over the last dimension of a matrix.\n")
    for word in (
        "entry      softmax(x)",
        "axes       M: 1..65536",
        "types      T: fp16 | bf16 | fp32",
        "cases",
        "bench",
    ):
        assert word in by_name.out


def test_everything_that_is_declared_is_shown(geak, folder):
    found = geak("specs", "show", folder / "twice.py")
    assert found.out.splitlines() == [
        "twice: Twice each element �[31mred.",
        "entry      twice(x, by)  contract function, oracle float64",
        "axes       N: 1..100",
        "inputs     x: fp32[N]",
        "           by: float 2.0",
        "outputs    fp32[N]",
        "where      N > 0",
        "cases      N=17",
    ]


def test_shown_as_json_it_can_be_read_back(geak, folder):
    found = geak("specs", "show", folder / "twice.py", "--json")
    about = codec.from_json(Description, json.loads(found.out))
    assert (about.name, about.arguments) == ("twice", ("x", "by"))


def test_a_spec_that_cannot_be_used_is_an_error_with_its_place(geak, tmp_path):
    path = tmp_path / "broken.py"
    path.write_text("\n1 / 0\n")
    for words in (("show", path), ("lint", path)):
        found = geak("specs", *words)
        assert (found.code, found.out) == (2, "")
        assert found.err == f"error: {path}, line 2: ZeroDivisionError: division by zero\n"


def test_a_fit_spec_lints_clean(geak, folder):
    found = geak("specs", "lint", folder / "twice.py")
    assert (found.code, found.out) == (0, "twice: fit (1 cases)\n")


def test_an_unfit_spec_says_why_and_what_to_do(geak, tmp_path):
    (tmp_path / "twice.py").write_text(VACUOUS)
    found = geak("specs", "lint", tmp_path / "twice.py")
    assert found.code == 1
    assert "twice: unfit (1 cases)" in found.out
    assert "  error: zeros would pass in every case  (vacuous-zeros)\n    mend: " in found.out


def test_a_folder_is_linted_to_its_end(geak, folder):
    (folder / "broken.py").write_text("spec = 3")
    found = geak("specs", "lint", folder)
    assert found.code == 1
    assert found.out.splitlines() == [
        "twice: fit (1 cases)",
        f"not a spec: {folder}/broken.py: its `spec` is a int; "
        "a spec file says spec = Spec(axes=..., inputs=..., cases=...)",
    ]
    data = json.loads(geak("specs", "lint", folder, "--json").out)
    (result,) = data["specs"]
    assert codec.from_json(Findings, result).errors == 0
    assert len(data["broken"]) == 1


def test_a_new_spec_is_fit_as_it_is_written(geak, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = geak("specs", "new", "mine")
    assert (found.code, found.out) == (0, "wrote mine.py\nnext: geak specs lint mine.py\n")
    assert geak("specs", "lint", "mine.py").out.startswith("mine: fit (")


def test_a_file_that_is_there_is_left_as_it_is(geak, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("precious")
    found = geak("specs", "new", "mine", "--out", path)
    assert (found.code, path.read_text()) == (2, "precious")
    assert found.err == f"error: {path} is there already, and is left as it is; choose another name or --out\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("new",), "error: name the new spec: geak specs new my_kernel"),
        (("new", "two words"), "error: 'two words' cannot name a spec"),
        (("new", "class"), "error: 'class' cannot name a spec"),
        (("new", "../up"), "error: '../up' cannot name a spec"),
        (("new", "mine", "--out", "no/such/folder.py"), "error: no/such/folder.py: no such file or directory"),
        (("new", "mine", "--from-torch", "nowhere.py"), "nowhere.py"),
        (("new", "--from-torch", "a.py", "--from-kernel", "b.py"), "error: --from-torch and --from-kernel exclude"),
    ],
)
def test_what_cannot_be_written_is_told(geak, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    found = geak("specs", *words)
    assert (found.code, found.out) == (2, "")
    assert message in found.err
    assert list(tmp_path.iterdir()) == []


def test_a_spec_is_drafted_from_a_torch_file(geak, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "op.py").write_text(
        'import torch\nopen("ran", "w")\n\ndef double(x: torch.Tensor):\n    return x * 2\n'
    )
    found = geak("specs", "new", "--from-torch", "op.py:double")
    assert (found.code, found.err) == (0, "")
    assert found.out.startswith("wrote double.py\n")
    assert not (tmp_path / "ran").exists()  # it is read, and not run
    assert geak("specs", "show", "double.py").code == 0
