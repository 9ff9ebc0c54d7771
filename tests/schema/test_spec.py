import math

import pytest

from geak_evaluator.schema import spec as words
from geak_evaluator.schema.expr import ExprError
from geak_evaluator.schema.spec import FILLS, Axis, Case, Description, Fill, Scalar, Spec, SpecError, Tensor, Tolerance


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Axis(5, 4), "an axis from 5 to 4 in steps of 1 holds no size"),
        (lambda: Axis(), "an axis from 1 to 0 in steps of 1 holds no size"),
        (lambda: Axis(-1, 4), "an axis from -1 to 4 in steps of 1 holds no size"),
        (lambda: Axis(1, 4, multiple_of=0), "an axis from 1 to 4 in steps of 0 holds no size"),
        (lambda: Axis(17, 31, multiple_of=16), "no multiple of 16 lies between 17 and 31"),
        (lambda: Axis(choices=(-1, 4)), "an axis from -1 to 4 in steps of 1 holds no size"),
        (lambda: Axis(1, 1 << 63), r"an axis ends at 2\*\*62 at the latest"),
        (lambda: Fill.parse("gauss"), "there is no fill 'gauss'; there are normal, uniform, integers"),
        (lambda: Fill.parse("integers(3)"), "fill 'integers' takes 2 arguments, not 1"),
        (lambda: Fill.parse("normal(1, 2, 3)"), "fill 'normal' takes 0 or 2 arguments, not 3"),
        (lambda: Tensor("M, N", strides="1"), "1 strides for 2 dimensions"),
        (lambda: Tensor("M", fill="gauss"), "there is no fill 'gauss'"),
        (lambda: Scalar("int"), "a scalar needs either a value or choices"),
        (lambda: Scalar("int", 1, choices=(1, 2)), "a scalar needs either a value or choices"),
        (lambda: Scalar("integer", 1), "there is no type of a scalar 'integer'; did you mean int?"),
        (lambda: Spec({}, {}, (), oracle="float63"), r"there is no oracle 'float63'; did you mean float64\?"),
        (lambda: Spec({}, {}, (), contract="class"), "there is no contract 'class'; there are function, destination,"),
        (lambda: Spec({}, {}, (), tolerance="4"), "tolerance is '4'; it must be a number of steps, or one for each"),
        (lambda: Spec({}, {}, (), tolerance={"fp16": "4"}), "tolerance is {'fp16': '4'}; it must be a number of steps"),
        (lambda: Case({"M": 1}, weight=0), "a case's weight must be above 0, not 0"),
        (lambda: Case({"M": 1}, weight=math.nan), "a case's weight must be above 0, not nan"),
    ],
)
def test_what_cannot_be_meant_is_told_in_a_sentence(make, message):
    with pytest.raises(SpecError, match=f"^{message}"):
        make()


def test_a_spec_error_is_a_value_error():
    assert issubclass(SpecError, ValueError)  # what reading a message catches
    assert issubclass(ExprError, ValueError)


@pytest.mark.parametrize(
    ("axis", "inside", "outside"),
    [
        (Axis(2, 9), (2, 9), (1, 10, 2.0, True, "3", None)),
        (Axis(16, 64, multiple_of=16), (16, 48, 64), (17, 0, 80)),
        (Axis(choices=(64, 128)), (64, 128), (96, 63)),
        (Axis(0, 4), (0,), (-1, False)),
    ],
)
def test_what_an_axis_holds(axis, inside, outside):
    assert all(size in axis for size in inside)
    assert not any(size in axis for size in outside)


def test_an_axis_of_choices_knows_its_ends():
    assert (Axis(choices=[128, 64]).min, Axis(choices=[128, 64]).max) == (64, 128)


@pytest.mark.parametrize(
    ("thing", "text"),
    [
        (Axis(1, 9), "1..9"),
        (Axis(16, 64, multiple_of=16), "16..64, multiple of 16"),
        (Axis(choices=(64, 128)), "64 | 128"),
        (Fill("normal"), "normal"),
        (Fill("integers", ("0", "V")), "integers(0, V)"),
        (Tensor("M, N // 2", "bf16"), "bf16[M, N // 2]"),
        (Tensor("M", fill="ones", strides="2", optional=True), "fp32[M] strides(2) ones or None"),
        (Tensor(""), "fp32[]"),
        (Scalar("float", 1e-5), "float 1e-05"),
        (Scalar("bool", choices=(False, True)), "bool False | True"),
        (Case({"M": 1, "T": "fp16"}), "M=1, T=fp16"),
        (Case({"M": 1}, without=("bias", "x")), "M=1, without bias, x"),
    ],
)
def test_how_it_reads(thing, text):
    assert str(thing) == text


