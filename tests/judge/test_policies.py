"""What may do the work beside kernels, policy by policy; and what is looked at in every plan."""

from __future__ import annotations

import pytest
from trial import IMPORTS, KERNEL, SPEC, a_spec, accepted, changed, rejected, verdict_on

from geak_evaluator.schema.verdict import Cause, Policy, Status, Tier

LINEAR = a_spec(
    "def reference(x, w):\n    return torch.relu(x @ w.T)",
    inputs='{"x": Tensor("M, N"), "w": Tensor("N, N", fill="normal(0, 0.1)")}',
    more='outputs=Tensor("M, N"), tolerance={"fp32": 2048},',
)
WITH_TORCH = f"""{IMPORTS}

@triton.jit
def _relu(x, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(x + at, tl.maximum(tl.load(x + at, mask=at < n), 0.0), mask=at < n)


def scale(x, w):
    y = PRODUCT
    _relu[(triton.cdiv(y.numel(), 64),)](y, y.numel(), BLOCK=64)
    return y
"""
MATMUL = changed(WITH_TORCH, ("PRODUCT", "torch.mm(x, w.t())"))


def test_a_library_s_product_is_foreign_work_unless_the_policy_has_it(judge):
    rejected(verdict_on(judge, LINEAR, MATMUL), Cause.FOREIGN_WORK, "aten.mm.default", "the policy 'pure'")
    verdict = verdict_on(judge, LINEAR, MATMUL, policy=Policy.MIXED)
    accepted(verdict)
    assert verdict.library == ("aten.mm.default",)
    assert 0.7 < verdict.share < 1
    assert ", policy mixed  compiles for gfx942" in verdict.line()
    assert any("of the bytes are touched by library operations: aten.mm.default" in line for line in verdict.details())


@pytest.mark.parametrize(
    "product",
    [
        "torch.nn.functional.linear(x, w)",
        "(x @ w.t()).mul_(1.0)",
        "torch.addmm(torch.zeros(70, device=x.device), x, w.t())",
        "torch.cat([x @ w.t()[:, :40], x @ w.t()[:, 40:]], dim=1)",
        "torch.sum(x[:, None, :] * w[None], dim=-1)",
        "torch.split(x @ w.t(), 70, dim=1)[0].to(torch.float64).to(torch.float32)",
    ],
)
def test_named_operations_are_carried_out_by_the_judge(judge, product):
    kernel = changed(WITH_TORCH, ("PRODUCT", product))
    accepted(verdict_on(judge, LINEAR, kernel, policy=Policy.MIXED))
    wrong = changed(kernel, ("x,", "x * 1.001,")) if "x," in product else changed(kernel, (product, f"({product}) + 1"))
    assert verdict_on(judge, LINEAR, wrong, policy=Policy.MIXED, tier=Tier.GATE).status is Status.REJECTED


def test_what_has_no_name_needs_the_open_policy(judge):
    kernel = changed(WITH_TORCH, ("PRODUCT", "torch.linalg.multi_dot([x, w.t(), torch.eye(70)])"))
    rejected(verdict_on(judge, LINEAR, kernel, policy=Policy.MIXED), Cause.FOREIGN_WORK, "aten.eye", "'mixed'")
    verdict = verdict_on(judge, LINEAR, kernel, policy=Policy.OPEN)
    accepted(verdict)
    assert verdict.policy is Policy.OPEN


def test_mixed_work_still_needs_a_kernel(judge):
    none = f"{IMPORTS}\n\ndef scale(x, w):\n    return torch.relu(x @ w.t())\n"
    rejected(verdict_on(judge, LINEAR, none, policy=Policy.MIXED), Cause.NO_KERNEL)
    accepted(verdict_on(judge, LINEAR, none, policy=Policy.OPEN))


