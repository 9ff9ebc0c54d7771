"""What lies in a run's folder for a person to take away."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from geak import handover
from geak.errors import MachineError
from geak.journal.events import (
    Announced,
    Begun,
    Conditions,
    Event,
    Judged,
    Move,
    Moved,
    Received,
    RoleModel,
    Unwritten,
    Written,
)
from geak.models.base import Usage
from geak.population import Population, fold
from geak.specs import find
from geak_evaluator.judge import Judge
from geak_evaluator.oracle import SpecFile
from geak_evaluator.schema import codec
from geak_evaluator.schema.spec import Axis, Case, Description, Spec, Tensor
from geak_evaluator.schema.verdict import CaseResult, Cause, Status, Tier, Verdict

ABOUT = Description(
    "double",
    "Twice each element.",
    Spec({"N": Axis(1, 512)}, {"x": Tensor("N", "T")}, (Case({"N": 4}),), dtypes={"T": ("fp16", "fp32")}),
    ("x",),
)
SEEN = CaseResult(Case({"N": 4}))
HIDDEN = CaseResult(Case({}), hidden="a size that is no multiple of a tile")
GOOD = Verdict("double", Status.ACCEPTED, "interpreter", "gfx942", "float64", "isolated", (SEEN, SEEN, HIDDEN), asked=3)
BAD = Verdict(
    *("double", Status.REJECTED, "interpreter", "gfx942", "float64", "isolated"),
    cases=(SEEN, CaseResult(Case({"N": 5}), Cause.WRONG_VALUES, "output: 1 of 5 elements wrong")),
    asked=3,
)
FAR = replace(BAD, cases=(CaseResult(Case({"N": 4}), Cause.NOT_PYTHON, "it is no Python"),))


class Run:
    """A run's folder and the events of it that matter here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.texts: dict[str, str] = {}
        models = {"generator": RoleModel("scripted:a")}
        self.conditions = Conditions("double", str(folder / "double.py"), "5bec" * 16, "double", models)
        self.events: list[Event] = [Begun(1, "run-7", self.conditions, "0.1.0", {"torch": "2.13.0", "triton": "3.9.0"})]

    def add(self, name: str, source: str, verdict: Verdict | None, *parents: str, tier: Tier = Tier.FULL) -> None:
        if all(not (isinstance(e, Moved) and e.move.candidate == name) for e in self.events):
            lineage, _, number = name.partition(".")
            kind = "given" if name == "0" else "optimise" if parents else "draft"
            self.events.append(Moved(Move(name, kind, int(lineage), int(number or 0), parents)))
            blob = hashlib.sha256(source.encode("utf-8", "surrogateescape")).hexdigest()
            self.texts[blob] = source
            self.events.append(Written(name, blob, "wider tiles"))
        if verdict is not None:
            self.events.append(Judged(name, tier, verdict))

    @property
    def population(self) -> Population:
        return fold(self.conditions, self.events)

    def write(self, about: Description = ABOUT) -> Path | None:
        return handover.write(self.folder, self.population, self.texts.__getitem__, about)

    @property
    def files(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}

    @property
    def record(self) -> dict[str, object]:
        found: dict[str, object] = json.loads((self.folder / "best.json").read_text())
        return found


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_the_best_says_where_it_is_from_and_is_otherwise_unchanged(run: Run) -> None:
    run.add("1.1", "a = 1\n", BAD)
    run.add("1.2", "b = 2\n", GOOD, "1.1")
    run.add("2.3", "c = 3\n", GOOD, "1.2")
    run.add("2.3", "c = 3\n", GOOD, tier=Tier.FINAL)
    run.events.append(Judged("1.2", Tier.FINAL, BAD))
    assert run.write() == run.folder / "best.py"
    assert run.files == {"best.py", "best.json"}
    text = (run.folder / "best.py").read_text()
    assert handover.without_header(text) == "c = 3\n"
    assert text.endswith("c = 3\n")
    assert all(line.startswith("#") for line in text.splitlines()[:-1])
    flat = " ".join(text.replace("\n# ", " ").split())
    for words in (
        "run run-7, GEAK 0.1.0",
        f"candidate 2.3 <- 1.2 <- 1.1, sha256 {hashlib.sha256(b'c = 3' + bytes([10])).hexdigest()}",
        "written by scripted:a",
        f"spec double, sha256 {'5bec' * 16}",
        "verdict ACCEPTED double proved by interpreter, 3 cases (1 hidden) (tier full)",
        "oracle float64, policy pure, sandbox isolated",
        "judge torch 2.13.0, triton 3.9.0",
    ):
        assert words in flat, flat
    assert "unreviewed" not in text
    assert "import" not in text


