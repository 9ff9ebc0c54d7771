"""Whole runs under the real judge: from words to a spec to a kernel, and from a kernel that has no spec."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import geak
from geak.journal.events import Announced, Ended, Judged, Moved, Received
from geak.journal.store import read
from geak.population import GIVEN
from geak.runs import Result
from geak.tasks import SPEC
from geak_evaluator.schema.spec import UNREVIEWED
from geak_evaluator.schema.verdict import DRAFTED
from tests.loop.stage import kernel

WORDS = "double each element of a vector"
UNFIT = '''"""Twice each element."""
from geak_evaluator import Axis, Spec, Tensor

spec = Spec(axes={"N": Axis(1, 4096)}, inputs={"x": Tensor("M")}, cases=[{"N": 1}, {"N": 1000}], entry="double")


def reference(x):
    return x * 2
'''
FIT = UNFIT.replace('Tensor("M")', 'Tensor("N")')

ORIGINAL = """import torch
import triton
import triton.language as tl


@triton.jit
def _blend(x, y, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mine = at < n
    tl.store(out + at, tl.load(x + at, mask=mine) * 0.25 + tl.load(y + at, mask=mine) * 0.75, mask=mine)


def blend(x, y):
    assert x.shape == y.shape
    out = torch.empty_like(x)
    n = x.numel()
    _blend[(triton.cdiv(n, 64),)](x, y, out, n, BLOCK=64)
    return out
"""
WIDER = ORIGINAL.replace("64", "1024")
WRONG = WIDER.replace("0.75", "0.5")


@pytest.fixture(autouse=True)
def _judge(monkeypatch: pytest.MonkeyPatch, running_judge: str) -> None:
    monkeypatch.setenv("GEAK_JUDGE", running_judge)  # the real one, started once


def script(place: Path, **replies: Sequence[str]) -> str:
    """A model that gives each role these replies in turn."""
    lines = [
        f"[[reply]]\nrole = '{role}'\ntext = {json.dumps(text)}\n" for role, said in replies.items() for text in said
    ]
    (place / "replies.toml").write_text("\n".join(lines))
    return f"scripted:{place / 'replies.toml'}"


def file(source: str) -> str:
    return f"Here it is.\n\n```python\n{source}```\n"


def from_words(place: Path, out: str, **more: Any) -> Result:
    model = script(place, drafter=[file(UNFIT), file(FIT)], generator=[file(kernel(1))])
    return geak.generate(from_text=WORDS, model=model, target=("gfx942",), rounds=1, out=place / out, **more)


def handed_over(result: Result) -> tuple[str, dict[str, Any]]:
    return (result.folder / "best.py").read_text(), json.loads((result.folder / "best.json").read_text())


@pytest.mark.slow
def test_words_become_a_spec_that_is_mended_and_unreviewed_until_a_person_confirms_it(tmp_path: Path) -> None:
    result = from_words(tmp_path, "unread")
    assert (result.exit_code, result.source) == (0, kernel(1)), result.message
    drafting = geak.load_run(result.folder / SPEC)
    asked = [drafting.text(e.event.prompt) for e in drafting.entries if isinstance(e.event, Announced)]
    assert len(asked) == 2
    assert "It cannot be used as it is" in asked[1]
    assert (result.folder / SPEC / "double.py").read_text() == f"{UNREVIEWED}\n{FIT}"
    assert result.best is not None
    for verdict in (result.best.verdict, result.best.final):
        assert verdict is not None
        assert verdict.line().startswith("ACCEPTED double")
        assert verdict.line().endswith(DRAFTED)
    source, record = handed_over(result)
    assert f"# {'':<11}{DRAFTED}\n" in source
    assert record["spec"]["review"] == DRAFTED
    assert record["accepted"]

    journal = (result.folder / SPEC / "events.jsonl").read_bytes()
    again = from_words(tmp_path, "unread")
    assert again.exit_code == 0
    assert again.run == result.run
    assert (result.folder / SPEC / "events.jsonl").read_bytes() == journal, "nothing is drafted twice"
    assert sum(isinstance(e.event, Received) for e in read(result.folder)) == 1
    assert sum(isinstance(e.event, Ended) for e in read(result.folder)) == 2

    shown: list[tuple[Path, str]] = []
    read_by_a_person = from_words(
        tmp_path, "read", review=lambda path, findings: bool(shown.append((path, path.read_text())) or True)
    )
    assert shown == [(tmp_path / "read" / SPEC / "double.py", f"{UNREVIEWED}\n{FIT}")]
    assert (tmp_path / "read" / SPEC / "double.py").read_text() == FIT
    assert read_by_a_person.best is not None
    assert read_by_a_person.best.final is not None
    assert DRAFTED not in read_by_a_person.best.final.line()
    source, record = handed_over(read_by_a_person)
    assert DRAFTED not in source
    assert record["spec"]["review"] == ""


def test_a_kernel_without_a_spec_is_the_oracle_and_is_judged_first(tmp_path: Path) -> None:
    (tmp_path / "blend.py").write_text(ORIGINAL)
    lesson = '{"cause": "the weights are others", "advice": "keep them", "tried": "wider", "outcome": "neutral"}'
    plan = '{"evidence": "loads of 32 bits", "change": "take 1024 elements a program"}'
    model = script(tmp_path, optimizer=[plan], generator=[file(WRONG), file(WIDER)], reflector=[lesson])
    result = geak.optimize(tmp_path / "blend.py", model=model, target=("gfx942",), rounds=2, out=tmp_path / "run")
    assert (result.exit_code, result.source) == (0, WIDER), result.message
    events = [entry.event for entry in read(result.folder)]
    first = [e for e in events if isinstance(e, Moved | Judged)][:3]
    assert [e.move.candidate if isinstance(e, Moved) else e.candidate for e in first] == [GIVEN, GIVEN, "1.1"]
    candidates = result.population.candidates
    assert {name: c.move.kind for name, c in candidates.items()} == {GIVEN: "given", "1.1": "optimise", "1.2": "repair"}
    given, wrong, better = (candidates[name].verdict for name in (GIVEN, "1.1", "1.2"))
    assert given is not None
    assert wrong is not None
    assert better is not None
    for verdict in (given, better):
        assert "agrees with the original by interpreter" in verdict.line()
    assert wrong.line().startswith("REJECTED blend")
    source, record = handed_over(result)
    assert record["spec"]["oracle"] == "peer"
    assert record["spec"]["review"] == ""
    assert record["original"] == str(tmp_path / "blend.py")
    assert "agrees with the original" in source
    assert WIDER in source
    assert (tmp_path / "blend.py").read_text() == ORIGINAL
