"""A wrong answer is explained where a shown case has it, and nothing is looked for where nobody would be told."""

import re

import pytest
from trial import IMPORTS, SPEC, accepted, changed, verdict_on

from geak_evaluator.oracle import Oracle
from geak_evaluator.schema.verdict import Cause, Tier

AFFINE = changed(
    SPEC,
    (
        'inputs={"x": Tensor("M, N")}',
        'inputs={"x": Tensor("M, N"), "bias": Tensor("N"), "slope": Scalar("float", 3.0)}',
    ),
    (
        "def reference(x):\n    return x * 2 + 1",
        "def reference(x, bias, slope):\n    return torch.relu(x * slope + bias)",
    ),
)
ROWS = f"""{IMPORTS}

@triton.jit
def _scale(x, bias, y, slope, n, BLOCK: tl.constexpr):
    row, at = tl.program_id(0), tl.arange(0, BLOCK)
    value = tl.load(x + row * n + at, mask=at < n) * slope
    value = tl.maximum(value + tl.load(bias + at, mask=at < n), 0.0)
    tl.store(y + row * n + at, value, mask=at < n)


def scale(x, bias, slope):
    y = torch.empty_like(x)
    _scale[(x.shape[0],)](x, bias, y, slope, x.shape[1], BLOCK=128)
    return y
"""
BIAS = "tl.load(bias + at, mask=at < n)"


@pytest.fixture
def asked(monkeypatch):
    """The edits of which the reference is asked."""
    edits = []
    supposed = Oracle.supposed

    def watched(self, answer, edit):
        edits.append(edit)
        return supposed(self, answer, edit)

    monkeypatch.setattr(Oracle, "supposed", watched)
    return edits


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            f"value + {BIAS}",
            "value",
            r"right if bias were 0, or if the reference's .* \(line \d+\) were its first operand",
        ),
        (BIAS, "tl.load(bias)", r"right if all of bias along N were the first: is the index used\?"),
        (" * slope", "", r"right if slope were 1, or if the reference's .* were its first operand alone"),
        (
            f"tl.maximum(value + {BIAS}, 0.0)",
            f"value + {BIAS}",
            r"right if the reference's .* \(line \d+\) were left out",
        ),
        ("0.0)", "0.0) * 2", r"everything is 2 times what is expected: look at a scale"),
        ("row * n + at, value", "row * n + at, -value", r"everything has the other sign"),
    ],
)
def test_a_fault_is_named(judge, old, new, words):
    failure = verdict_on(judge, AFFINE, changed(ROWS, (old, new)), tier=Tier.GATE).failure
    assert failure.cause is Cause.WRONG_VALUES
    assert re.search(words, failure.message), failure.message
    assert "\n" not in failure.message


def test_a_fault_that_is_like_nothing_is_given_no_name(judge):
    noisy = changed(ROWS, (", 0.0)\n", ", 0.0) + tl.sin(at * at * 1.7 + row)\n"))
    failure = verdict_on(judge, AFFINE, noisy, tier=Tier.GATE).failure
    assert re.search(r"; \d+ of 210 elements.*$", failure.message)
    assert "right if" not in failure.message


def test_of_a_right_kernel_nothing_is_supposed(judge, asked):
    accepted(verdict_on(judge, AFFINE, ROWS))
    assert asked == []


def test_of_a_hidden_case_nothing_is_looked_for_and_nothing_told(judge, asked):
    free = changed(AFFINE, ('"N": Axis(choices=(70,))', '"N": Axis(1, 128)'))
    verdict = verdict_on(judge, free, changed(ROWS, ("value + ", "value + tl.where(n == 70, 1.0, 0.0) * ")))
    assert verdict.failure.hidden
    assert verdict.failure.message == "wrong values"
    assert asked == []


def test_of_the_last_tier_nothing_is_looked_for(judge, asked):
    wrong = changed(ROWS, (f"value + {BIAS}", "value"))
    verdict = verdict_on(judge, AFFINE, wrong, tier=Tier.FINAL)
    assert verdict.failure.message == "wrong values"
    assert asked == []


def test_what_a_reference_has_as_text_stays_one_short_line(judge):
    odd = changed(AFFINE, ("x * slope + bias", "x * slope\\\n        + bias"), ("relu(", "relu  (  "))
    failure = verdict_on(judge, odd, changed(ROWS, (f"value + {BIAS}", "value")), tier=Tier.GATE).failure
    assert "\n" not in failure.message
    assert "right if bias were 0" in failure.message