def test_a_record_for_programs(run: Run) -> None:
    run.conditions = replace(run.conditions, drafted=True, original="kernel.py")
    run.add("0", "a = 1\n", BAD)
    run.add("1.1", "b = 2\n", GOOD, "0")
    run.events += [
        Announced(1, "1.1", "generator", "scripted:a", "p", 100, 0.5),
        Received(1, "r", "stop", Usage(10, 20), 0.25, "scripted:a", 1.0),
    ]
    run.write()
    record = run.record
    assert (record["run"], record["accepted"], record["candidate"], record["why_not"]) == ("run-7", True, "1.1", "")
    assert record["files"] == ["best.py"]
    assert record["spec"] == {
        "name": "double",
        "path": str(run.folder / "double.py"),
        "sha256": "5bec" * 16,
        "entry": "double",
        "oracle": "float64",
        "review": "drafted reference, unreviewed",
    }
    assert record["domain"] == {
        "axes": {"N": {"max": 512}},
        "where": [],
        "dtypes": {"T": ["fp16", "fp32"]},
        "cases": 3,
        "hidden_cases": 1,
    }
    assert (record["targets"], record["policy"]) == (["gfx942", "sm_90"], "pure")
    assert codec.from_json(Verdict, record["verdict"]) == GOOD
    assert (record["final"], record["judge"]) == (None, {"torch": "2.13.0", "triton": "3.9.0"})
    assert record["lineage"] == [
        {"candidate": "0", "kind": "given", "parents": [], "change": "wider tiles"},
        {"candidate": "1.1", "kind": "optimise", "parents": ["0"], "change": "wider tiles"},
    ]
    assert record["spent"] == {
        "usd": 0.25,
        "usd_of_lost_calls": 0.0,
        "calls": 1,
        "calls_without_price": 0,
        "usage": {"input": 10, "output": 20},
    }
    assert "drafted reference, unreviewed" in (run.folder / "best.py").read_text()


def test_an_unknown_price_is_not_told_as_nothing(run: Run) -> None:
    run.add("1.1", "a = 1\n", GOOD)
    run.events += [
        Announced(1, "1.1", "generator", "m", "p", 100, None),
        Received(1, "r", "stop", Usage(10, 20), None, "m", 1.0),
    ]
    run.write()
    assert run.record["spent"]["usd"] is None  # type: ignore[index]


def test_the_kernel_that_was_given_is_the_best_while_none_is_better(run: Run) -> None:
    run.conditions = replace(run.conditions, original="my/kernel.py")
    run.add("0", "a = 1\n", GOOD)
    run.add("1.1", "b = 2\n", BAD)
    assert run.write() == run.folder / "best.py"
    text = (run.folder / "best.py").read_text()
    assert handover.without_header(text) == "a = 1\n"
    assert "written by given: my/kernel.py" in text


