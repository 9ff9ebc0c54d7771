"""Each rule finds a spec that it is about, and leaves its sound counterpart alone."""

from pathlib import Path

import pytest
from trial import SPEC, a_spec, changed

from geak_evaluator.lint import lint
from geak_evaluator.oracle import SpecFile, SpecProblem

FLOATS = '{"x": Tensor("M, N")}'
OUT = 'outputs=Tensor("M, N"),'
TIMED = OUT + ' bench=[{"M": %d, "N": 70}],'


def findings(judge, spec: str):
    return lint(judge, SpecFile(Path("/specs/scale.py"), spec.encode()))


def rules(judge, spec: str) -> dict[str, str]:
    return {finding.rule: finding.severity for finding in findings(judge, spec).findings}


def reference(expression: str, *arguments: str, **fields: str) -> str:
    return a_spec(
        f"def reference({', '.join(arguments or ('x',))}):\n    return {expression}", **({"more": OUT} | fields)
    )


@pytest.mark.parametrize(
    ("rule", "severity", "weak", "sound"),
    [
        ("vacuous-zeros", "error", reference("x * 0"), reference("x * 2 + 1")),
        (
            "vacuous-zeros",
            "error",
            reference("x * 2 + 1", inputs='{"x": Tensor("M, N", fill="constant(-0.5)")}'),
            reference("x * 2 + 1", inputs='{"x": Tensor("M, N", fill="constant(-0.25)")}'),
        ),
        (
            "vacuous-constant",
            "error",
            reference("x.sigmoid()", inputs='{"x": Tensor("M, N", fill="normal(100, 1)")}'),
            reference("x.sigmoid()"),
        ),
        (
            "vacuous-constant",
            "error",
            reference("(x > 0).sum(-1) > 0", more='outputs=Tensor("M", "bool"), oracle="exact",'),
            reference("x > 0", more='outputs=Tensor("M, N", "bool"), oracle="exact",'),
        ),
        (
            "vacuous-input",
            "error",
            reference("x.relu()", inputs='{"x": Tensor("M, N", fill="uniform(1, 2)")}'),
            reference("x.relu()"),
        ),
        ("vacuous-input", "error", reference("x + x * 1e-9"), reference("x + x * 1e-3")),
        (
            "vacuous-stale",
            "error",
            reference("torch.arange(N).expand(x.shape) + x * 0".replace("N", "x.shape[1]")),
            reference("torch.arange(x.shape[1]).expand(x.shape) + x"),
        ),
        (
            "narrow-casts",
            "error",
            reference("torch.as_tensor(x.detach().numpy().astype('float32'))"),
            reference("x.float().to(torch.float16).type(torch.bfloat16)"),
        ),
        ("unstable-reference", "error", reference("x + torch.randn(x.shape)"), reference("x + 1")),
        ("nan-output", "error", reference("x / 0 * 0"), reference("x / 2")),
        ("nan-output", "warning", reference("x.log()"), reference("x.abs().log()")),
        (
            "no-awkward-size",
            "warning",
            changed(reference("x * 2"), ("choices=(70,)", "1, 256"), ('"N": 70', '"N": 64')),
            changed(reference("x * 2"), ("choices=(70,)", "1, 256")),
        ),
        (
            "no-awkward-size",
            "warning",
            changed(reference("x * 2"), ("choices=(70,)", "1, 256"), ('"N": 70', '"N": 64')),
            changed(reference("x * 2"), ("choices=(70,)", "16, 256, multiple_of=16"), ('"N": 70', '"N": 64')),
        ),
        (
            "too-large",
            "warning",
            changed(reference("x * 2"), ("choices=(3,)", "choices=(80000,)"), ('"M": 3', '"M": 80000')),
            changed(reference("x * 2"), ("choices=(3,)", "choices=(8000,)"), ('"M": 3', '"M": 8000')),
        ),
        *(
            (
                "too-large-to-time",
                "warning",
                changed(reference("x * 2"), ("choices=(3,)", "1, 1 << 24"), (OUT, TIMED % rows)),
                changed(reference("x * 2"), ("choices=(3,)", "1, 1 << 24"), (OUT, TIMED % 1000)),
            )
            for rows in (1 << 23, 5 << 19)  # whose inputs, and whose outputs
        ),
        (
            "unused-input",
            "warning",
            reference("x * 2", "x", "bias", inputs='{"x": Tensor("M, N"), "bias": Tensor("N")}'),
            reference("x * 2 + bias", "x", "bias", inputs='{"x": Tensor("M, N"), "bias": Tensor("N")}'),
        ),
    ],
)
def test_a_rule_finds_what_it_is_about(judge, rule, severity, weak, sound):
    assert rules(judge, weak).get(rule) == severity
    assert rule not in rules(judge, sound)


def test_each_finding_says_what_to_do(judge):
    found = findings(judge, reference("x * 0"))
    (zeros,) = [finding for finding in found.findings if finding.rule == "vacuous-zeros"]
    assert zeros.message == "zeros would pass in every case"
    assert zeros.mend == "draw inputs that give larger outputs, or tighten the tolerance"
    assert (found.name, found.cases) == ("scale", 1)
    assert found.errors >= 1


def test_a_sound_spec_is_found_fit(judge):
    found = findings(judge, SPEC)
    assert (found.errors, found.findings, found.cases) == (0, (), 1)


def test_the_share_of_nan_is_told(judge):
    (text,) = [f.message for f in findings(judge, reference("x.log()")).findings if f.rule == "nan-output"]
    assert text.startswith("output 0 is NaN in ")
    assert text.endswith("% of its elements")


def test_an_input_that_a_mask_hides_in_one_case_is_no_error(judge):
    # Doing nothing may be right where there is nothing to do; the other case tells.
    spec = changed(reference("x * 2 + 1"), ("choices=(3,)", "choices=(0, 3)"))
    spec = changed(spec, ('[{"M": 3, "N": 70}]', '[{"M": 3, "N": 70}, {"M": 0, "N": 70}]'))
    assert findings(judge, spec).errors == 0


def test_a_module_s_unused_input_is_found(judge):
    module = """class Reference(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(70))

    def forward(self, x, bias):
        return x * self.weight"""
    inputs = '{"x": Tensor("M, N"), "bias": Tensor("N")}'
    weak = a_spec(module, inputs=inputs, more=OUT + ' contract="module",')
    assert rules(judge, weak) == {"unused-input": "warning"}
    assert rules(judge, changed(weak, ("return x * self.weight", "return x * self.weight + bias"))) == {}


def test_a_spec_that_cannot_be_used_is_a_problem_and_no_finding(judge):
    with pytest.raises(SpecProblem, match="NameError: name 'y' is not defined"):
        findings(judge, reference("x + y"))


@pytest.mark.parametrize(
    ("outputs", "launches", "weak"), [("M", "by_value", True), ("M, N", "by_value", False), ("M", "fixed", False)]
)
def test_small_answers_to_integers_that_launches_may_follow_are_named(judge, outputs, launches, weak):
    expression = "x.sum(-1)" if outputs == "M" else "x + 1"
    spec = reference(
        expression,
        inputs='{"x": Tensor("M, N", "int64", fill="integers(0, 9)")}',
        more=f'outputs=Tensor("{outputs}", "int64"), oracle="exact", launches="{launches}",',
    )
    assert ("forgeable" in rules(judge, spec)) == weak
