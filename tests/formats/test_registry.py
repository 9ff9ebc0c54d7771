from __future__ import annotations

import asyncio
import shutil
from importlib import metadata
from pathlib import Path

import pytest

from geak.batch.choosing import open_dataset
from geak.errors import SpecError, UsageError
from geak.formats import registry
from geak.formats.base import Listed, Scale
from geak.formats.native import Native
from geak.formats.registry import checkout, located, prepared
from geak.judge_process import words
from geak.judges import Judges
from geak.specs import shipped
from geak.tasks import Task
from tests.formats.checkouts import HERE, ROWS

KERNELBENCH = HERE / "kernelbench"


def names(path: Path) -> list[str]:
    return [task.name for task in checkout(path).tasks]


def prepare(name: str, folder: Path, judge: str) -> Task:
    async def one() -> Task:
        async with Judges([words(judge)]) as judges:
            return await prepared(name, folder, judges, Scale())

    return asyncio.run(one())


def kernelbench(root: Path, name: str, text: str) -> Path:
    """A checkout of one task."""
    file = root / "KernelBench/level1" / name
    file.parent.mkdir(parents=True)
    file.write_text(text)
    return root


MODEL = """import torch
import torch.nn as nn

class Model(nn.Module):
    def forward(self, x):
        return {what}

N = 64

def get_inputs():
    return [torch.rand(N, N)]

def get_init_inputs():
    return []
"""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.folder)
def test_a_part_of_a_checkout_holds_its_tasks_by_the_same_names(row):
    every = names(row.root)
    for listed in checkout(row.root).tasks:
        assert listed.name in names(listed.file.parent)
        assert set(names(listed.file.parent)) <= set(every)
    assert listed.name in names(listed.file)


def test_a_folder_of_checkouts_holds_them_all(tmp_path):
    for row in ROWS[:2]:
        shutil.copytree(row.root, tmp_path / row.folder)
    there = checkout(tmp_path)
    assert {where.name for _, where in there.found} == {row.folder for row in ROWS[:2]}
    assert "kernelbench/level1/19_Hinge" in {task.name for task in there.tasks}
    assert located(f"{tmp_path}::level1/19_Hinge")[0].name == "kernelbench"


def test_two_formats_in_one_tree_are_both_listed_and_each_task_once(tmp_path):
    for row in ROWS[:2]:
        shutil.copytree(row.root, tmp_path, dirs_exist_ok=True)
    (tmp_path / "own.py").write_text('"""Doubles."""\nfrom geak_evaluator import Spec\nspec = Spec()\n')
    there = checkout(tmp_path)
    assert [one.name for one, _ in there.found] == ["native", "kernelbench", "multikernelbench"]
    assert names(tmp_path) == ["own", *names(ROWS[0].root), *names(ROWS[1].root)]


def test_tasks_of_one_name_are_named_and_the_first_is_meant(tmp_path):
    (tmp_path / "a").mkdir()
    first = kernelbench(tmp_path / "a", "1_Same.py", MODEL.format(what="x + 1"))
    shutil.copytree(ROWS[1].root / "reference", first / "reference")
    shutil.copytree(first / "reference/activation", first / "reference/level1")
    shutil.copy(first / "KernelBench/level1/1_Same.py", first / "reference/level1/1_Same.py")
    there = checkout(first)
    assert there.duplicates == ("level1/1_Same",)
    assert there.task("level1/1_Same").format == "kernelbench"


def test_a_task_is_found_by_the_end_of_its_name_and_one_that_cannot_run_says_why():
    assert located(f"{KERNELBENCH}::19_Hinge")[1].name == "level1/19_Hinge"
    with pytest.raises(UsageError, match="weights of a model and the network"):
        located(f"{KERNELBENCH}::2_somebody-tiny_bs1_seq8")
    with pytest.raises(UsageError, match="did you mean level1/19_Hinge"):
        located(f"{KERNELBENCH}::level1/19_Hinges")
    with pytest.raises(UsageError, match="several 'forward'"):
        located(f"{ROWS[2].root}::forward")


