"""The judge as a process: whatever it is asked, it answers and goes on."""

import io
import json
from pathlib import Path

import pytest
from trial import KERNEL, SPEC, changed

from geak_evaluator import serve as module
from geak_evaluator.judge import Judge
from geak_evaluator.schema import codec
from geak_evaluator.schema.findings import Findings
from geak_evaluator.schema.spec import Description
from geak_evaluator.schema.verdict import Cause, Verdict
from geak_evaluator.schema.wire import VERSION, Hello, Request, Response


def talk(box, *requests: object) -> list[Response]:
    """Its answers, after a hello that can be read."""
    lines = [r if isinstance(r, str) else codec.dumps(r) for r in requests]
    answers = io.StringIO()
    module.serve(box, io.StringIO("".join(f"{line}\n" for line in lines)), answers)
    hello, *rest = answers.getvalue().splitlines()
    assert codec.from_json(Hello, json.loads(hello)).version == VERSION
    assert len(rest) == len(lines)
    return [codec.from_json(Response, codec.loads(line)) for line in rest]


def ask(op: str = "evaluate", number: int = 1, **fields: str) -> Request:
    return Request(number, op, **({"path": "/specs/scale.py", "source": SPEC, "kernel": KERNEL} | fields))


def test_each_question_has_its_answer(box):
    described, found, verdict = talk(box, ask("describe", 7), ask("lint", 8), ask("evaluate", 9))
    assert [described.id, found.id, verdict.id] == [7, 8, 9]
    assert codec.from_json(Description, described.result).name == "scale"
    assert codec.from_json(Findings, found.result).errors == 0
    assert codec.from_json(Verdict, verdict.result).failure is None


@pytest.mark.parametrize(
    ("request_", "kind", "message"),
    [
        ("nonsense", "request", "a request that this judge cannot read: not JSON"),
        ("", "request", "a request that this judge cannot read: not JSON"),
        ("[]", "request", "$: expected Request, got list"),
        ('{"id": 1}', "request", "$: Request needs op, path, source"),
        ('{"id": "1", "op": "lint", "path": "", "source": ""}', "request", "$.id: expected int, got str"),
        ('{"id": 1, "op": "reboot", "path": "", "source": ""}', "request", "$.op: 'reboot' is none of"),
        ("[" * 100_000, "request", "not JSON"),
        (ask(kernel=b"x = '\\ud800'".decode("unicode_escape")), "request", "half a character"),
        (ask(targets=["gfx9000"]), "request", "there is no target 'gfx9000'; there are gfx942"),
        (ask(source=""), "spec", "/specs/scale.py: scale.py is empty"),
        (ask(source="spec = 3"), "spec", "/specs/scale.py: its `spec` is a int"),
        (ask("lint", source="1 / 0"), "spec", "/specs/scale.py, line 1: ZeroDivisionError"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_what_cannot_be_answered_is_a_problem_and_the_next_question_is_answered(box, request_, kind, message):
    bad, good = talk(box, request_, ask("describe", 2))
    assert bad.result is None
    assert bad.problem.kind == kind
    assert message in bad.problem.message
    assert (good.id, good.problem) == (2, None)


def test_the_judge_s_own_mistake_is_a_problem_and_the_next_question_is_answered(box, monkeypatch, capsys):
    describe = Judge.describe
    broken = iter([True, False])

    def sometimes(self, file):
        if next(broken):
            raise KeyError("oops")
        return describe(self, file)

    monkeypatch.setattr(Judge, "describe", sometimes)
    bad, good = talk(box, ask("describe", 1), ask("describe", 2))
    assert (bad.problem.kind, bad.problem.message) == ("sandbox", "the judge failed: KeyError: 'oops'")
    assert "Traceback" in capsys.readouterr().err  # for whoever has to mend it
    assert good.problem is None


def test_bytes_that_are_no_text_cross_as_they_are(box):
    latin = "x = '\udcff'\n"
    (answer,) = talk(box, ask(kernel=latin))
    verdict = codec.from_json(Verdict, answer.result)
    assert verdict.failure.cause is Cause.NOT_PYTHON
    (answer,) = talk(box, ask(kernel=changed(KERNEL, ("import torch\n", "import torch  # \udcff\n"))))
    assert codec.from_json(Verdict, answer.result).failure.cause is Cause.NOT_PYTHON


def test_what_a_kernel_says_cannot_break_the_line(box):
    source = changed(
        KERNEL,
        ("    return y", "    print('\\ud800\\n{}'.encode('utf-8', 'replace'))\n    raise ValueError('\\ud800\\n{}')"),
    )
    first, second = talk(box, ask(kernel=source), ask("describe", 2))
    assert "\n{}" in codec.from_json(Verdict, first.result).failure.message
    assert second.id == 2


def test_what_a_spec_names_lies_beside_it(box, tmp_path: Path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "factors.py").write_text("TWO = 2\n")
    spec = changed(SPEC, ("outputs=", 'project="lib", outputs='))
    kernel = changed(KERNEL, ("import torch\n", "import torch\nfrom factors import TWO\n"), ("value * 2", "value * 2"))
    (answer,) = talk(box, ask(source=spec, kernel=kernel, path=str(tmp_path / "scale.py")))
    assert codec.from_json(Verdict, answer.result).failure is None
    (answer,) = talk(box, ask(source=spec, kernel=kernel, path=str(tmp_path / "elsewhere" / "scale.py")))
    assert answer.problem.kind == "spec"
    assert "project 'lib' is not there" in answer.problem.message
