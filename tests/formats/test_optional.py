"""Inputs that a test's calls leave out: a spec means each to be optional for itself, a test may not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from geak.formats.observed import bench
from geak.formats.optional import settled
from geak.formats.written import Material, Plan, kernel_text, spec_text
from geak_evaluator.recording.seen import sketch
from geak_evaluator.schema.observed import Entry, Seen


def plan(*calls: dict[str, int | None]) -> Plan:
    """Of an entry `f(x, bias, rows)`; what is None in a call is None there."""

    def given(call: dict[str, int | None]) -> dict[str, Any]:
        return {n: None if v is None else {"tensor": [v], "dtype": "float32"} for n, v in call.items()}

    found = sketch(Entry("f", "function", tuple(Seen(given(call)) for call in calls)))
    assert found is not None
    material = Material("def f(x, bias, rows):\n    pass\n", "", ("f",))
    every = tuple(range(len(found.cases)))
    return settled(Plan("f", "f", found, material, "about", every, found.cases, trial=False))


def test_inputs_that_are_left_out_together_are_one_combination_and_no_others_are_asked_for():
    both, neither = {"x": 8, "bias": 8, "rows": 5}, {"x": 9, "bias": None, "rows": None}
    made = plan(neither, {**neither, "x": 7}, both)
    assert list(made.sketch.inputs) == ["x"]
    assert made.sketch.call == "f(x, None, None)"
    assert "rows" not in spec_text(made)
    assert "def f_entry(x):\n    return f(x, None, None)" in kernel_text(made)
    made = plan(neither, {**both, "x": 7, "bias": 7}, both)
    assert list(made.sketch.inputs) == ["x", "bias", "rows"]
    assert "optional" not in spec_text(made)
    assert len(made.cases) == 2


@pytest.mark.parametrize("alone", [None, 6])
def test_inputs_that_are_left_out_each_for_itself_stay_optional(alone):
    made = plan({"x": 8, "bias": 8, "rows": 5}, {"x": 9, "bias": None, "rows": 5}, {"x": 9, "bias": 9, "rows": alone})
    optional = [name for name, text in made.sketch.inputs.items() if "optional" in text]
    assert optional == (["bias"] if alone else [])


@pytest.mark.parametrize(("one", "other"), [(16, 128), (0.1, 0.5), (True, False)])
def test_numbers_that_are_tied_are_those_of_the_sizes_that_were_accepted(one, other):
    calls = [{"x": {"tensor": [n], "dtype": "float32"}, "block": block} for n, block in ((32, one), (64, other))]
    found = sketch(Entry("f", "function", tuple(map(Seen, calls))))
    assert found is not None
    made = Plan("f", "f", found, Material("", "", ("f",)), "about", (0,), found.cases[:1], trial=False)
    assert f"choices=({one}, {other})" in spec_text(made)
    kind = type(one).__name__
    assert f'"block": Scalar("{kind}", {one})' in spec_text(replace(made, tied=True))
    both = replace(made, tied=True, cases=(0, 1), sizes=found.cases)
    assert f'where=("x0 == 32 and block == {one} or x0 == 64 and block == {other}",)' in spec_text(both)


def test_a_type_and_a_number_that_are_tied_stand_together():
    formats = [("float32", False), ("float16", True), ("float32", False), ("float16", True)]
    calls = [
        {"x": {"tensor": [n], "dtype": dtype}, "half": half}
        for n, (dtype, half) in zip((32, 32, 64, 64), formats, strict=True)
    ]
    found = sketch(Entry("f", "function", tuple(map(Seen, calls))))
    assert found is not None
    made = Plan("f", "f", found, Material("", "", ("f",)), "about", (0, 1, 2, 3), found.cases, trial=False)
    assert "where=" not in spec_text(made)
    told = "where=(\"T == 'fp32' and half == False or T == 'fp16' and half == True\",)"
    assert told in spec_text(replace(made, tied=True))


def test_a_number_that_says_what_is_left_out_leaves_one_combination():
    tensor, bias = {"tensor": [8], "dtype": "float32"}, {"tensor": [1], "dtype": "float32"}
    calls = [
        {"x": tensor | {"tensor": [n]}, "bias": given, "has_bias": given is not None}
        for n, given in ((8, None), (9, bias), (10, None), (11, bias))
    ]
    found = sketch(Entry("f", "function", tuple(map(Seen, calls))))
    assert found is not None
    made = settled(Plan("f", "f", found, Material("", "", ("f",)), "about", (0, 1, 2, 3), found.cases))
    assert made.cases == (1, 3)
    assert "optional" not in spec_text(made)


def test_formats_are_those_that_the_original_was_accepted_with():
    calls = [{"x": {"tensor": [n], "dtype": dtype}} for n, dtype in ((32, "float32"), (64, "float16"), (16, "float16"))]
    found = sketch(Entry("f", "function", tuple(map(Seen, calls))))
    assert found is not None
    made = Plan("f", "f", found, Material("", "", ("f",)), "about", (0,), found.cases[:1])
    assert '"T": ("fp32", "fp16",)' in spec_text(made)
    assert '"T": ("fp32",)' in spec_text(replace(made, trial=False))


def test_there_are_never_more_slots_than_pages_hold():
    calls = [
        {
            "pages": {"tensor": [n, 16, 8], "dtype": "float32"},
            "slots": {"tensor": [k], "dtype": "int64", "drawn": {"min": 0, "max": n * 16 - 2, "distinct": k}},
        }
        for n, k in ((4, 20), (8, 40), (9, 60))
    ]
    found = sketch(Entry("f", "function", tuple(map(Seen, calls))))
    assert found is not None
    made = Plan("f", "f", found, Material("", "", ("f",)), "about", (0, 1, 2), found.cases, trial=False)
    assert '"slots0 <= pages0 * pages1"' in spec_text(made), spec_text(made)


def test_a_number_beside_a_table_is_the_one_that_was_accepted_with_it():
    lengths = {"tensor": [3], "dtype": "int32", "drawn": {"min": 1, "max": 9, "distinct": 3, "values": [5, 9, 1]}}
    calls = [{"lengths": lengths | {"tensor": [n]}, "longest": longest} for n, longest in ((3, 9), (4, 20))]
    found = sketch(Entry("f", "function", tuple(map(Seen, calls))))
    assert found is not None
    made = Plan("f", "f", found, Material("", "", ("f",)), "about", (0,), found.cases[:1], trial=False)
    assert '"longest": Scalar("int", 9)' in spec_text(made)


def test_what_its_own_kernel_was_not_accepted_with_is_not_timed():
    calls = [{"x": {"tensor": [n], "dtype": "float32"}, "drop": drop} for n, drop in ((32, 0.0), (64, 0.0), (64, 0.1))]
    found = sketch(Entry("f", "function", tuple(map(Seen, calls))))
    assert found is not None
    made = Plan("f", "f", found, Material("", "", ("f",)), "about", (0,), found.cases[:1], free={"x0": "Axis(32, 64)"})
    assert bench(made) == ({"x0": 64, "drop": 0.0}, {"x0": 64, "drop": 0.1})
    assert bench(replace(made, tied=True)) == ({"x0": 64, "drop": 0.0},)
