"""A spec that a model wrote says so in every verdict, until a person has read it."""

from __future__ import annotations

from geak.specs import shipped
from geak_evaluator.judge import Judge
from geak_evaluator.oracle import SpecFile
from geak_evaluator.schema.spec import UNREVIEWED
from geak_evaluator.schema.verdict import DRAFTED, Tier


def test_a_verdict_by_a_drafted_spec_says_so(judge: Judge) -> None:
    spec = SpecFile.read(shipped() / "softmax.py")
    kernel = (shipped() / "kernels" / "softmax.py").read_bytes()
    drafted = SpecFile(spec.path, f"{UNREVIEWED}\n".encode() + spec.data)
    read, unread = (judge.evaluate(file, kernel, tier=Tier.GATE) for file in (spec, drafted))
    assert read.line().startswith("ACCEPTED")
    assert DRAFTED not in read.line() + "".join(read.details())
    assert unread.line().startswith("ACCEPTED")
    assert unread.line().endswith(DRAFTED)
    assert unread.details()[1] == DRAFTED
