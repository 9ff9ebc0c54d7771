"""Gate, full and final: what each runs, and what each tells."""

from __future__ import annotations

import pytest
from trial import KERNEL, SPEC, accepted, changed, rejected, verdict_on

from geak_evaluator.schema.verdict import Cause, Tier

OPEN = changed(SPEC, ('"M": Axis(choices=(3,)), "N": Axis(choices=(70,))', '"M": Axis(1, 9), "N": Axis(1, 200)'))
TWO = changed(
    OPEN, ('[{"M": 3, "N": 70}]', '[{"M": 9, "N": 2000}, {"M": 3, "N": 70}]'), ("Axis(1, 200)", "Axis(1, 4096)")
)


def test_the_gate_is_one_small_case_and_its_machine_code(judge):
    verdict = verdict_on(judge, TWO, KERNEL, tier=Tier.GATE)
    accepted(verdict)
    assert [case.case.sizes for case in verdict.cases] == [{"M": 3, "N": 70}]
    assert [code.target for code in verdict.code] == ["gfx942"]
    assert verdict.line().startswith("ACCEPTED scale  right at the gate by interpreter, 1 case  compiles for gfx942 (")


def test_the_full_tier_runs_all_cases_other_values_and_hidden_sizes(judge):
    verdict = verdict_on(judge, TWO, KERNEL)
    accepted(verdict)
    shown = [case.case.sizes["N"] for case in verdict.cases if not (case.hidden or case.values)]
    assert shown == [70, 2000]
    assert {case.values for case in verdict.cases} == {
        *("", "uniform", "shifted", "large", "tiny", "spikes", "constant x", "zeros x")
    }
    hidden = [case for case in verdict.cases if case.hidden]
    assert len(hidden) == 4
    assert all(case.case.sizes == {} and case.mismatch is None for case in hidden)
    assert "races not examined" in verdict.details()[-1]


def test_what_fails_at_the_gate_goes_no_further_and_says_what_was_not_reached(judge):
    verdict = verdict_on(judge, TWO, changed(KERNEL, ("value * 2 + 1", "value * 2")))
    rejected(verdict, Cause.WRONG_VALUES)
    assert len(verdict.cases) == 1
    assert verdict.unreached == ("other cases", "configurations", "other values", "hidden cases", "other targets")
    assert verdict.details()[-1].startswith("not reached: other cases, ")
    assert not any("worst error" in line for line in verdict.details())


def test_of_a_final_verdict_nothing_is_told_but_classes(judge):
    verdict = verdict_on(judge, TWO, KERNEL, tier=Tier.FINAL)
    accepted(verdict)
    assert sum(case.hidden != "a size that the spec shows" for case in verdict.cases) == 12
    wrong = verdict_on(judge, TWO, changed(KERNEL, ("value * 2 + 1", "value * 2")), tier=Tier.FINAL)
    rejected(wrong, Cause.WRONG_VALUES)
    assert wrong.line() == "REJECTED scale  wrong values [hidden case: a size that the spec shows]"
    assert (wrong.failure.mismatch, wrong.failure.case.sizes, wrong.log) == (None, {}, "")


@pytest.mark.parametrize("tier", Tier)
def test_values_differ_from_run_to_run(judge, tier):
    # It is right on whatever it has seen; that is nothing.
    seen = changed(
        KERNEL, ("    y = torch.empty_like(x)\n", "    y = torch.empty_like(x)\n    print(float(x[0, 0]))\n")
    )
    rejected(verdict_on(judge, OPEN, seen, tier=tier), Cause.UNSTABLE_PLAN)


ALIGNED = """    if n % 64 == 0:
        _scale[(triton.cdiv(n, 64),)](x, y, n - 1, BLOCK=64)
        return y
    _scale["""


def test_sizes_that_are_whole_tiles_are_among_the_hidden_ones(judge):
    spec = changed(OPEN, ('"M": Axis(1, 9)', '"M": Axis(choices=(1,))'), ('{"M": 3, "N": 70}', '{"M": 1, "N": 131}'))
    verdict = verdict_on(judge, spec, changed(KERNEL, ("    _scale[", ALIGNED)), tier=Tier.FINAL)
    rejected(verdict, Cause.WRONG_VALUES)
    assert verdict.failure.hidden == "sizes that no case shows"


def test_a_result_that_depends_on_the_order_of_programs_is_a_race(judge):
    last = changed(KERNEL, ("    tl.store(y + at,", "    tl.store(z, tl.program_id(0) + 0.5)\n    tl.store(y + at,"))
    last = changed(last, ("def _scale(x, y, n,", "def _scale(x, y, z, n,"), ("(x, y, n, BLOCK", "(x, y, z, n, BLOCK"))
    last = changed(last, ("    n = x.numel()\n", "    n = x.numel()\n    z = torch.empty(1, device=x.device)\n"))
    accepted(verdict_on(judge, SPEC, last))  # nobody reads it
    last = changed(
        last,
        (
            "\n\ndef scale",
            "\n\n@triton.jit\ndef _add(y, z):\n    tl.store(y, tl.load(y) + tl.load(z) - 3.5)\n\n\ndef scale",
        ),
        ("    return y", "    _add[(1,)](y, z)\n    return y"),
    )
    rejected(verdict_on(judge, SPEC, last), Cause.RACE, "programs 0 and 1 stored different values into z at element 0")
