import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geak_evaluator.schema import domain
from geak_evaluator.schema.expr import ExprError
from geak_evaluator.schema.spec import Axis, Case, Description, Scalar, Spec, SpecError, Tensor

AXES = {"M": Axis(1, 64), "N": Axis(16, 128, multiple_of=16)}
CASE = {"M": 3, "N": 32}


def spec(**fields):
    fields = {"axes": AXES, "inputs": {"x": Tensor("M, N")}, "cases": [CASE]} | fields
    return Spec(**fields)


def problems(doc="A title.", arguments=None, **fields):
    made = spec(**fields)
    return domain.problems(Description("f", doc, made, tuple(made.inputs) if arguments is None else arguments))


def test_what_a_module_is_made_with_follows_the_sizes_in_the_constructor_s_order():
    init = {
        "n": Scalar("int", "M"),
        "bias": ("N // 2", 1, 1),
        "layers": ["M", "M + 1"],
        "none": (),
        "on": Scalar("bool", True),
    }
    made = spec(init=init, contract="module")
    assert [str(item) for item in made.init.values()][1:4] == ["(N // 2, 1, 1)", "[M, M + 1]", "()"]
    found = domain.initial(made, CASE)
    assert list(found.items()) == [("n", 3), ("bias", (16, 1, 1)), ("layers", [3, 4]), ("none", ()), ("on", True)]
    assert domain.initial(made, CASE | {"N": 64})["bias"] == (32, 1, 1)


@pytest.mark.parametrize("wrong", [(1.5,), ("M", None), [True], ((1, 2), 3)])
def test_a_constructor_s_tuple_holds_whole_numbers_and_expressions(wrong):
    with pytest.raises(
        SpecError, match=r"init: n holds .*; it may hold whole numbers, and expressions such as 'C // 2'"
    ):
        spec(init={"n": wrong}, contract="module")


@pytest.mark.parametrize("wrong", [3, "M", None, {"a": 1}])
def test_a_constructor_s_argument_is_a_scalar_a_tuple_or_a_list(wrong):
    with pytest.raises(SpecError, match=r"init: n is .*; it must be a Scalar, or a tuple or list of numbers"):
        spec(init={"n": wrong}, contract="module")


def test_a_specs_file_is_named_as_its_kernels_function():
    made = Spec({"N": Axis(1, 9)}, {"x": Tensor("N")}, ({"N": 3},))
    (told,) = domain.problems(Description("my spec é", "A title.", made, ("x",)))
    assert told == (
        "a kernel file cannot define 'my spec é', which is no name in Python; "
        "rename the spec's file, or give it an entry"
    )
    assert domain.problems(Description("my spec é", "A title.", replace(made, entry="twice"), ("x",))) == []