def test_without_an_accepted_one_the_nearest_is_there_and_marked(run: Run) -> None:
    assert run.write() is None
    assert run.files == {"best.json"}
    assert (run.record["accepted"], run.record["why_not"]) == (False, "no candidate was written")
    run.events += [Moved(Move("1.1", "draft", 1, 1)), Unwritten("1.1", "no answer held a kernel")]
    assert run.write() is None
    assert run.record["why_not"] == "no candidate was written"
    run.add("1.2", "a = 1\n", FAR)
    run.add("1.3", "b = 2\n", BAD)
    assert run.write() is None
    assert run.files == {"best.json", "nearest.py"}
    text = (run.folder / "nearest.py").read_text()
    assert handover.without_header(text) == "b = 2\n"
    assert "verdict    REJECTED double  output: 1 of 5 elements wrong [N=5] (tier full)" in text
    assert (run.record["accepted"], run.record["candidate"], run.record["files"]) == (False, "1.3", ["nearest.py"])
    assert run.record["why_not"] == "REJECTED double  output: 1 of 5 elements wrong [N=5]"
    run.add("1.4", "c = 3\n", GOOD)
    assert run.write() is not None
    assert run.files == {"best.json", "best.py"}
    run.add("1.4", "c = 3\n", BAD, tier=Tier.FINAL)
    assert run.write() is None
    assert run.files == {"best.json", "nearest.py"}
    assert (run.record["candidate"], run.record["why_not"]) == (
        "1.4",
        "REJECTED double  output: 1 of 5 elements wrong [N=5]",
    )


@pytest.mark.parametrize(
    "source",
    [
        "x = 1",
        "",
        '"""What it does."""\nfrom __future__ import annotations\nx: Unknown = 1\n',
        "from __future__ import annotations\nx: Unknown = 1\n",
        "#!/usr/bin/env python3\n# -*- coding: latin-1 -*-\nx = '\udce9'\n",
        "# coding: latin-1\nx = '\udce9'\n",
        "\n# vim: set fileencoding=latin-1 :\nx = '\udce9'\n",
        "# A comment.\r\n# coding=latin-1\r\nx = '\udce9'\r\n",
        "#!/usr/bin/env python3\nx = 1\n",
        '\ufeff"""A mark of bytes."""\nx = \'é\'\n',
        "x = '''\n# <<< geak\n'''\n",
        "# A comment.\n# Another.\n# coding: too late\nx = 1\n",
    ],
)
def test_what_stands_at_the_top_of_a_source_still_holds(run: Run, source: str) -> None:
    run.add("1.1", source, GOOD)
    run.write()
    path = run.folder / "best.py"
    data = path.read_bytes()
    assert handover.without_header(data.decode("utf-8", "surrogateescape")) == source
    assert data.startswith(b"#!") == source.startswith("#!")
    shown = "import ast, sys; tree = ast.parse(open(sys.argv[1], 'rb').read()); print(ascii(ast.dump(tree)))"
    plain = run.folder / "plain.py"
    plain.write_bytes(source.encode("utf-8", "surrogateescape"))
    told = [subprocess.check_output([sys.executable, "-c", shown, str(p)]) for p in (path, plain)]
    assert told[0] == told[1]
    subprocess.run([sys.executable, str(path)], check=True)


def test_words_from_elsewhere_cannot_leave_the_comment(run: Run) -> None:
    run.conditions = replace(run.conditions, original="a\nimport os\r\u2028# coding: utf-7 é \x1b[31m.py")
    run.add("0", "a = 1\n", GOOD)
    run.write()
    text = (run.folder / "best.py").read_text()
    assert text.isascii()
    assert compile(text, "best.py", "exec").co_names == ("a",)
    assert not [c for c in text if not c.isprintable() and c != "\n"]


def test_a_header_of_an_earlier_run_is_part_of_the_source(run: Run) -> None:
    run.add("1.1", "a = 1\n", GOOD)
    run.write()
    before = (run.folder / "best.py").read_text()
    run.add("1.2", before, GOOD, "1.1")
    run.events.append(Judged("1.1", Tier.FINAL, BAD))
    run.write()
    assert handover.without_header((run.folder / "best.py").read_text()) == before