def test_what_ships_is_found_by_its_name_alone(tmp_path, monkeypatch):
    assert located("starter::softmax")[1].file == shipped() / "softmax.py"
    assert [task.name for task in open_dataset("softmax").tasks] == ["softmax"]
    monkeypatch.chdir(tmp_path)
    kernelbench(tmp_path / "starter", "1_One.py", "")
    with pytest.raises(UsageError):  # a folder of that name goes before
        located("starter::softmax")


def test_a_path_of_no_known_format_says_what_was_looked_for(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        checkout(tmp_path / "nowhere")
    (tmp_path / "notes.py").write_text("print('hello')\n")
    for path in (tmp_path, tmp_path / "notes.py"):
        with pytest.raises(UsageError) as told:
            checkout(path)
        for one in registry.formats():
            assert one.layout in str(told.value)


def test_a_reference_that_fails_here_is_told_and_the_draft_names_no_folder_of_ours(tmp_path, running_judge):
    root = kernelbench(tmp_path / "co", "1_Broken.py", MODEL.format(what="torch.no_such_operation(x)"))
    with pytest.raises(SpecError) as told:
        prepare(f"{root}::1_Broken", tmp_path / "out", running_judge)
    assert str(told.value).startswith("level1/1_Broken does not run here: level1_1_Broken.py")
    assert "no_such_operation" in str(told.value)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_reference_that_takes_one_size_only_is_single_shape(tmp_path, running_judge):
    fixed = MODEL.format(what="x * torch.arange(float(N * N)).to(x).reshape(N, N)").replace("(N, N)]", "(N, N)]")
    root = kernelbench(tmp_path / "co", "1_Fixed.py", fixed)
    task = prepare(f"{root}::1_Fixed", tmp_path / "out", running_judge)
    assert task.single_shape
    assert "single-shape" in task.spec.read_text()
    again = prepare(f"{root}::1_Fixed", tmp_path / "out", running_judge)
    assert (again.single_shape, again.findings) == (True, task.findings)


def test_a_domain_counts_only_where_the_reference_accepts_what_is_drawn_from_it(tmp_path, running_judge):
    picky = (
        MODEL.format(what="picky(x)") + "\ndef picky(x):\n    if x.shape[0] % 8:\n        raise ValueError('eights')\n"
    )
    root = kernelbench(tmp_path / "co", "1_Picky.py", picky + "    return x + 1\n")
    task = prepare(f"{root}::1_Picky", tmp_path / "out", running_judge)
    assert task.single_shape  # two of the drafted cases are multiples of 8, and what lies between them is not


def test_a_spec_that_was_mended_by_hand_is_used_and_looked_at_anew(tmp_path, running_judge):
    task = prepare(f"{KERNELBENCH}::19_Hinge", tmp_path, running_judge)
    assert task.soft == ()
    task.spec.write_text(task.spec.read_text().replace("return torch.relu(x) *", "return 0 * torch.relu(x) *"))
    mended = prepare(f"{KERNELBENCH}::19_Hinge", tmp_path, running_judge)
    assert any("zeros" in text for text in mended.soft)


def test_nothing_of_a_task_runs_while_it_is_read(tmp_path, running_judge):
    marker = tmp_path / "ran"
    attack = f"open({str(marker)!r}, 'w').close()\n"
    text = attack + MODEL.format(what="x * x").replace("N = 64", f"N = 64\n{attack}")
    text = text.replace("def get_inputs():\n", f"def get_inputs():\n    {attack}")
    root = kernelbench(tmp_path / "co", "1_Attack.py", text)
    assert names(root) == ["level1/1_Attack"]
    prepare(f"{root}::1_Attack", tmp_path / "out", running_judge)
    assert not marker.exists()
    exec(compile(attack, "attack", "exec"))
    assert marker.exists()  # where it runs, it would be seen


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MODEL.format(what="-" * 100_000 + "x"), "nested too deeply"),
        (MODEL.format(what="x" + ".a" * 3_000), "nested too deeply"),
        (MODEL.format(what="x") + "#" * (1 << 20), "has 1048"),
        (MODEL.format(what="x ="), "not Python"),
        (MODEL.format(what="x") + "\0", "binary"),
        ("class Model:\n    pass\ndef get_inputs():\n    pass\n", "1_Bad cannot be made a spec"),
    ],
    ids=["deep", "long", "huge", "wrong", "binary", "empty"],
)
def test_a_file_that_cannot_be_read_is_one_sentence_and_the_others_are_listed(tmp_path, running_judge, text, message):
    root = kernelbench(tmp_path / "co", "1_Bad.py", text)
    (root / "KernelBench/level1/2_Good.py").write_text(MODEL.format(what="x + 1"))
    assert names(root) == ["level1/1_Bad", "level1/2_Good"]
    with pytest.raises(UsageError) as told:
        prepare(f"{root}::1_Bad", tmp_path / "out", running_judge)
    assert message in str(told.value)
    assert "\n" not in str(told.value)


