"""Anybody's kernels are found by how they lie."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from geak.batch.choosing import open_dataset
from geak.errors import UsageError
from geak.submissions import collect, strangers

KERNELBENCH = Path(__file__).parents[1] / "formats" / "kernelbench"


@pytest.fixture
def tasks(tmp_path: Path) -> dict[str, Path]:
    """Three tasks of a checkout, each with its file."""
    found = {}
    for name in ("level1/19_ReLU", "level1/1_Matmul", "level2/19_Other"):
        file = tmp_path / "checkout" / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"# the gold of {name}\ndef kernel():\n    return '{name}'\n")
        found[name] = file
    return found


def files(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"# {name}\n")
    return folder


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["level1/19_ReLU.py"], [("level1/19_ReLU", 1, "level1/19_ReLU.py")]),
        (["level1__19_ReLU.py"], [("level1/19_ReLU", 1, "level1__19_ReLU.py")]),
        (
            ["level1__1_Matmul/b.py", "level1__1_Matmul/a.py"],
            [("level1/1_Matmul", 1, "level1__1_Matmul/a.py"), ("level1/1_Matmul", 2, "level1__1_Matmul/b.py")],
        ),
        (
            # KernelBench's own: by level and number, samples in their order; a problem that is not ours is passed over
            [
                f"level_{at}_kernel.py"
                for at in ("1_problem_19_sample_10", "1_problem_19_sample_2", "2_problem_19_sample_0")
            ]
            + ["level_3_problem_1_sample_0_kernel.py", "level_1_problem_19_sample_0_prompt.txt"],
            [
                ("level1/19_ReLU", 1, "level_1_problem_19_sample_2_kernel.py"),
                ("level1/19_ReLU", 2, "level_1_problem_19_sample_10_kernel.py"),
                ("level2/19_Other", 1, "level_2_problem_19_sample_0_kernel.py"),
            ],
        ),
    ],
)
def test_a_folder(tasks: dict[str, Path], tmp_path: Path, names: list[str], found: list[tuple[str, int, str]]) -> None:
    kernels, missing = collect(tasks, files(tmp_path / "kernels", *names))
    assert [(one.task, one.repeat, one.label) for one in kernels] == found
    assert all(one.source == f"# {one.label}\n" for one in kernels)
    assert missing == [name for name in tasks if name not in {one.task for one in kernels}]


@pytest.mark.parametrize(
    ("names", "strange"),
    [
        (["level1/19_ReLU.py", "relu.py", "more/deep/er.py", "__init__.py", ".old/x.py"], ["more/deep/er", "relu"]),
        (["level1__1_Matmul/a.py", "level1__1_Matmul/__init__.py", "notes.txt"], []),
        (
            ["level_1_problem_19_sample_0_kernel.py", "level_3_problem_1_sample_0_kernel.py", "tool.py"],
            ["level_3_problem_1_sample_0_kernel"],
        ),
    ],
)
def test_a_kernel_of_no_task_is_named(
    tasks: dict[str, Path], tmp_path: Path, names: list[str], strange: list[str]
) -> None:
    folder = files(tmp_path / "kernels", *names)
    found, _ = collect(tasks, folder)
    assert strangers(tasks, folder, found) == strange


def test_a_run_of_a_checkouts_task(tasks: dict[str, Path], tmp_path: Path) -> None:
    run = files(tmp_path / "run", "best.py")
    (run / "events.jsonl").write_text('{"event":"begun","conditions":{"spec":"level1_19_ReLU"}}\n')
    ((one,), missing) = collect(tasks, run)
    assert (one.task, one.label) == ("level1/19_ReLU", "best.py")
    assert missing == ["level1/1_Matmul", "level2/19_Other"]


def test_a_task_of_a_run_that_is_not_asked_for_is_named(kernel_run: Path, dataset_run: Path) -> None:
    assert strangers({"double": Path("double.py")}, kernel_run, []) == []
    names = ("softmax", "level1/19_ReLU", "<i>tags<__i>", "later")
    assert strangers({name: Path("x.py") for name in names}, dataset_run, []) == ["easy"]


def test_what_a_run_of_ours_handed_over(kernel_run: Path, dataset_run: Path) -> None:
    (one,), missing = collect({"double": Path("double.py"), "other": Path("other.py")}, kernel_run)
    assert (one.task, one.label, missing) == ("double", "best.py", ["other"])
    assert "double_kernel" in one.source
    names = ("softmax", "level1/19_ReLU", "<i>tags</i>", "later", "easy")
    many, missing = collect({name: Path("x.py") for name in names}, dataset_run)
    assert missing == ["later"]
    by_place = {(one.task, one.repeat): one.label for one in many}
    assert by_place["level1/19_ReLU", 1].endswith("/1/best.py")
    assert by_place["level1/19_ReLU", 2].endswith("/2/nearest.py")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ({"name": "level1/19_ReLU", "kernel": "x = 1\n"}, ("level1/19_ReLU", "x = 1\n")),
        ({"file": "level1/1_Matmul.py", "predict": "x = 2\n"}, ("level1/1_Matmul", "x = 2\n")),
        # the label is the gold text, as a tokenizer gave it back; the answer is what stands in the last fence
        (
            {
                "label": "def kernel():\n  return 'level2/19_Other'<|im_end|>",
                "predict": "So:\n```python\nx = 3\n```\n<|EOT|>",
            },
            ("level2/19_Other", "x = 3\n"),
        ),
    ],
)
def test_a_line(tasks: dict[str, Path], tmp_path: Path, line: dict[str, str], found: tuple[str, str]) -> None:
    file = tmp_path / "kernels.jsonl"
    file.write_text(json.dumps(line) + "\n\n")
    ((one,), _) = collect(tasks, file)
    assert (one.task, one.source, one.label) == (*found, "line 1")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[]", "line 1: wanted"),
        ('{"name": "nobody", "kernel": ""}', "line 1: there is no task 'nobody' among them"),
        ('{"name": "level1/19_ReLU", "kernel": 3}', "line 1: wanted"),
        ('{"predict": 3, "file": "level1/1_Matmul"}', '"predict" is no text'),
        ('{"predict": "x", "label": "of another dataset"}', '"label" is part of no task\'s file'),
        ('{"predict": "x", "label": ""}', '"label" is part of no task\'s file'),
        ("[" * 9999, "line 1: wanted"),
    ],
)
def test_a_line_that_cannot_be_meant(tasks: dict[str, Path], tmp_path: Path, line: str, words: str) -> None:
    file = tmp_path / "kernels.jsonl"
    file.write_text(line)
    with pytest.raises(UsageError) as error:
        collect(tasks, file)
    assert words in str(error.value)


def test_a_real_checkout_of_kernelbench(tmp_path: Path) -> None:
    listed = {one.name: one.file for one in open_dataset(str(KERNELBENCH)).tasks}
    name = next(one for one in listed if "19_" in one)
    kernels = files(tmp_path / "run", "level_1_problem_19_sample_0_kernel.py")
    ((one,), _) = collect(listed, kernels)
    assert one.task == name