def test_a_sound_declaration_has_no_problems():
    inputs = {
        "x": Tensor("M, N", "T", strides="N + 1, 1", fill="uniform(0, N)", optional=True),
        "n": Scalar("int", "M"),
    }
    assert problems(inputs=inputs, dtypes={"T": ("fp16", "fp32")}, where=("M <= N", "n > 0"), bench=[CASE]) == []


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"doc": "  "}, "the file has no docstring: its first line says what is wanted"),
        ({"axes": AXES | {"a b": Axis(1, 2)}, "cases": []}, "'a b' cannot name an axis"),
        ({"axes": AXES | {"min": Axis(1, 2)}, "cases": []}, "'min' cannot name an axis"),
        ({"dtypes": {"M": ("fp16",)}, "cases": []}, "'M' names both an axis and a type"),
        ({"dtypes": {"T": ("float16",)}}, "type T: 'float16' is no number format; there are fp64, fp32"),
        ({"dtypes": {"T": ()}}, "type T has no choices"),
        ({"inputs": {"x": Tensor("M", "float")}}, "input x: 'float' is no number format; there are fp64"),
        ({"inputs": {"x": Tensor("MM")}}, "input x: no axis is named MM; did you mean M?"),
        ({"inputs": {"x": Tensor("Q")}}, "input x: no axis is named Q; declared are M, N"),
        ({"inputs": {"x": Tensor("M[0]")}}, "input x: 'M[0]' is not arithmetic over axis names"),
        ({"inputs": {"x": Tensor("M", strides="QQ")}}, "input x: no axis is named QQ; declared are M, N"),
        ({"inputs": {"x": Tensor("M", fill="integers(0, V)")}}, "input x: no axis is named V; declared are M, N"),
        ({"inputs": {"x": Scalar("int", "V")}}, "input x: no axis is named V; declared are M, N, x"),
        ({"outputs": Scalar("int", 1)}, "output 0 is a Scalar; it must be a Tensor"),
        ({"outputs": {"y": Tensor("V")}}, "output y: no axis is named V; declared are M, N"),
        ({"where": "M <"}, "relation 'M <': 'M <' is not an expression"),
        ({"where": "V > 1"}, "relation 'V > 1': no axis is named V; declared are M, N"),
        ({"where": "M.real > 1"}, "relation 'M.real > 1': 'M.real' is not arithmetic over axis names"),
        ({"arguments": ("x", "y")}, "reference takes y, which no input declares"),
        ({"arguments": ("y",)}, "reference does not take x, declared as input"),
        ({"changes": "y"}, "changes names y, which is no tensor input"),
        ({"contract": "gradient"}, "contract 'gradient' needs wrt=(...): the inputs whose gradient is asked for"),
        ({"contract": "gradient", "wrt": "y"}, "wrt names y, which is no tensor input"),
        ({"contract": "destination"}, "contract 'destination' needs outputs={'out': Tensor(...)}: the tensors"),
        ({"init": {"n": Scalar("int", 1)}}, "init=... belongs to contract 'module'"),
        ({"init": {"n": ("M", "V")}, "contract": "module"}, "init n: no axis is named V; declared are M, N"),
        ({"init": {"n": ["m"]}, "contract": "module"}, "init n: no axis is named m; did you mean M?"),
        ({"init": {"n": Scalar("int", "V")}, "contract": "module"}, "init n: no axis is named V; declared are M, N"),
        ({"init": {"n": ("M[0]",)}, "contract": "module"}, "init n: 'M[0]' is not arithmetic over axis names"),
        ({"init": {"n": ("M / 2",)}, "contract": "module"}, "case 1 (M=3, N=32): 'M / 2' is 1.5, which is not a whole"),
        ({"oracle": "peer"}, "oracle 'peer' needs peer='FILE:FUNCTION', the original kernel"),
        ({"oracle": "tests"}, "oracle 'tests' needs tests='pytest ...'"),
        ({"files": "a.py"}, "files=... are named relative to project=..., which is not given"),
        ({"tolerance": {"float": 1}}, "tolerance names 'float', which is no number format"),
        ({"tolerance": -1}, "a tolerance cannot be negative"),
        ({"tolerance": float("nan")}, "a tolerance cannot be negative"),
        ({"cases": []}, "there are no cases: cases=[{...}] says which sizes are run"),
        ({"cases": [{"M": 1}]}, "case 1 (M=1) does not say how large N is"),
        ({"cases": [CASE, CASE | {"M": 65}]}, "case 2 (M=65, N=32) has M=65, outside 1..64"),
        ({"cases": [CASE | {"M": "3"}]}, "case 1 (M=3, N=32) has M='3', a text; a size is a number"),
        ({"entry": "gelu bias"}, "a kernel file cannot define 'gelu bias', which is no name in Python; mend its entry"),
        ({"entry": "lambda"}, "a kernel file cannot define 'lambda', which is no name in Python; mend its entry"),
        ({"cases": [CASE | {"M": 3.0}]}, "case 1 (M=3.0, N=32) has M=3.0, outside 1..64"),
        ({"cases": [CASE | {"N": 33}]}, "case 1 (M=3, N=33) has N=33, outside 16..128, multiple of 16"),
        ({"bench": [CASE | {"N": 33}]}, "bench case 1 (M=3, N=33) has N=33, outside 16..128, multiple of 16"),
        ({"cases": [CASE | {"Q": 1}]}, "case 1 (M=3, N=32, Q=1) sizes Q, which is no axis"),
        (
            {"dtypes": {"T": ("fp16",)}, "cases": [CASE | {"T": "fp32"}]},
            "case 1 (M=3, N=32, T=fp32) has T=fp32, which is none of fp16",
        ),
        ({"where": "M > N"}, "case 1 (M=3, N=32) breaks the relation M > N"),
        ({"where": "M % (N - 32) == 0"}, "case 1 (M=3, N=32): 'M % (N - 32) == 0' divides by zero"),
        (
            {"cases": [Case(CASE, without=("x",))]},
            "case 1 (M=3, N=32, without x) leaves out x, which is no optional input",
        ),
        (
            {"inputs": {"x": Tensor("M - 4")}},
            "case 1 (M=3, N=32): (M - 4) is (-1,) here, and a size cannot be negative",
        ),
        ({"inputs": {"x": Tensor("M", strides="M - 4")}}, "case 1 (M=3, N=32): (M - 4) is (-1,) here"),
        ({"inputs": {"x": Tensor("M / 2")}}, "case 1 (M=3, N=32): 'M / 2' is 1.5, which is not a whole number"),
        (
            {"inputs": {"x": Tensor("M", fill="uniform(0, 1 / (M - 3))")}},
            "case 1 (M=3, N=32): '1 / (M - 3)' divides by",
        ),
        ({"inputs": {"x": Tensor("M"), "n": Scalar("int", "1e999")}}, "case 1 (M=3, N=32): n is inf here"),
        ({"inputs": {"x": Tensor("M"), "n": Scalar("int", "M // 0")}}, "case 1 (M=3, N=32): 'M // 0' divides by zero"),
        (
            {"inputs": {f"s{i}": Scalar("int", choices=(1, 2)) for i in range(30)}},
            "case 1 (M=3, N=32) leaves so much open that it is run 1073741824 times; 1000 is the most",
        ),
    ],
)
def test_each_fault_has_its_sentence(fields, sentence):
    found = problems(**fields)
    assert any(text.startswith(sentence) for text in found), found


