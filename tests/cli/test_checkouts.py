from __future__ import annotations

import json
import shutil

import pytest

from tests.formats.checkouts import ROWS

KERNELBENCH = ROWS[0].root
_RUNS = [row for row in ROWS if row.run]


@pytest.mark.parametrize("row", _RUNS, ids=lambda row: row.folder)
def test_a_task_of_each_format_goes_through_a_run(geak, tmp_path, row):
    out = tmp_path / "run"
    scale = ("-t", "gfx942", "--elements", 300)  # which the sizes of a task follow
    ran = geak("generate", f"{row.root}::{row.run}", "--out", out, *scale, "--samples", 1, "--rounds", 1, "--tune", 0)
    assert ran.code == 0, ran.err + ran.out
    assert ran.out.startswith("ACCEPTED ")
    (spec,) = (out / "spec").glob("*.py")
    again = geak("eval", f"{row.root}::{row.run}", out / "best.py", *scale, "--tier", "gate", "--json")
    assert json.loads(again.out)["name"] == spec.stem
    assert again.code == 0


def policy(geak, *words):
    ran = geak("generate", *words, "--dry-run", "--json")
    return json.loads(ran.out).get("conditions", {}).get("policy", "pure")


def test_a_policy_is_the_tasks_own_until_somebody_says_another(geak):
    fused = f"{KERNELBENCH}::7_Linear_Shift_Sigmoid"
    assert policy(geak, fused) == "mixed"
    assert policy(geak, fused, "--policy", "open") == "open"
    assert policy(geak, fused, "--policy", "pure") == "pure"


def test_a_kernel_is_bettered_by_a_task_of_a_checkout(geak, tmp_path):
    (tmp_path / "mine.py").write_text("class ModelNew: pass\n")
    task = f"{KERNELBENCH}::7_Linear_Shift_Sigmoid"
    ran = geak("optimize", tmp_path / "mine.py", "--spec", task, "--dry-run", "--json")
    asked = json.loads(ran.out)["conditions"]
    assert (asked["spec"], asked["original"]) == ("level2_7_Linear_Shift_Sigmoid", str(tmp_path / "mine.py"))
    missing = geak("optimize", tmp_path / "none.py", "--spec", task, "--dry-run")
    assert (missing.code, missing.err) == (2, f"error: {tmp_path}/none.py: no such file or directory\n")


def test_a_checkout_is_listed_with_counts_by_cause_and_a_line_a_task(geak, tmp_path):
    place = shutil.copytree(KERNELBENCH, tmp_path / "apart")  # within our own repository it has a commit: ours
    shown = geak("specs", "list", place).out.splitlines()
    assert shown[0] == f"{place}: 4 tasks (4 kernelbench); 3 can run here"
    assert shown[1] == "  1 cannot: it needs weights of a model and the network"
    assert [line.split()[0] for line in shown[2:]] == [
        "level1/19_Hinge",
        "level2/7_Linear_Shift_Sigmoid",
        "level2/11_Conv2d_Swish_BiasAdd",
        "level4/2_somebody-tiny_bs1_seq8",
    ]
    assert "cannot run here: it needs weights" in shown[-1]
    told = json.loads(geak("specs", "list", KERNELBENCH, "--json").out)
    assert (told["formats"], told["runnable"]) == ({"kernelbench": 4}, 3)
    assert told["tasks"][1] | {"file": "", "metric": "", "tolerance": ""} == {
        "name": "level2/7_Linear_Shift_Sigmoid",
        "format": "kernelbench",
        "file": "",
        "title": "Linear Shift Sigmoid",
        "category": "fused operations",
        "difficulty": "level 2",
        "licence": "MIT",
        "needs": [],
        "policy": "mixed",
        "tolerance": "",
        "metric": "",
        "why_not": "",
    }


FOR_THE_BENCHMARK = """import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def _swish_bias(x, bias, out, eps, C, P, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    value = tl.load(x + at, mask=at < n)
    value = value * tl.sigmoid(value + eps) + tl.load(bias + at // P % C, mask=at < n)
    tl.store(out + at, value, mask=at < n)


class ModelNew(nn.Module):
    def __init__(self, channels, features, window, shape, dropout, eps=1e-6):
        super().__init__()
        assert type(window) is tuple and dropout < 1
        self.conv = nn.Conv2d(channels, features, window)
        self.bias = nn.Parameter(torch.randn(shape))
        self.eps = eps

    def forward(self, x):
        x = self.conv(x)
        out = torch.empty_like(x)
        pixels = x.shape[2] * x.shape[3]
        grid = (triton.cdiv(x.numel(), 256),)
        _swish_bias[grid](x, self.bias, out, self.eps, x.shape[1], pixels, x.numel(), BLOCK=256)
        return out
"""
"""As somebody writes it for the benchmark's own harness, which calls ModelNew(*get_init_inputs())."""


@pytest.mark.parametrize(("wrong", "verdict"), [("", "ACCEPTED"), (" * 1.01", "REJECTED")])
def test_a_kernel_for_the_benchmarks_own_harness_is_judged_as_it_is(geak, tmp_path, wrong, verdict):
    kernel = tmp_path / "kernel.py"
    kernel.write_text(FOR_THE_BENCHMARK.replace("self.conv(x)", f"self.conv(x){wrong}"))
    task = f"{KERNELBENCH}::11_Conv2d_Swish_BiasAdd"
    ran = geak("eval", task, kernel, "-t", "gfx942", "--policy", "mixed", "--elements", 600)
    assert (ran.code, ran.out.split()[0]) == (int(bool(wrong)), verdict), ran.out + ran.err


def test_a_task_is_shown_and_linted_as_any_spec(geak):
    shown = geak("specs", "show", f"{KERNELBENCH}::7_Linear_Shift_Sigmoid", "--elements", 100)
    assert "ModelNew(x)  contract module, oracle float64" in shown.out
    assert "batch_size=1024 in_features" not in shown.out
    assert "shift_shape: (N,)" in shown.out
    linted = geak("specs", "lint", f"{KERNELBENCH}::19_Hinge")
    assert (linted.code, linted.out.split(":")[0]) == (0, "level1_19_Hinge")


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("level4/2_somebody-tiny_bs1_seq8", "cannot be run here: it needs weights of a model and the network"),
        ("nothing_such", "has no task 'nothing_such' among its 4"),
    ],
)
@pytest.mark.parametrize("words", [("generate",), ("specs", "show"), ("specs", "lint")])
def test_what_cannot_be_asked_is_said_before_anything_starts(geak, words, task, message):
    ran = geak(*words, f"{KERNELBENCH}::{task}")
    assert ran.code == 2
    assert message in ran.err
