from __future__ import annotations

import inspect
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from geak_evaluator.recording.command import main
from geak_evaluator.recording.merge import Record, bind, merge
from geak_evaluator.recording.spec_file import spec_file
from geak_evaluator.recording.suggest import suggest
from geak_evaluator.schema import domain
from geak_evaluator.schema.spec import Case, Description, Spec


def tensor(*shape: int, dtype: str = "float16", strides: list[int] | None = None) -> dict[str, Any]:
    return {"tensor": list(shape), "dtype": dtype, **({"strides": strides} if strides else {})}


def recorded(*calls: dict[str, Any], counts: tuple[int, ...] = ()) -> Record:
    return Record(calls=[{"count": n, "args": c} for c, n in zip(calls, counts or (1,) * len(calls), strict=True)])


def built(record: Record) -> tuple[Spec, str]:
    """The suggested spec, run: our own text over our own fixtures."""
    text = spec_file(record, "model:f")
    names: dict[str, Any] = {}
    exec(compile(text, "suggested.py", "exec", dont_inherit=True), names)
    arguments = tuple(inspect.signature(names["reference"]).parameters)
    assert domain.problems(Description("f", names["__doc__"], names["spec"], arguments)) == [], text
    return names["spec"], text


def test_sizes_that_are_always_equal_share_an_axis() -> None:
    spec, _ = built(
        recorded(
            {"a": tensor(2, 8), "b": tensor(8, 5), "M": 2, "eps": 1e-5},
            {"a": tensor(3, 16), "b": tensor(16, 7), "M": 3, "eps": 1e-5},
            counts=(40, 2),
        )
    )
    assert [str(t) for t in spec.inputs.values()] == ["T[M, a1]", "T[a1, b1]", "int M", "float 1e-05"]
    assert spec.cases == (Case({"M": 2, "a1": 8, "b1": 5}, weight=40), Case({"M": 3, "a1": 16, "b1": 7}, weight=2))
    assert spec.dtypes == {"T": ("fp16",)}
    assert str(spec.axes["a1"]) == "8..16"


def test_a_constant_size_has_one_choice_and_a_one_is_a_one() -> None:
    spec, _ = built(recorded({"x": tensor(4, 64, 1)}, {"x": tensor(9, 64, 1)}))
    assert spec.tensors["x"].shape == ("x0", "x1", "1")
    assert spec.axes["x1"].choices == (64,)


def test_one_call_alone_unifies_what_is_equal() -> None:
    spec, _ = built(recorded({"x": tensor(4, 64), "w": tensor(64)}))
    assert spec.tensors["w"].shape == ("x1",)
    assert spec.cases == (Case({"x0": 4, "x1": 64}),)


def test_none_makes_an_input_optional() -> None:
    spec, _ = built(recorded({"x": tensor(4, 8), "bias": None}, {"x": tensor(5, 9), "bias": tensor(9)}, counts=(3, 1)))
    assert spec.tensors["bias"].optional
    assert spec.tensors["bias"].shape == ("x1",)
    assert [c.without for c in spec.cases] == [("bias",), ()]


def test_formats_that_vary_together_share_a_type() -> None:
    spec, _ = built(
        recorded(
            {"x": tensor(4, dtype="float16"), "w": tensor(4, dtype="float16"), "s": tensor(4, dtype="float32"),
             "idx": tensor(4, dtype="int64")},
            {"x": tensor(4, dtype="bfloat16"), "w": tensor(4, dtype="bfloat16"), "s": tensor(4, dtype="float32"),
             "idx": tensor(4, dtype="int64")},
        )
    )  # fmt: skip
    assert [t.dtype for t in spec.tensors.values()] == ["T", "T", "fp32", "int64"]
    assert spec.dtypes == {"T": ("fp16", "bf16")}
    assert [c.sizes["T"] for c in spec.cases] == ["fp16", "bf16"]