@pytest.mark.parametrize("shape", ["M, N", ("M", "N"), ["M", "N"]])
def test_a_shape_may_be_text_or_a_sequence(shape):
    assert Tensor(shape).shape == ("M", "N")
    assert Tensor(3).shape == ("3",)
    assert Tensor((3, "N")).shape == ("3", "N")


@pytest.mark.parametrize(("kind", "fill"), [("float", "normal"), ("int", "bits"), ("bool", "mask")])
def test_what_is_drawn_where_nothing_is_said(kind, fill):
    assert Tensor("M").filled(kind) == Fill(fill)
    assert Tensor("M", fill="ones").filled(kind) == Fill("ones")


@pytest.mark.parametrize("kind", sorted(FILLS))
def test_each_fill_takes_what_is_written_down(kind):
    least, most = FILLS[kind]
    for count in range(4):
        text = f"{kind}({', '.join(['1'] * count)})"
        if least <= count <= most:
            assert Fill.parse(text).args == ("1",) * count
        else:
            with pytest.raises(SpecError, match="takes"):
                Fill.parse(text)


def test_a_spec_takes_what_is_short_to_write():
    spec = Spec(
        axes={},
        inputs={"x": Tensor("M"), "n": Scalar("int", 1)},
        cases=[{"M": 1}, Case({"M": 2}, weight=3)],
        outputs=[Tensor("M"), Tensor("M")],
        dtypes={"T": "fp16"},
        where="M > 1",
        changes="x",
        wrt=["x"],
        tolerance=3,
    )
    assert spec.cases == (Case({"M": 1}), Case({"M": 2}, weight=3))
    assert spec.outputs == (Tensor("M"), Tensor("M"))
    assert (spec.dtypes, spec.where, spec.changes, spec.wrt) == ({"T": ("fp16",)}, ("M > 1",), ("x",), ("x",))
    assert list(spec.tensors) == ["x"]
    assert spec.bench == ()


@pytest.mark.parametrize(
    ("given", "steps"),
    [
        ({}, {"fp32": 128, "fp16": 4, "bf16": 4, "fp64": 256, "fp8_e4m3fn": 2, "fp8_e5m2": 2}),
        (7, {"fp32": 7, "fp8_e5m2": 7, "int32": 0, "bool": 0}),
        ({"int8": 1, "*": 3}, {"int8": 1, "int32": 0, "fp32": 3}),
        ({"fp8_e4m3": 5}, {"fp8_e4m3fn": 5, "fp8_e4m3fnuz": 5, "fp8_e5m2": 2}),
        ({"fp8_e4m3": 5, "fp8_e4m3fn": 1}, {"fp8_e4m3fn": 1, "fp8_e4m3fnuz": 5}),
        ({"fp16": 9}, {"fp16": 9, "fp32": 128}),
        ({"fp16": 9, "*": 1}, {"fp16": 9, "fp32": 1}),
        (Tolerance({"fp16": 2}), {"fp16": 2, "bf16": 4}),
        (0, {"fp32": 0}),
    ],
)
def test_tolerances(given, steps):
    tolerance = Spec(axes={}, inputs={}, cases=[], tolerance=given).tolerance
    assert {name: tolerance.of(name) for name in steps} == steps


def test_the_format_of_a_declared_dtype():
    spec = Spec(axes={}, inputs={}, cases=[], dtypes={"T": ("fp16", "fp8_e4m3")})
    assert spec.format("T", {"T": "fp16"}).name == "fp16"
    assert spec.format("T", {"T": "fp8_e4m3"}, "gfx942").name == "fp8_e4m3fnuz"
    assert spec.format("int32", {"T": "fp16"}).name == "int32"
    with pytest.raises(ValueError, match="there is no number format 'None'"):
        spec.format("T", {})


def test_the_leaves_of_a_tree():
    tree = {"y": (1, [2, {"z": 3}]), "w": 4}
    assert list(words.leaves(tree)) == [("y.0", 1), ("y.1.0", 2), ("y.1.1.z", 3), ("w", 4)]
    assert list(words.leaves(5)) == [("", 5)]
    assert list(words.leaves(())) == []


def test_a_description_knows_its_title_and_entry():
    spec = Spec(axes={}, inputs={}, cases=[])
    about = Description("softmax", "\n  A title. \nMore.", spec, ("x",))
    assert (about.title, about.entry) == ("A title.", "softmax")
    assert Description("a", "", Spec(axes={}, inputs={}, cases=[], entry="go"), ()).entry == "go"