def test_where_no_sizes_are_to_be_found():
    # Only a spec without cases of its own has its sizes drawn.
    found = problems(cases=[], where=("M > N", "M < N"))
    assert "no sizes were found that meet M > N and M < N" in found


def test_a_fault_is_told_once():
    found = problems(inputs={"x": Tensor("Q, Q"), "y": Tensor("Q")})
    assert len(found) == len(set(found))
    assert sum("input x: no axis is named Q" in text for text in found) == 1


def test_expanding_tries_every_choice_that_is_left_open():
    made = spec(
        dtypes={"T": ("fp16", "fp32")}, inputs={"x": Tensor("M", "T"), "causal": Scalar("bool", choices=(False, True))}
    )
    open_, closed = Case(CASE, weight=2.0), Case(CASE | {"T": "fp16", "causal": True})
    assert [c.sizes for c in domain.expand(made, (open_,))] == [
        CASE | {"T": t, "causal": c} for t in ("fp16", "fp32") for c in (False, True)
    ]
    assert {c.weight for c in domain.expand(made, (open_,))} == {2.0}
    assert domain.expand(made, (closed,)) == (closed,)
    assert domain.expand(spec(), (open_,)) == (open_,)


def test_types_and_choices_that_do_not_go_together_are_never_asked_for():
    made = spec(
        dtypes={"T": ("fp16", "fp32")},
        inputs={"x": Tensor("M, N", "T"), "half": Scalar("bool", choices=(False, True))},
        where=("half == (T == 'fp16')", "T == 'fp16' or M < 10"),
    )
    assert [c.sizes for c in domain.expand(made, (Case(CASE),))] == [
        CASE | {"T": "fp16", "half": True},
        CASE | {"T": "fp32", "half": False},
    ]
    rng = random.Random(0)
    drawn = [domain.draw(made, rng) for _ in range(50)]
    assert {one["T"] for one in drawn} == {"fp16", "fp32"}
    assert all(one["T"] == "fp16" or one["M"] < 10 for one in drawn)