def test_scalars_that_vary_are_choices_of_the_cases() -> None:
    spec, _ = built(recorded({"x": tensor(4), "causal": True, "p": 1}, {"x": tensor(8), "causal": False, "p": 0.5}))
    assert spec.inputs["causal"].choices == (True, False)  # type: ignore[union-attr]
    assert [c.sizes["p"] for c in spec.cases] == [1.0, 0.5]


def test_strides_follow_the_axes_where_they_do() -> None:
    spec, text = built(
        recorded(
            {"x": tensor(4, 8, strides=[1, 4]), "y": tensor(4, 8, strides=[16, 1]), "z": tensor(4, 8, strides=[99, 1])},
            {"x": tensor(5, 9, strides=[1, 5]), "y": tensor(5, 9, strides=[18, 1]), "z": tensor(5, 9, strides=[50, 1])},
        )
    )
    assert spec.tensors["x"].strides == ("1", "x0")
    assert spec.tensors["y"].strides == ("x1 * 2", "1")
    assert spec.tensors["z"].strides == ()
    assert "# CHECK: the strides of z follow no axis ([99, 1])" in text


def test_what_a_spec_cannot_pass_is_said() -> None:
    spec, text = built(
        recorded(
            {"x": tensor(4, 8), "mode": "max", "cfg": {"object": "m.Config"}, "parts": {"list": [tensor(3), tensor(4)]},
             "lambda": 2, "inf": {"float": "inf"}},
            {"x": tensor(4), "mode": "max", "cfg": {"object": "m.Config"}, "parts": {"list": [tensor(3), tensor(4)]},
             "lambda": 2, "inf": {"float": "inf"}},
        )
    )  # fmt: skip
    assert list(spec.inputs)[:3] == ["x", "parts_0", "parts_1"]
    for said in ("mode is left out: 'max'", "object m.Config", "parts is a sequence", "1 calls are left out"):
        assert said in text


def test_arguments_are_bound_with_their_defaults() -> None:
    signature = [
        {"name": "x", "kind": "positional_or_keyword"},
        {"name": "n", "kind": "positional_or_keyword", "default": 3},
        {"name": "rest", "kind": "var_positional"},
        {"name": "flag", "kind": "keyword_only", "default": False},
    ]
    assert bind(signature, [1], []) == {"x": 1, "n": 3, "flag": False}
    assert bind(signature, [1, 2, 5, 6], [["flag", True], ["other", None]]) == {
        "x": 1, "n": 2, "rest[0]": 5, "rest[1]": 6, "flag": True, "other": None,
    }  # fmt: skip
    assert bind([], [7], []) == {"argument 0": 7}


def test_a_file_cut_short_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "1.jsonl").write_text('{"imported": true}\n{"args": [1], "kwargs": [], "count": 2}\n')
    (tmp_path / "2.jsonl").write_text('{"imported": tr')
    (tmp_path / "3.jsonl").write_text("")
    record = merge(tmp_path)
    assert (record.processes, record.total, record.imported) == (1, 2, True)


def test_nothing_suggests_nothing() -> None:
    assert suggest(Record()).cases == []


def test_the_command_writes_a_spec_that_is_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("torch.py").write_text(
        "class Tensor:\n    shape, dtype = (3, 4), 'torch.float32'\n    is_contiguous = stride = bool\n"
    )
    Path("model.py").write_text("def f(x, alpha=2.0): pass\n")
    Path("run.py").write_text(
        textwrap.dedent("""
            import torch, model
            torch.Tensor.is_contiguous = lambda self: True
            for _ in range(3): model.f(torch.Tensor())
        """)
    )
    assert main(["model:f", "--spec", "f_spec.py", "--", sys.executable, "run.py"]) == 0
    text = Path("f_spec.py").read_text()
    assert 'Case({"x0": 3, "x1": 4}, weight=3)' in text
    assert Path("f.calls.json").exists()
