from __future__ import annotations

from pathlib import Path

import pytest

from geak.errors import UsageError
from geak.formats.registry import checkout, located

HERE = Path(__file__).parent
KERNELBENCH = HERE / "kernelbench"


def names(path: Path) -> list[str]:
    return [task.name for task in checkout(path).tasks]


def test_a_checkout_a_part_of_it_and_one_file_hold_the_same_tasks():
    every = ["level1/19_Hinge", "level2/7_Linear_Shift_Sigmoid", "level4/2_somebody-tiny_bs1_seq8"]
    assert names(KERNELBENCH) == every
    assert names(KERNELBENCH / "KernelBench") == every
    assert names(KERNELBENCH / "KernelBench/level2") == every[1:2]
    assert names(KERNELBENCH / "KernelBench/level1/19_Hinge.py") == every[:1]


def test_a_task_is_found_by_the_end_of_its_name_and_one_that_cannot_run_says_why():
    assert located(f"{KERNELBENCH}::19_Hinge")[1].name == "level1/19_Hinge"
    with pytest.raises(UsageError, match="weights of a model and the network"):
        located(f"{KERNELBENCH}::2_somebody-tiny_bs1_seq8")
    with pytest.raises(UsageError, match="did you mean level1/19_Hinge"):
        located(f"{KERNELBENCH}::level1/19_Hinges")


def test_a_path_of_no_known_format_says_what_was_looked_for(tmp_path):
    with pytest.raises(UsageError, match=r"looked for .*KernelBench/level1/1_NAME\.py"):
        checkout(tmp_path)
