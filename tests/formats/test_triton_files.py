"""Benchmarks whose tasks are Triton files with tests: what is listed, and the specs that come of watching the tests."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from geak.errors import SpecError
from geak.formats.base import Scale
from geak.formats.registry import checkout, located, prepared, why_not
from geak.judge_process import words
from geak.judges import Judges
from geak.tasks import Task
from geak_evaluator.schema.spec import Description
from geak_evaluator.schema.verdict import Policy, Status, Verdict

HERE = Path(__file__).parent
TRITONBENCH, ROCM, ARENA = HERE / "tritonbench", HERE / "geak_eval", HERE / "agentkernelarena"


@dataclass(frozen=True)
class Row:
    """One task, and what its spec must say."""

    task: str
    entry: str
    inputs: dict[str, str]
    changes: tuple[str, ...] = ()
    bench: int = 0
    single_shape: bool = False
    oracle: str = "peer"
    says: tuple[str, ...] = field(default=())
    """Parts of the spec's or the kernel's text."""


ELEMENTWISE = {
    **dict.fromkeys(("x_ptr", "y_ptr", "output_ptr"), "T[N_ELEMENTS]"),
    "n_elements": "int N_ELEMENTS",
    "BLOCK_SIZE": "int 1024",
}
ROWS = (
    Row(
        f"{TRITONBENCH}::G/row_shift",
        "row_shift",
        {
            "x": "T[x0, x1]",
            "shift": "T[x1]",
        },
        bench=3,
    ),
    Row(
        f"{TRITONBENCH}::G/gather_scale",
        "scale_rows__entry",
        {"x": "fp32[x0, x1]", "rows": "T[rows0]", "factor": "float 0.5 | -1.0"},
        changes=("x",),
        single_shape=True,
        says=("[5, 0, 2]", "scale_rows_(x, rows, factor, 'multiply')"),
    ),
    Row(f"{TRITONBENCH}::G/gather_scale/negate", "negate", {"x": "T[x0, x1]"}),
    Row(
        f"{TRITONBENCH}::T/half_gelu",
        "half_gelu",
        {"input": "T[input0] uniform(1, 3)", "other": "T[input0] uniform(0, 2)", "alpha": "float 1.0 | 0.5"},
        oracle="float64",
        says=("half_gelu(input, other, alpha, 'none', None)",),
    ),
    Row(
        f"{TRITONBENCH}::T/stacked_cholesky",
        "stacked_cholesky",
        {
            "matrices_0": "T[matrices_00, matrices_00] uniform(1, 4)",
            "matrices_1": "T[matrices_00, matrices_00] uniform(2, 9)",
        },
        single_shape=True,
        oracle="float64",
        says=("[[4.0, 1.0], [1.0, 3.0]]", "stacked_cholesky([matrices_0, matrices_1])"),
    ),
    Row(
        f"{ROCM}::ROCm/test_less_kernel",
        "less_kernel_launch",
        ELEMENTWISE,
        changes=("output_ptr",),
        bench=2,
        says=("less_kernel[(-(-n_elements // BLOCK_SIZE),)]",),
    ),
    Row(  # its own test leaves the block to the author: its twin's is watched
        f"{ROCM}::ROCm_autotune/test_times_kernel",
        "times_kernel_launch",
        ELEMENTWISE,
        changes=("output_ptr",),
        bench=2,
    ),
    Row(
        f"{ARENA}::triton2triton/vllm/triton_twice_rows",
        "twice_rows",
        {"x": "T[x0, x1]", "out": "T[x0, x1]"},
        changes=("out",),
        bench=2,
    ),
    Row(
        f"{ARENA}::triton2triton/geak_eval/L1/add_bias",
        "add_bias",
        {"x": "T[x0, x1]", "bias": "T[x1]"},
    ),
    Row(
        f"{ARENA}::triton2triton/rocmbench/easy/test_plus_kernel",
        "plus_kernel_launch",
        ELEMENTWISE,
        changes=("output_ptr",),
        bench=2,
    ),
)


def made(name: str, folder: Path, judge: str) -> tuple[Task, Description, Verdict | None]:
    """The task as a spec, what it declares, and the verdict on its own kernel, where it has one."""

    async def all_of() -> tuple[Task, Description, Verdict | None]:
        async with Judges([words(judge)]) as judges:
            task = await prepared(name, folder, judges, Scale())
            about = await judges.describe(task.spec)
            verdict = await judges.evaluate(task.spec, task.original, policy=Policy.OPEN) if task.original else None
            return task, about, verdict

    return asyncio.run(all_of())


QUICK = ("G/gather_scale", "T/stacked_cholesky", "ROCm_autotune/test_times_kernel")
"""The others go through a whole run each in tests/cli, one of each format; here they are looked at closely."""


def _row(row: Row) -> object:
    name = row.task.rpartition("::")[2]
    return pytest.param(row, id=name, marks=[] if name in QUICK else pytest.mark.slow)


@pytest.mark.parametrize("row", [_row(row) for row in ROWS])
def test_a_watched_test_becomes_a_spec_that_its_own_kernel_is_accepted_under(row, tmp_path, running_judge):
    task, about, verdict = made(row.task, tmp_path, running_judge)
    assert about.spec.oracle == row.oracle
    assert about.entry == row.entry
    assert {name: str(item) for name, item in about.spec.inputs.items()} == row.inputs
    assert about.spec.changes == row.changes
    assert len(about.spec.bench) == row.bench
    assert task.single_shape == row.single_shape
    assert all(text in task.spec.read_text() + task.original for text in row.says)
    assert bool(task.original) == (row.oracle == "peer")
    if verdict is not None:
        assert verdict.status is Status.ACCEPTED, verdict.line()


def test_everything_is_listed_with_why_it_cannot_run():
    there = checkout(ARENA)
    cannot = {task.name.rpartition("/")[2]: why_not(task) for task in there.tasks if why_not(task)}
    assert cannot == {
        "softmax_kernel": "its kernels are written in FlyDSL",
        "vllm_attention": "its kernel lies in a container image, not in the checkout",
        "relu": "its kernels are to be written in HIP",
        "triton_broken": "config.yaml is no YAML (line 2)",
        "triton_parked": "its own config skips it: it waits for a compiler",
    }
    there = checkout(TRITONBENCH)
    assert [one.name for one, _ in there.found] == ["tritonbench-g", "tritonbench-t"]
    assert {task.name: (task.difficulty, task.category) for task in there.tasks if task.name.startswith("G/r")} == {
        "G/row_shift": ("1", "somebody/kernels")
    }
    assert "no line of '#'" in why_not(next(task for task in there.tasks if task.name == "G/no_line"))
    names = ["ROCm/test_less_kernel", "ROCm/test_times_kernel", "ROCm_autotune/test_times_kernel"]
    assert [task.name for task in checkout(ROCM).tasks] == names  # not what is timed alone, nor what is given nothing
    for task in (*there.tasks, *checkout(ROCM).tasks, *checkout(ARENA).tasks):
        assert task.licence
        assert task.tolerance
        assert task.metric


def test_a_single_file_and_a_single_folder_are_tasks_too():
    file = TRITONBENCH / "data/TritonBench_G_v1/row_shift.py"
    assert [task.name for task in checkout(file).tasks] == ["G/row_shift"]
    folder = ARENA / "tasks/triton2triton/vllm/triton_twice_rows"
    assert [task.name for task in checkout(folder).tasks] == ["triton_twice_rows"]
    assert located(f"{ARENA}::triton_twice_rows")[1].name == "triton2triton/vllm/triton_twice_rows"


BAD = {
    "endless": ("while True:\n    pass\n", "20 s of processor time"),
    "raises": ("raise OSError('there is no such card')\n", "there is no such card"),
    "silent": ("def test_it():\n    return row_shift\n\ntest_it()\n", "never calls row_shift"),
    "imports": ("import no_such_module\n", "No module named 'no_such_module'"),
    "leaves": ("import os\nos._exit(0)\n", "could not be watched: its process died"),
    "object": ("row_shift(object(), 1)\n", "a builtins.object, which no spec can pass"),
}


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n == "endless")) for n in BAD])
def test_a_test_that_cannot_be_watched_costs_its_task_a_sentence(name, tmp_path, running_judge, honest_listing):
    test, sentence = BAD[name]
    mentions = "\n\nif __name__ == 'nothing':\n    row_shift(1, 2)\n"
    root = honest_listing(name, test + mentions)
    with pytest.raises(SpecError) as told:
        made(f"{root}::{name}", tmp_path / "made", running_judge)
    assert sentence in str(told.value)
    assert "Traceback" not in str(told.value)
    assert located(f"{root}::G/row_shift")[1].name == "G/row_shift"


@pytest.fixture
def honest_listing(tmp_path):
    """A copy of the small checkout with one more file, whose test is given."""

    def copied(name: str, test: str, old: str = "", new: str = "") -> Path:
        root = tmp_path / "tritonbench"
        shutil.copytree(TRITONBENCH, root)
        folder = root / "data/TritonBench_G_v1"
        kernel = (folder / "row_shift.py").read_text().partition("#" * 146)[0]
        assert old in kernel
        (folder / f"{name}.py").write_text(f"{kernel.replace(old, new) if old else kernel}{'#' * 146}\n{test}")
        return root

    return copied


def test_what_is_returned_beside_tensors_is_left_out_and_said(tmp_path, running_judge, honest_listing):
    root = honest_listing("handle", "row_shift(torch.rand(20, 48), torch.rand(48))\n", "return out", "return out, object()")
    task, about, verdict = made(f"{root}::G/handle", tmp_path / "made", running_judge)
    assert verdict is not None
    assert verdict.status is Status.ACCEPTED, verdict.line()
    assert "what it returns beside tensors is left out of the outputs" in about.doc
    assert "object()" in task.original


RAGGED = """
@triton.jit
def places_kernel(lengths, out, columns):
    row = tl.program_id(0)
    at = tl.program_id(1)
    if at < tl.load(lengths + row):
        tl.store(out + row * columns + at, at)


