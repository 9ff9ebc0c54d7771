"""What only other values than the usual draw bring to light."""

from __future__ import annotations

import pytest
from trial import IMPORTS, a_spec, accepted, changed, rejected, verdict_on

from geak_evaluator.schema.verdict import Cause

ROWS = f"""{IMPORTS}

@triton.jit
def _rows(x, y, n, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    row = tl.program_id(0) * n
    value = tl.load(x + row + at, mask=at < n, other=FILL).to(tl.float32)
    RESULT
    tl.store(y + row + at, result, mask=at < n)


def scale(x):
    y = torch.empty_like(x)
    _rows[(x.shape[0],)](x, y, x.shape[1], BLOCK=128)
    return y
"""


def rows(fill: str, *lines: str) -> str:
    """A kernel over rows that fit into one block."""
    return changed(ROWS, ("FILL", fill), ("RESULT", "\n    ".join(lines)))


SOFTMAX = a_spec("def reference(x):\n    return torch.softmax(x, -1)", more='outputs=Tensor("M, N"),')
VARIANCE = a_spec("def reference(x):\n    return x - x.mean(-1, keepdim=True)", more='outputs=Tensor("M, N"),')
SIGN = a_spec("def reference(x):\n    return x.abs()", more='outputs=Tensor("M, N"),')
NORM = a_spec(
    "def reference(x):\n    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)",
    more='outputs=Tensor("M, N"),',
)
BEST = "value = value - tl.max(value, 0)"
POWER = "power = tl.exp(value)"
SHARE = "result = power / tl.sum(power, 0)"
MEAN = "mean = tl.sum(value * value, 0) / n"


@pytest.mark.parametrize(
    ("spec", "right", "wrong", "values"),
    [
        pytest.param(SOFTMAX, rows('float("-inf")', BEST, POWER, SHARE), rows('float("-inf")', POWER, SHARE), "large"),
        pytest.param(
            NORM,
            rows("0.0", MEAN, "result = value / tl.sqrt(mean + 1e-6)"),
            rows("0.0", MEAN, "result = value / tl.sqrt(mean)"),
            "tiny",
        ),
        pytest.param(
            SIGN,
            rows("0.0", "result = tl.abs(value)"),
            rows("0.0", "result = tl.minimum(tl.abs(value), 32.0)"),
            "large",
        ),
        pytest.param(
            VARIANCE,
            rows("0.0", "result = tl.where(at < n, value - tl.sum(value, 0) / n, 0.0)"),
            rows(
                "0.0", "result = tl.where(at < n, value - tl.sum(tl.where(tl.abs(value) < 8, value, 0.0), 0) / n, 0.0)"
            ),
            "shifted",
        ),
    ],
    ids=["softmax without its maximum", "a norm without eps", "saturated", "outliers left out"],
)
def test_a_fault_that_the_usual_draw_hides(judge, spec, right, wrong, values):
    accepted(verdict_on(judge, spec, right))
    verdict = verdict_on(judge, spec, wrong)
    rejected(verdict, Cause.WRONG_VALUES)
    assert verdict.failure.values == values
    assert f"{values} values]" in verdict.line()


def test_a_fill_with_bounds_is_a_promise(judge):
    root = a_spec(
        "def reference(x):\n    return x.sqrt()",
        inputs='{"x": Tensor("M, N", fill="uniform(1, 2)")}',
        more='outputs=Tensor("M, N"),',
    )
    verdict = verdict_on(judge, root, rows("1.0", "result = tl.sqrt(value)"))
    accepted(verdict)
    assert {case.values for case in verdict.cases} == {""}


def test_values_without_a_truth_decide_nothing(judge):
    inverse = a_spec("def reference(x):\n    return 1 / x", more='outputs=Tensor("M, N"),')
    verdict = verdict_on(judge, inverse, rows("1.0", "result = 1 / value"))
    accepted(verdict)
    assert "zeros x" not in {case.values for case in verdict.cases}
    assert "large" in {case.values for case in verdict.cases}


SPECIAL = a_spec(
    "def reference(x):\n    return torch.nan_to_num(x, 0.0, 7.0, -7.0)",
    inputs='{"x": Tensor("M, N", special=("inf", "nan"))}',
    more='outputs=Tensor("M, N"),',
)
FINITE = "result = tl.where(value == value, tl.clamp(value, -3e38, 3e38), 0.0)"
KNOWN = (
    "result = tl.where(value == value, value, 0.0)",
    'result = tl.where(result == float("inf"), 7.0, tl.where(result == float("-inf"), -7.0, result))',
)


def test_infinities_and_nan_where_the_spec_has_them(judge):
    verdict = verdict_on(judge, SPECIAL, rows("0.0", *KNOWN))
    accepted(verdict)
    assert {"inf x", "nan x"} <= {case.values for case in verdict.cases}
    wrong = verdict_on(judge, SPECIAL, rows("0.0", FINITE))
    rejected(wrong, Cause.WRONG_VALUES)
    assert wrong.failure.values == "inf x"


def test_denormals_where_the_spec_has_them(judge):
    spec = a_spec(
        "def reference(x):\n    return x * 1.0",
        inputs='{"x": Tensor("M, N", special="denormal")}',
        more='outputs=Tensor("M, N"),',
    )
    accepted(verdict_on(judge, spec, rows("0.0", "result = value")))
    flushed = rows("0.0", "result = tl.where(tl.abs(value) < 1e-38, 0.0, value)")
    # Flushing is an error of less than a step next to the other values; a comparison of signs would show it.
    accepted(verdict_on(judge, spec, flushed))
    exact = changed(spec, ("    outputs=", '    oracle="exact",\n    outputs='))
    wrong = verdict_on(judge, exact, flushed)
    rejected(wrong, Cause.WRONG_VALUES)
    assert wrong.failure.values == "denormal x"


def test_one_input_alone_is_constant_where_it_is_declared_to_lie(judge):
    """Far from what stands beside it a right kernel would lose its digits: what is taken off is as large as both."""
    spec = a_spec(
        "def reference(x, z):\n    return (x - z).exp()",
        inputs='{"x": Tensor("M, N", fill="normal(-4000, 1)"), "z": Tensor("M, N", fill="normal(-4000, 1)")}',
        more='outputs=Tensor("M, N"), tolerance=16,',
    )
    kernel = rows("0.0", "other = tl.load(z + row + at, mask=at < n, other=0.0)", "result = tl.exp(value - other)")
    for place in ("_rows(x, ", "scale(x)", "](x, "):
        assert place in kernel
    both = changed(kernel, ("_rows(x, ", "_rows(x, z, "), ("scale(x)", "scale(x, z)"), ("](x, ", "](x, z, "))
    verdict = verdict_on(judge, spec, both)
    accepted(verdict)
    assert {"constant x", "zeros x"} <= {case.values for case in verdict.cases}
