"""What is supposed about a case, and how it is worded."""

from geak_evaluator.proof.supposing import Supposing
from geak_evaluator.schema import domain, layout
from geak_evaluator.schema.exchange import Edit
from geak_evaluator.schema.layout import Slot
from geak_evaluator.schema.spec import Axis, Case, Scalar, Spec, Tensor

SPEC = Spec(
    axes={"M": Axis(1, 9), "N": Axis(1, 9000), "K": Axis(1, 9000)},
    inputs={
        "a": Tensor("M, K", "fp16"),
        "b": Tensor("K, N", "fp16", strides=("N + 3", "1")),
        "bias": Tensor("N", "fp16"),
        "scale": Tensor("N", "fp16"),
        "rows": Tensor("M", "int32", fill="integers(0, M)"),
        "eps": Scalar("float", choices=(1e-6, 0.5)),
        "causal": Scalar("bool", choices=(False, True)),
        "G": Scalar("int", 4),
    },
    cases=[{"M": 3, "N": 40, "K": 70}],
)
CASE = Case({"M": 3, "N": 40, "K": 70, "eps": 0.5, "causal": False})


def supposed(spec=SPEC, case=CASE, gradients=(), mutable=None, state=()):
    slots = (*layout.inputs(spec, case, "gfx942"), *state)
    found = list(Supposing(spec, domain.with_scalars(spec, case.sizes), slots, gradients, mutable or {}))
    return {one.words: one for one in found}


def test_each_kind_is_worded():
    gradient = Slot("0", "fp32", (3, 40), (1, 3))
    words = supposed(gradients=[gradient], mutable={"left out": 2})
    for told in (
        "bias were 0",
        "scale were 1",
        "eps were 0",
        "eps were 1e-06",
        "causal were True",
        "G were 3",
        "bias and scale were exchanged",
        "bias were scale",
        "left out",
        "b were contiguous",
        "the gradient of output 0 were contiguous",
        "b lay in memory as [N, K]",
        "a had stride 1 along M",
        "rows counted up from 0",
        "rows were larger by 1",
        "all of bias along N were the first",
        "a along K were shifted by one",
        "a along K were turned round",
        "the halves of a were exchanged",
        "of K only the last 6 of 70 counted",
        "of K only the first 64 of 70 counted",
        "of K only the first 69 of 70 counted",
        "K went on to 128 with 0",
        "N went on to 64 with 1",
        "of each 64 along K only the first 16 counted",
        "each tile of 32 of K were the first",
        "all of bias and scale along N were the first",
        "what is negative in a were 0",
        "the smallest of a were asked for, not the largest",
        "K were gone through from its end",
    ):
        assert told in words, told
    assert words["of K only the last 6 of 70 counted"].hint == "is a sum overwritten?"
    assert words["bias were 0"].edit == Edit("filled", ("bias",))


def test_what_changes_nothing_is_not_supposed():
    words = supposed(case=Case({"M": 1, "N": 1, "K": 1, "eps": 0.0, "causal": True}))
    assert not any(" only " in told or "went on" in told or "along" in told for told in words)
    assert "eps were 0" not in words
    assert "a were contiguous" not in words
    assert "causal were True" not in words


def test_an_axis_that_several_have_is_edited_in_all_of_them():
    words = supposed()
    assert words["K went on to 128 with 0"].edit == Edit("padded", ("a", "b"), axes=(1, 0), stop=128)
    assert words["each tile of 16 of K were the first"].edit == Edit("repeated", ("a", "b"), axes=(1, 0), stop=16)
    assert "each tile of 16 of b along K were the first" in words


def test_a_parameter_without_names_has_axes_of_its_own():
    weight = Slot("up.weight", "fp16", (24, 40), (40, 1))
    words = supposed(state=[weight])
    assert "up.weight lay in memory as [axis 1, axis 0]" in words
    assert "of axis 1 of up.weight only the last 8 of 40 counted" in words


def test_a_long_reference_and_long_inputs_are_bounded():
    assert len([one for one in supposed(mutable={"left out": 900}).values() if one.edit.kind == "mutated"]) == 1
    case = Case({"M": 9, "N": 30, "K": 2000, "eps": 0.5, "causal": True})
    ends = [one.edit.stop for one in supposed(case=case).values() if one.edit.kind == "padded"]
    assert 64 in ends
    assert max(ends) * 30 <= 1 << 17