@pytest.mark.parametrize(
    ("relation", "sentence"),
    [
        ("T == 'half'", "'half' is no number format; there are"),
        ("U == 'fp16'", "no axis is named U"),
        ("T == 'fp32' and T == 'fp16'", "leaves types or choices open, and none of them meets"),
        ("T > 3", "'T' is a type here, not a number"),
    ],
)
def test_a_relation_between_types_is_read_before_it_is_used(relation, sentence):
    inputs = {"x": Tensor("M, N", "T")}
    found = problems(inputs=inputs, dtypes={"T": ("fp16", "fp32")}, where=(relation,))
    assert any(sentence in text for text in found), found


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (Scalar("int", 3), 3),
        (Scalar("int", "M * 2"), 6),
        (Scalar("int", 2.0), 2),
        (Scalar("float", 1), 1.0),
        (Scalar("float", "N ** -0.5"), 0.25),
        (Scalar("bool", "M > 2"), True),
        (Scalar("int", choices=(5, 7)), 5),
    ],
)
def test_the_value_of_a_scalar(item, expected):
    found = domain.scalar(item, "s", {"M": 3, "N": 16})
    assert (found, type(found)) == (expected, {"int": int, "float": float, "bool": bool}[item.type])
    assert domain.scalar(item, "s", {"M": 3, "N": 16, "s": 1}) == 1


@pytest.mark.parametrize("value", ["1e999", "1e999 - 1e999", float("inf"), float("nan")])
def test_a_scalar_that_is_no_whole_number(value):
    with pytest.raises(ExprError, match=r"s is (inf|nan) here"):
        domain.scalar(Scalar("int", value), "s", {})


def test_scalars_may_build_on_one_another():
    made = spec(inputs={"half": Scalar("int", "M // 2"), "twice": Scalar("int", "half * 4"), "x": Tensor("twice")})
    assert domain.with_scalars(made, {"M": 7, "N": 16}) == {"M": 7, "N": 16, "half": 3, "twice": 12}
    assert problems(inputs=made.inputs) == []


def test_shapes():
    assert domain.shape(("M", "2 * N"), {"M": 3, "N": 4}) == (3, 8)
    assert domain.shape((), {}) == ()
    with pytest.raises(ExprError, match="a size cannot be negative"):
        domain.shape(("M - 4",), {"M": 3})


def test_what_holds():
    made = spec(where="M < N", dtypes={"T": ("fp16",)})
    assert domain.holds(made, CASE | {"T": "fp16"})
    assert domain.holds(made, CASE)
    assert not domain.holds(made, CASE | {"T": "fp32"})
    assert not domain.holds(made, {"M": 40, "N": 32})
    assert not domain.holds(made, {"M": 3})
    assert not domain.holds(spec(where="M % (N - 32)"), CASE)


@settings(max_examples=100, deadline=4000)
@given(st.integers(0, 1 << 30))
def test_what_is_drawn_lies_in_the_domain(seed):
    axes = {"M": Axis(1, 65536), "N": Axis(16, 4096, multiple_of=16), "G": Axis(choices=(32, 64)), "Z": Axis(0, 3)}
    made = Spec(axes=axes, inputs={}, cases=[], where=("N % G == 0", "M >= G"), dtypes={"T": ("fp16", "bf16")})
    sizes = domain.draw(made, random.Random(seed))
    assert sizes is not None
    assert domain.holds(made, sizes)
    assert set(sizes) == {"M", "N", "G", "Z", "T"}


def test_drawing_reaches_both_ends_and_every_order_of_magnitude():
    rng, made = random.Random(1), Spec(axes={"M": Axis(1, 65536)}, inputs={}, cases=[])
    drawn = [domain.draw(made, rng)["M"] for _ in range(2000)]
    for low in (1, 4, 16, 256, 4096, 40000):
        assert sum(low <= size < 4 * low for size in drawn) > 50, low


def test_drawing_gives_up_where_nothing_is_to_be_found():
    assert domain.draw(spec(where="M > M"), random.Random(0), tries=50) is None