class Tiny(Native):
    """Somebody's own format: every text file is a task."""

    name = "tiny"
    layout = "tiny: a folder with TASK.txt"

    def recognises(self, root: Path) -> bool:
        return root.is_dir() and any(root.glob("*.txt"))

    def tasks(self, root):
        return [Listed(file.stem, file, self.name, why_not="it is only a text") for file in sorted(root.glob("*.txt"))]


@pytest.fixture
def plugged(monkeypatch):
    """Entry points as other packages install them."""

    def plug(*entries: str) -> None:
        found = metadata.EntryPoints(
            metadata.EntryPoint(name=f"one{number}", value=value, group=registry.GROUP)
            for number, value in enumerate(entries)
        )
        monkeypatch.setattr(registry.metadata, "entry_points", lambda *, group: found.select(group=group))
        registry.formats.cache_clear()

    yield plug
    monkeypatch.undo()
    registry.formats.cache_clear()


def test_a_format_of_another_package_is_found_by_its_entry_point(tmp_path, plugged):
    (tmp_path / "poem.txt").write_text("x")
    with pytest.raises(UsageError, match="no format that is known"):
        checkout(tmp_path)
    plugged(f"{__name__}:Tiny")
    assert [(task.name, task.format) for task in checkout(tmp_path).tasks] == [("poem", "tiny")]
    with pytest.raises(UsageError, match="only a text"):
        located(f"{tmp_path}::poem")


def test_a_plug_in_that_cannot_be_loaded_is_named_and_costs_the_others_nothing(tmp_path, plugged):
    plugged("no_such_module_anywhere:Format", f"{__name__}:Tiny")
    with pytest.raises(UsageError, match="one0: no_such_module_anywhere:Format cannot be loaded"):
        checkout(tmp_path)
    assert names(KERNELBENCH)[0] == "level1/19_Hinge"


def test_another_version_of_a_benchmark_is_listed_with_a_note(tmp_path):
    shutil.copytree(KERNELBENCH, tmp_path, dirs_exist_ok=True)
    assert checkout(tmp_path).notes == ()
    git = tmp_path / ".git"
    (git / "refs/heads").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "refs/heads/main").write_text("ab" * 20 + "\n")
    (note,) = checkout(tmp_path / "KernelBench").notes
    assert note.startswith("this is commit abababab, and kernelbench was tried at 423217d9")
    (git / "refs/heads/main").unlink()
    (git / "packed-refs").write_text("# pack-refs\n423217d9" + "0" * 32 + " refs/heads/main\n")
    assert checkout(tmp_path).commit.startswith("423217d9")
    assert checkout(tmp_path).notes == ()
    shutil.copytree(HERE / "backendbench", tmp_path, dirs_exist_ok=True)  # whose traces have a repository of their own
    assert "backendbench was tried at 66e0dbc0 and db2155c8" in checkout(tmp_path).notes[-1]
    (git / "packed-refs").write_text("# pack-refs\n" + "db2155c8" * 5 + " refs/heads/main\n")
    assert not any("backendbench" in note for note in checkout(tmp_path).notes)