def test_no_policy_takes_values_from_outside(judge):
    import_time = changed(MATMUL, ("torch.mm(x, w.t())", "torch.mm(x, w.t()) + KEPT"))
    import_time = changed(import_time, ("@triton.jit", "KEPT = torch.ones(70)\n\n\n@triton.jit"))
    for policy in (Policy.MIXED, Policy.OPEN):
        rejected(
            verdict_on(judge, LINEAR, import_time, policy=policy), Cause.FOREIGN_WORK, "memory from before the call"
        )


@pytest.mark.parametrize("returned", ["y[:1].expand(3, 70)", "torch.as_strided(y, (3, 70), (1, 1))"])
def test_an_output_whose_elements_are_one_and_the_same(judge, returned):
    kernel = changed(KERNEL, ("return y", f"return {returned}"))
    rejected(verdict_on(judge, SPEC, kernel), Cause.WRONG_STRIDES, "some of its elements are one and the same")


@pytest.mark.parametrize("made", ["torch.empty(70, 3, device=x.device).t()", "x.new_empty(3, 128)[:, :70]"])
def test_an_output_may_lie_otherwise(judge, made):
    at = "rows * s0 + columns * s1"
    kernel = changed(
        KERNEL,
        ("def _scale(x, y, n, BLOCK", "def _scale(x, y, n, s0, s1, BLOCK"),
        ("tl.store(y + at,", "rows = at // 70\n    columns = at % 70\n    tl.store(y + " + at + ","),
        ("torch.empty_like(x)", made),
        ("(x, y, n, BLOCK=64)", "(x, y, n, y.stride(0), y.stride(1), BLOCK=64)"),
    )
    accepted(verdict_on(judge, SPEC, kernel))


PADDED = a_spec(
    "def reference(x):\n    x.mul_(2)",
    inputs='{"x": Tensor("M, N", strides="N + 10, 1")}',
    more='changes="x",',
)
IN_PLACE = f"""{IMPORTS}

@triton.jit
def _twice(x, n, stride, BLOCK: tl.constexpr):
    at = tl.program_id(0) * stride + tl.arange(0, BLOCK)
    inside = tl.arange(0, BLOCK) < n
    tl.store(x + at, tl.load(x + at, mask=inside) * 2, mask=inside)


def scale(x):
    _twice[(x.shape[0],)](x, x.shape[1], x.stride(0), BLOCK=128)
"""


def test_what_lies_between_rows_is_not_written(judge):
    accepted(verdict_on(judge, PADDED, IN_PLACE))
    wrong = changed(IN_PLACE, ("x.shape[1], x.stride(0)", "x.stride(0) - 5 * (x.shape[0] > 1), x.stride(0)"))
    verdict = verdict_on(judge, PADDED, wrong)
    rejected(verdict, Cause.OUT_OF_BOUNDS)


def test_stores_that_depend_on_the_order_of_programs_are_noted(judge):
    twice = changed(KERNEL, ("    tl.store(y + at,", "    tl.store(y, tl.program_id(0) + 0.5)\n    tl.store(y + at,"))
    verdict = verdict_on(judge, SPEC, twice)
    rejected(verdict, Cause.WRONG_VALUES)
    assert any("programs 0 and 1 stored different values into y at element 0" in note for note in verdict.notes)


MENDED = f"""{IMPORTS}

@triton.jit
def _mend(y):
    tl.store(y, tl.load(y) - 1)


def scale(x):
    y = x.t().contiguous()
    y[:1, :1] = 0
    _mend[(1,)](y)
    return y
"""


def test_what_is_right_before_any_launch_is_told(judge):
    """Copies are a wrapper's to make: what they come to is for the reader to judge."""
    spec = a_spec(
        "def reference(x):\n    y = x.t().clone()\n    y[0, 0] = -1\n    return y", more='outputs=Tensor("N, M"),'
    )
    verdict = verdict_on(judge, spec, MENDED)
    accepted(verdict)
    assert any("99% of the output is right before any launch" in note for note in verdict.notes), verdict.notes