def test_what_is_brought_back_is_new_or_known(run: Run) -> None:
    run.add("1.1", "a = 1\n", GOOD)
    run.write()
    best = (run.folder / "best.py").read_text()
    assert handover.returned(best, run.population) is None
    assert handover.returned("a = 1\n", run.population) is None
    assert handover.returned(best.replace("a = 1", "a = 2"), run.population) == "a = 2\n"
    assert handover.returned("a = 1", run.population) == "a = 1"


def git_apply(patch: Path, project: Path) -> None:
    subprocess.run(["git", "apply", "--verbose", str(patch)], cwd=project, check=True)


def patch_p1(patch: Path, project: Path) -> None:
    subprocess.run(["patch", "-p1", "--binary", "-i", str(patch)], cwd=project, check=True)


@pytest.mark.parametrize("apply", [git_apply, patch_p1])
@pytest.mark.parametrize("name", ["pkg/ops/scale.py", "my ops/scale.py"])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a = 1\nb = 2\n", "a = 1\nb = 3\n"),
        ("a = 1\nb = 2", "a = 1\nb = 3"),
        ("a = 1\r\nb = 2\r\n", "a = 1\r\nb = 3\r\n"),
        ("a = '\x0c\u2028'\nb = '\udce9'\n", "a = '\x0c\u2028'\nb = '\udce8'\n"),
        ("".join(f"x{i} = 1\n" for i in range(60)), "".join(f"x{i} = {i % 20}\n" for i in range(60))),
        ("", "a = 1\n"),
        (None, "a = 1\n"),
    ],
)
def test_a_project_gets_a_patch_that_applies(
    run: Run, apply: Callable[[Path, Path], None], name: str, before: str | None, after: str
) -> None:
    if shutil.which(apply.__name__.split("_")[0]) is None:
        pytest.skip("it is not installed here")
    project = run.folder / "project"
    file = project / name
    file.parent.mkdir(parents=True)
    if before is not None:
        file.write_bytes(before.encode("utf-8", "surrogateescape"))
    run.add("1.1", after, GOOD)
    about = replace(ABOUT, spec=replace(ABOUT.spec, project="project", files=(name,)))
    found = run.write(about)
    assert found == run.folder / "best.patch"
    assert run.record["files"] == ["best.patch", "best.py"]
    assert "verdict    ACCEPTED double" in found.read_text(errors="surrogateescape")
    apply(found, project)
    assert file.read_bytes() == after.encode("utf-8", "surrogateescape")
    assert run.write(replace(ABOUT)) == run.folder / "best.py"
    assert not found.exists()


def test_a_patch_is_against_the_file_as_the_run_found_it(run: Run) -> None:
    project = run.folder / "project"
    project.mkdir()
    file = project / "scale.py"
    file.write_text("b = 2\n")  # somebody has applied an earlier patch meanwhile
    run.conditions = replace(run.conditions, original=str(file))
    run.add("0", "a = 1\n", BAD)
    run.add("1.1", "b = 2\n", GOOD, "0")
    found = run.write(replace(ABOUT, spec=replace(ABOUT.spec, project="project", files=("scale.py",))))
    assert found is not None
    assert found.read_text().endswith("--- a/scale.py\n+++ b/scale.py\n@@ -1 +1 @@\n-a = 1\n+b = 2\n")


def test_a_folder_that_cannot_be_written_is_told(run: Run) -> None:
    run.add("1.1", "a = 1\n", GOOD)
    run.folder = run.folder / "gone"
    with pytest.raises(MachineError, match=r"best\.py cannot be written: no such file or directory"):
        run.write()


def test_the_judge_accepts_what_is_handed_over(run: Run, judge: Judge) -> None:
    spec = SpecFile.read(find("softmax"))
    source = (find("softmax").parent / "kernels" / "softmax.py").read_text()
    run.add("1.1", source, judge.evaluate(spec, source.encode(), tier=Tier.GATE))
    path = run.write(judge.describe(spec))
    assert path is not None
    again = judge.evaluate(spec, path.read_bytes(), tier=Tier.GATE)
    assert again.status is Status.ACCEPTED, again.line()
