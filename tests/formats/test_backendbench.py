"""Traces of operator calls: what is read off their text, and specs that are fit to judge with."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from geak.formats.base import Scale
from geak.formats.forms import forms, readings
from geak.formats.registry import checkout, located
from geak.formats.traces import Array, Call, Type, parse
from geak.judge_process import words
from geak.judges import Judges
from geak.tasks import Task
from geak_evaluator.schema.spec import Description

ROOT = Path(__file__).parent / "backendbench"


def made(name: str, folder: Path, judge: str, root: Path = ROOT) -> tuple[Task, Description]:
    folder.mkdir(exist_ok=True)

    async def work() -> tuple[Task, Description]:
        one, listed = located(f"{root}::{name}")
        async with Judges([words(judge)]) as judges:
            task = await one.task(listed, folder, judges, Scale())
            return task, await judges.describe(task.spec)

    return asyncio.run(work())


def text(operator: str, *calls: str) -> str:
    return next(iter(readings(forms(operator, dict.fromkeys(calls, 1))[0], 4096, lambda single: "")))[0]


def test_an_operator_is_a_task_for_each_form_of_its_calls():
    tasks = {task.name: task for task in checkout(ROOT).tasks}
    assert list(tasks) == [
        *("abs.default", "add.Tensor", "add.Tensor~2", "bernoulli_.float", "embedding_dense_backward.default"),
        *("mm.default", "relu_.default", "view.default"),
    ]
    assert {n: t.why_not.split(",")[0] for n, t in tasks.items() if t.why_not} == {
        "abs.default": "its calls hold nothing that a spec can say: no tensors",
        "bernoulli_.float": "its answer is drawn at random",
        "view.default": "it gives a view",
    }
    assert tasks["add.Tensor"].title == "14 of its 16 calls, at 2 sizes"
    assert tasks["add.Tensor"].licence == "BSD-3-Clause"
    assert [t.name for t in checkout(ROOT / "tiny_training.txt").tasks] == list(tasks)


@pytest.mark.parametrize(
    ("said", "args", "kwargs"),
    [
        ("((T([8, 4], f16), 1), {})", (Array((8, 4), "fp16"), 1), ()),
        ("((T([2, 3], i64, [1, 2]),), {})", (Array((2, 3), "int64", (1, 2)),), ()),
        ("((T([], f32), -1, inf, None, [True]), {})", (Array((), "fp32"), -1, float("inf"), None, (True,)), ()),
        ("((T([4], b8),), {'dtype': f32})", (Array((4,), "bool"),), (("dtype", Type("fp32")),)),
        ("((T([4], f64),), {'dtype': torch.float16})", (Array((4,), "fp64"),), (("dtype", Type("fp16")),)),
        ("'((T([4], u8),), {\"device\": \"cuda\"})'", (Array((4,), "uint8"),), (("device", "cuda"),)),
    ],
)
def test_a_call_is_read_from_its_text(said, args, kwargs):
    assert parse(said) == Call(args, kwargs, 1)


@pytest.mark.parametrize(
    "said",
    [
        "((T([8, 4], c32),), {})",
        "((T([-8], f16),), {})",
        "((T(['a'], f16),), {})",
        "((T([8, 4]),), {})",
        "__import__('os').abort()",
        "((open('/etc/passwd'),), {})",
        "((T([8, 4], f16),)",
        "((" + "(" * 5000 + ")" * 5000 + ",), {})",
        "",
    ],
)
def test_what_is_no_call_is_passed_over(said):
    assert parse(said) is None


@pytest.mark.parametrize(
    ("operator", "call", "holds"),
    [
        ("aten.add_.Tensor", "((T([20, 30], f16), T([20, 30], f16)), {})", "changes=('x0',)"),
        ("aten.add.out", "((T([20, 30], f16), T([30], f16)), {'out': T([20, 30], f16)})", 'contract="destination"'),
        ("aten.embedding.default", "((T([100, 40], f16), T([20], i64), -1), {})", 'fill="integers(0, S0)"'),
        ("aten.gather.default", "((T([20, 30], f16), 1, T([20, 30], i64)), {})", 'fill="integers(0, S1)"'),
        ("aten.index.Tensor", "((T([20, 30], f16), [None, T([40], i64)]), {})", 'fill="integers(0, S1)"'),
        ("aten.cat.default", "(([T([20, 30], f16), T([20, 50], f16)], 1), {})", "cat.default([x0_0, x0_1], 1)"),
        ("aten.native_layer_norm.default", "((T([9, 768], f16), [768], None, None, 1e-5), {})", "[x0.shape[1]], None"),
        ("aten.rsqrt.default", "((T([20, 30], f16),), {})", 'fill="uniform(0.25, 2)"'),
        ("aten.sum.dim_IntList", "((T([20, 30], f32), [-1], True), {'dtype': f32})", "dtype=x0.dtype"),
        ("aten.add.Tensor", "((T([1, 30], f16), T([20, 1], f16)), {})", '"x0": Tensor("1, S0", "T")'),
    ],
)
def test_what_an_operator_needs_stands_in_its_spec(operator, call, holds):
    assert holds in text(operator, call)


def test_equal_sizes_are_one_axis_and_counts_are_weights(tmp_path, running_judge):
    task, about = made("add.Tensor", tmp_path, running_judge)
    assert {n: t.shape for n, t in about.spec.tensors.items()} == {"x0": ("S0", "S1", "S2"), "x1": ("S2",)}
    assert [(tuple(c.sizes.values()), c.weight) for c in about.spec.bench] == [((32, 24, 72), 9), ((8, 24, 40), 5)]
    assert about.entry == "add__Tensor_kernel_impl"
    assert task.findings is not None
    assert not task.findings.errors
    assert not task.single_shape


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("embedding_dense_backward.default", ("x0", "x1", "x2")),
        ("relu_.default", ("x0",)),
        ("mm.default", ("x0", "x1")),
    ],
)
def test_a_form_becomes_a_spec_that_is_fit(tmp_path, running_judge, name, arguments):
    task, about = made(name, tmp_path, running_judge)
    assert about.arguments == arguments
    assert task.findings is not None
    assert not task.findings.errors


def test_sizes_that_depend_on_one_another_leave_the_smallest_that_was_traced(tmp_path, running_judge):
    (tmp_path / "one.txt").write_text(
        "Operator: aten.constant_pad_nd.default\ncnt: 1, ((T([4, 20], f16), [0, 2], 0.0), {})\n"
        "Operator: aten.slice_backward.default\ncnt: 1, ((T([20, 30], f16), [20, 60], 1, 0, 30, 1), {})\n"
    )
    task, about = made("slice_backward.default", tmp_path, running_judge, tmp_path / "one.txt")
    assert task.single_shape
    assert [tuple(c.sizes.values()) for c in about.spec.cases] == [(20, 30, 60)]


def test_a_table_takes_pyarrow(tmp_path):
    (tmp_path / "problems.parquet").write_bytes(b"PAR1")
    (task,) = checkout(tmp_path).tasks
    assert "pyarrow" in task.why_not or "no table of operator calls" in task.why_not


def a_checkout(folder: Path) -> Path:
    suite = folder / "BackendBench/suite/opinfo.py"
    suite.parent.mkdir(parents=True)
    suite.write_text('"""The suite is made by torch; this file is only what a checkout is known by."""\n')
    return folder


def test_the_opinfo_suite_is_listed_without_torch(tmp_path):
    tasks = {task.name: task for task in checkout(a_checkout(tmp_path)).tasks}
    assert len(tasks) > 300
    assert not tasks["opinfo/gelu.default"].why_not
    assert "drawn at random" in tasks["opinfo/bernoulli.default"].why_not


@pytest.mark.slow
def test_the_arguments_of_an_opinfo_task_are_those_of_torchs_tests(tmp_path, running_judge):
    task, about = made("opinfo/addmm.default", tmp_path / "made", running_judge, a_checkout(tmp_path))
    assert about.arguments == ("x0", "x1", "x2", "beta", "alpha")
    assert about.entry == "addmm__default_kernel_impl"
    assert task.findings is not None
    assert not task.findings.errors