def places(x, lengths, longest):
    out = torch.empty(x.shape, dtype=torch.int64, device=x.device)
    places_kernel[(x.shape[0], longest)](lengths, out, x.shape[1])
    return out


def row_shift("""


def test_a_table_of_lengths_keeps_its_longest_and_what_the_original_leaves_unwritten_agrees(
    tmp_path, running_judge, honest_listing
):
    tables = ([3, 1, 2], [6, 2, 5, 1])
    calls = [f"places(torch.rand({len(t)}, 8), torch.tensor({t}, dtype=torch.int32), {max(t)})\n" for t in tables]
    root = honest_listing("ragged", "".join(calls), "\ndef row_shift(", RAGGED)
    _, about, verdict = made(f"{root}::G/ragged", tmp_path / "made", running_judge)
    assert about.spec.where[-1] == "x0 == 3 and longest == 3 or x0 == 4 and longest == 6"
    assert verdict is not None
    assert verdict.status is Status.ACCEPTED, verdict.line()


DRAWN = """
def drawn(rows, columns):
    return torch.randn(rows, columns)


def row_shift("""


def test_a_function_that_draws_its_own_inputs_is_no_task(tmp_path, running_judge, honest_listing):
    root = honest_listing("drawn", "drawn(20, 48)\n", "\ndef row_shift(", DRAWN)
    with pytest.raises(SpecError, match="its tests pass no tensor; "):
        made(f"{root}::G/drawn", tmp_path / "made", running_judge)


THROUGH = DRAWN.replace("return torch.randn(rows, columns)", "return row_shift(torch.randn(rows, columns), torch.randn(48))")
WITHIN = """
def drawn(rows, columns):
    x, shift = torch.randn(rows, columns), torch.randn(columns)
    out = torch.empty_like(x)
    shift_kernel[(rows,)](x, shift, out, columns, BLOCK=64)
    return out


def row_shift("""


@pytest.mark.parametrize("text", [THROUGH, WITHIN])
def test_of_a_function_that_draws_its_own_inputs_the_kernel_is_the_task(tmp_path, running_judge, honest_listing, text):
    root = honest_listing("drawn", "drawn(20, 48)\n", "\ndef row_shift(", text)
    _, about, verdict = made(f"{root}::G/drawn", tmp_path / "made", running_judge)
    assert about.spec.changes
    assert "drawn cannot be asked as it is called, so the task is a kernel that it launches" in about.doc
    assert verdict is not None
    assert verdict.status is Status.ACCEPTED, verdict.line()


MODULE = """
class RowShift:
    def __init__(self, shift):
        self.shift = shift

    def __call__(self, x):
        return row_shift(x, self.shift)


def row_shift("""
WITH_OBJECT = """
def shifted_by(x, module):
    return row_shift(x, module.shift)


class Module:
    def __init__(self):
        self.shift = torch.ones(48)


def row_shift("""


@pytest.mark.parametrize(
    ("text", "test"),
    [
        (MODULE, "RowShift(torch.ones(48))(torch.rand(20, 48))\n"),
        (WITH_OBJECT, "shifted_by(torch.rand(20, 48), Module())\n"),
    ],
)
def test_of_what_no_spec_can_call_the_kernel_is_the_task(tmp_path, running_judge, honest_listing, text, test):
    root = honest_listing("module", test, "\ndef row_shift(", text)
    task, about, verdict = made(f"{root}::G/module", tmp_path / "made", running_judge)
    assert about.spec.changes
    assert "shift_kernel_launch" in task.original
    assert verdict is not None
    assert verdict.status is Status.ACCEPTED, verdict.line()


TUNED = """
@triton.autotune([triton.Config({"BLOCK": b}) for b in (64, 128)], key=["n"])
@triton.jit
def twice_kernel(x, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out + at, tl.load(x + at, mask=at < n) * 2, mask=at < n)


def row_shift("""


def test_a_test_may_launch_an_autotuned_kernel_by_a_grid_of_its_configuration(tmp_path, running_judge, honest_listing):
    launch = "twice_kernel[lambda meta: (triton.cdiv({n}, meta['BLOCK']),)](torch.rand({n}), torch.zeros({n}), {n})\n"
    root = honest_listing("tuned", "".join(launch.format(n=n) for n in (300, 500)), "\ndef row_shift(", TUNED)
    task, _, verdict = made(f"{root}::G/tuned", tmp_path / "made", running_judge)
    assert "twice_kernel[lambda META: (-(-n // META['BLOCK']),)]" in task.original
    assert verdict is not None
    assert verdict.status is Status.ACCEPTED, verdict.line()


UNMASKED = """
@triton.autotune([triton.Config({"BLOCK": b}) for b in (64, 8192)], key=["n"])
@triton.jit
def double_kernel(x, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out + at, tl.load(x + at) * 2)


def double(x):
    out = torch.empty_like(x)
    double_kernel[lambda meta: (triton.cdiv(x.numel(), meta["BLOCK"]),)](x, out, x.numel())
    return out


def row_shift("""


def test_sizes_are_large_enough_for_every_configuration(tmp_path, running_judge, honest_listing):
    root = honest_listing("unmasked", "double(torch.rand(65536))\n", "\ndef row_shift(", UNMASKED)
    _, about, verdict = made(f"{root}::G/unmasked", tmp_path / "made", running_judge)
    assert [case.sizes["x0"] % 8192 for case in about.spec.cases] == [0]
    assert verdict is not None
    assert verdict.status is Status.ACCEPTED, verdict.line()


IDLE = """
def maybe(x, shift):
    return row_shift(x, shift) if x.shape[1] > 1 else torch.zeros_like(x)


def row_shift("""


def test_a_size_at_which_no_kernel_is_launched_is_left_out(tmp_path, running_judge, honest_listing):
    calls = "".join(f"maybe(torch.rand(20, {n}), torch.rand({n}))\n" for n in (1, 48))
    root = honest_listing("idle", calls, "\ndef row_shift(", IDLE)
    _, about, verdict = made(f"{root}::G/idle", tmp_path / "made", running_judge)
    assert [case.sizes["x1"] for case in about.spec.cases] == [48]
    assert verdict is not None
    assert verdict.status is Status.ACCEPTED, verdict.line()


PLACED = """
@triton.jit
def place_kernel(slots, x, out, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    value = tl.load(x + row * columns + at, mask=at < columns)
    tl.store(out + tl.load(slots + row) * columns + at, value, mask=at < columns)


def place(slots, x, out):
    place_kernel[(x.shape[0],)](slots, x, out, x.shape[1], BLOCK=64)


def row_shift("""


def test_slots_that_a_test_drew_twice_are_different_ones(tmp_path, running_judge, honest_listing):
    test = "place(torch.tensor([2, 0, 2, 1], dtype=torch.int32), torch.rand(4, 48), torch.zeros(4, 48))\n"
    root = honest_listing("placed", test, "\ndef row_shift(", PLACED)
    _, about, verdict = made(f"{root}::G/placed", tmp_path / "made", running_judge)
    assert "whole numbers that its test drew twice are different here" in about.doc
    assert verdict is not None
    assert verdict.status is Status.ACCEPTED, verdict.line()


SHIFTED = """
@triton.jit
def shifted_kernel(w, bias, out, n, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    value = tl.load(w + at, mask=at < n)
    if bias is not None:
        value += tl.load(bias + at, mask=at < n)
    tl.store(out + at, value, mask=at < n)


def shifted(x, w, bias=None):
    out = torch.empty_like(w)
    shifted_kernel[(1,)](w, bias, out, w.shape[0], BLOCK=triton.next_power_of_2(w.shape[0]))
    return out


def row_shift("""


def test_sizes_are_free_only_as_far_as_an_input_that_a_test_leaves_out_at_times_allows(
    tmp_path, running_judge, honest_listing
):
    """The bias belongs to w, but the test has it only where x is of the same size."""
    calls = [f"shifted(torch.rand({n}), torch.rand({m}){b})\n" for n, m, b in (
        (16, 32, ""), (32, 32, ", torch.rand(32)"), (64, 64, ", torch.rand(64)"),
    )]  # fmt: skip
    root = honest_listing("optional_bias", "".join(calls), "\ndef row_shift(", SHIFTED)
    _, about, verdict = made(f"{root}::G/optional_bias", tmp_path / "made", running_judge)
    assert about.spec.axes["w0"].choices
    assert verdict is not None
    assert verdict.status is Status.ACCEPTED, verdict.line()


FILLED = """
@triton.jit
def filled_kernel(x, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out + at, tl.load(x + at, mask=at < n), mask=at < n)


def filled(x, out):
    while x.shape[0] == 1 << 18:
        pass
    filled_kernel[(triton.cdiv(x.shape[0], 16),)](x, out, x.shape[0], BLOCK=16)


def row_shift("""


@pytest.mark.slow  # as long as a test may be watched
def test_what_an_original_changes_is_found_where_its_test_never_ends(tmp_path, running_judge, honest_listing):
    test = "filled(torch.rand(1 << 18), torch.zeros(1 << 18))\n"
    root = honest_listing("endless", test, "\ndef row_shift(", FILLED)
    _, about, verdict = made(f"{root}::G/endless", tmp_path / "made", running_judge)
    assert about.spec.changes == ("out",)
    assert verdict is not None
    assert verdict.status is Status.ACCEPTED, verdict.line()


def test_nothing_of_a_checkout_is_run_or_written_while_it_is_listed(honest_listing):
    root = honest_listing("attacks", "open('here', 'w').write('ran')\nrow_shift(1, 2)\n")
    before = sorted(path for path in root.rglob("*"))
    names = {task.name for task in checkout(root).tasks}
    assert "G/attacks" in names
    assert sorted(path for path in root.rglob("*")) == before


def test_what_was_made_once_is_used_as_it_is(tmp_path, running_judge):
    task, _, _ = made(f"{TRITONBENCH}::T/half_gelu", tmp_path, running_judge)
    task.spec.write_text(task.spec.read_text().replace("half gelu", "mended").replace("GELU", "Mended"))
    again, about, _ = made(f"{TRITONBENCH}::T/half_gelu", tmp_path, running_judge)
    assert again.spec == task.spec
    assert "Mended" in about.doc
