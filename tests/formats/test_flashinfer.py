"""flashinfer-bench's definitions: what is read off them, and specs that are fit to judge with."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from geak.errors import SpecError, UsageError
from geak.formats.base import Scale
from geak.formats.flashinfer import FlashInfer
from geak.formats.registry import checkout, located
from geak.judge_process import words
from geak.judges import Judges
from geak.tasks import Task
from geak_evaluator.schema.spec import Description

ROOT = Path(__file__).parent / "flashinfer"
RMS = json.loads((ROOT / "definitions/rmsnorm/scaled_rms_h4096.json").read_text())


def made(name: str, folder: Path, judge: str, root: Path = ROOT) -> tuple[Task, Description]:
    folder.mkdir(exist_ok=True)

    async def work() -> tuple[Task, Description]:
        one, listed = located(f"{root}::{name}")
        async with Judges([words(judge)]) as judges:
            task = await one.task(listed, folder, judges, Scale())
            return task, await judges.describe(task.spec)

    return asyncio.run(work())


def a_set(folder: Path, **changed: object) -> Path:
    """A trace set of one definition, otherwise than ours."""
    (folder / "definitions").mkdir()
    (folder / "definitions/one.json").write_text(json.dumps({**RMS, **changed}))
    return folder


def test_a_set_is_listed_with_what_each_definition_says_of_itself():
    tasks = {task.name: task for task in checkout(ROOT).tasks}
    assert list(tasks) == ["gqa_paged/mean_of_pages_h8_kv2_d64_ps16", "rmsnorm/scaled_rms_h4096", "sampling/draw_v512"]
    rms = tasks["rmsnorm/scaled_rms_h4096"]
    assert (rms.category, rms.licence) == ("rmsnorm", "Apache-2.0")
    assert rms.title == "Divides each row by its root mean square and scales it"
    assert "drawn at random" in tasks["sampling/draw_v512"].why_not
    assert [t.name for t in checkout(ROOT / "definitions/rmsnorm/scaled_rms_h4096.json").tasks] == ["rmsnorm/scaled_rms_h4096"]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"reference": "import torch\n\ndef go(rows, weight):\n    return rows\n"}, "no function `run`"),
        ({"reference": "def run(:"}, "not Python"),
        ({"reference": "def reference(): ...\n\ndef run(rows, weight):\n    return rows\n"}, "needs for itself"),
        ({"inputs": {"rows": {"shape": ["batch_size"], "dtype": "float4_e2m1"}}}, "rows is of type float4_e2m1"),
        ({"inputs": {"keys": {"shape": ["batch_size"], "dtype": "int32"}}}, "the integers keys may take"),
        ({"op_type": "moe"}, "cannot be interpreted"),
        ({"axes": {"batch-size": {"type": "var"}}}, "'batch-size' is none that a spec can use"),
        ({"axes": {"batch_size": {"type": "const"}}}, "does not say 'value'"),
        ({"axes": 7}, "the file is no definition"),
    ],
)
def test_a_definition_that_cannot_be_judged_says_why_and_costs_no_other(tmp_path, changed, why):
    root = a_set(tmp_path, **changed)
    (root / "definitions/two.json").write_text(json.dumps({**RMS, "name": "two"}))
    one, two = checkout(root).tasks
    assert why in one.why_not
    assert not two.why_not


def test_a_pointer_to_large_storage_is_named(tmp_path):
    (tmp_path / "definitions").mkdir()
    (tmp_path / "definitions/one.json").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    assert "git lfs pull" in checkout(tmp_path).tasks[0].why_not
    with pytest.raises(UsageError, match="git lfs pull"):
        located(f"{tmp_path}::one")


def test_constants_may_be_smaller_and_workloads_are_the_timed_cases(tmp_path, running_judge):
    task, about = made("scaled_rms_h4096", tmp_path, running_judge)
    assert about.spec.axes["hidden_size"].choices[-1] == 4096
    assert all(case.sizes["hidden_size"] < 4096 for case in about.spec.cases)
    assert [(c.sizes["batch_size"], c.weight) for c in about.spec.bench] == [(512, 2), (7, 1)]
    assert about.spec.axes["batch_size"].max == 512
    assert about.entry == "run"
    assert task.findings is not None
    assert not task.findings.errors
    assert not task.soft


def test_pages_are_drawn_so_that_they_mean_something(tmp_path, running_judge):
    task, about = made("mean_of_pages_h8_kv2_d64_ps16", tmp_path, running_judge)
    assert about.makes_inputs
    assert about.spec.launches == "by_value"
    assert about.spec.tensors["kv_indptr"].shape == ("batch_size + 1",)
    assert "num_pages >= num_kv_indices" in about.spec.where
    assert about.spec.tensors["k_cache"].dtype == "fp8_e4m3fn"
    assert (about.spec.axes["num_qo_heads"].choices, about.spec.axes["head_dim"].choices) == ((8,), (32, 64))
    assert task.findings is not None
    assert not task.findings.errors


def test_an_output_whose_size_no_input_carries_is_handed_over(tmp_path, running_judge):
    reference = "import torch\n\ndef run(rows, weight):\n    return (rows.float() * weight.float()).mean(-1)[:1]\n"
    axes = {**RMS["axes"], "kept": {"type": "var"}}
    outputs = {"output": {"shape": ["kept"], "dtype": "bfloat16"}}
    root = a_set(tmp_path, reference=reference, axes=axes, outputs=outputs, constraints=["kept == 1"], name="one")
    _, about = made("one", tmp_path / "made", running_judge, root)
    assert about.spec.contract == "destination"
    assert list(about.spec.outputs) == ["output"]
