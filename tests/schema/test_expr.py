import ast
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geak_evaluator.schema import expr
from geak_evaluator.schema.expr import ExprError

SIZES = {"M": 3, "N": 17, "K": 64, "T": "fp16", "flag": True}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7", 7),
        ("N", 17),
        ("2 * N + 1", 35),
        ("N // 4", 4),
        ("N / 4", 4.25),
        ("N % 4", 1),
        ("K ** -0.5", 0.125),
        ("-N", -17),
        ("+N", 17),
        ("not N", False),
        ("not flag", False),
        ("min(M, N, K)", 3),
        ("max(M, N)", 17),
        ("abs(M - N)", 14),
        ("cdiv(N, 4)", 5),
        ("cdiv(16, 4)", 4),
        ("N % M == 2", True),
        ("1 < M < N <= 17", True),
        ("1 < M < N < 17", False),
        ("M != N", True),
        ("M >= N", False),
        ("M and N", True),
        ("M > 5 or N > 5", True),
        ("M > 5 and N > 5", False),
        ("K if flag else N", 64),
        ("K if M > N else N", 17),
        ("True", True),
        ("  N  ", 17),
        ("1e-3", 0.001),
        ("T == 'fp16'", True),
        ("'fp32' == T", False),
        ("T != 'fp16' or flag == False", False),
        ("T == 'fp16' and N == 17", True),
    ],
)
def test_what_an_expression_is_worth(text, expected):
    assert expr.value(text, SIZES) == expected


@pytest.mark.parametrize(
    "text",
    [
        "N.bit_length",
        "N.__class__",
        "().__class__.__bases__",
        "N.bit_length()",
        "open('/etc/passwd')",
        "__import__('os')",
        "max(M, key=N)",
        "min(*M)",
        "[N for N in M]",
        "(N for N in M)",
        "{N: M}",
        "N[0]",
        "[1, 2]",
        "(M, N)",
        "lambda: 1",
        "(N := 3)",
        "f'{N}'",
        "'text'",
        "b'text'",
        "None",
        "...",
        "1j",
        "~N",
        "N << 2",
        "N | M",
        "N @ M",
        "N in M",
        "N is M",
        "await N",
        "yield N",
        "import os",
        "N; M",
        "N = 3",
        "N +",
        "",
        "  ",
        "\0",
        "\ud800",
        "(-8) ** 0.5",
    ],
)
def test_what_is_no_arithmetic_is_refused(text):
    with pytest.raises(ExprError):
        expr.value(text, SIZES)


@pytest.mark.parametrize("text", ["N.real", "N[0]", "foo(N)", "max(N, key=M)", "[N for N in M]", "(M, N)"])
def test_names_are_only_taken_from_arithmetic(text):
    # What is only looked at for its names may be evaluated much later, where nobody expects it to fail.
    with pytest.raises(ExprError, match="is not arithmetic over axis names"):
        expr.names_in(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("M // 0", "divides by zero"),
        ("M % (N - N)", "divides by zero"),
        ("cdiv(M, 0)", "divides by zero"),
        ("0 ** -1", "divides by zero"),
        ("9 ** 9 ** 9 ** 9", "too large"),
        ("2 ** 128 * 2 ** 128", "too large"),
        ("2 ** 1000000000", "too large"),
        ("10.0 ** 400", "too large"),
        ("1e200 ** 2 ** 7", "too large"),
        ("9" * 300, "too large"),
        ("T + 1", "'T' is a type here, not a number"),
        ("T == 3", "'T' is a type here, not a number"),
        ("T < 'fp32'", "'T' is a type here, not a number"),
        ("N == 'fp32'", "\"'fp32'\" is not arithmetic|'fp32' is not arithmetic"),
        ("Q", "nothing is named 'Q'; known are K, M, N, T, flag"),
        ("min()", "has no value"),
        ("abs(M, N)", "has no value"),
        ("N +", "is not an expression"),
        ("N" + " + N" * 1600, "6401 characters long; 4000 is the most"),
        ("(" * 300 + "N" + ")" * 300, "is not an expression"),
        ("N.x", "'N.x' is not arithmetic over axis names"),
    ],
)
def test_each_refusal_says_what_is_wrong(text, message):
    with pytest.raises(ExprError, match=message):
        expr.value(text, SIZES)


def test_a_power_is_cut_off_before_it_is_taken():
    with pytest.raises(ExprError, match="too large"):
        expr.value("M ** N", {"M": 1 << 33, "N": 128})
    assert expr.value("2 ** 127", {}) == 1 << 127


@pytest.mark.parametrize("text", ["-" * 950 + "1", "not " * 240 + "N", "+".join(["N"] * 490), "N if " * 190 + "1"])
def test_deep_nesting_is_a_value_or_a_refusal(text):
    for read in (lambda: expr.value(text, SIZES), lambda: expr.split(text), lambda: expr.call(f"normal({text})")):
        try:
            read()
        except ExprError:
            continue


def test_without_names_it_says_so():
    with pytest.raises(ExprError, match="known are no names"):
        expr.value("N", {})


@pytest.mark.parametrize(("text", "expected"), [("N // 2", 8), ("N / 17", 1), ("2.0", 2), ("True", 1), ("K ** 0.5", 8)])
def test_whole_numbers(text, expected):
    result = expr.integer(text, SIZES)
    assert (result, type(result)) == (expected, int)


@pytest.mark.parametrize("text", ["N / 2", "0.5", "1e999", "1e999 - 1e999"])
def test_what_is_no_whole_number(text):
    with pytest.raises(ExprError, match="is not a whole number"):
        expr.integer(text, SIZES)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ()),
        ("  ", ()),
        ("N", ("N",)),
        ("M, N // 2", ("M", "N // 2")),
        ("M,N,", ("M", "N")),
        ("min(M, N), 3", ("min(M, N)", "3")),
        ("(M)", ("M",)),
    ],
)
def test_splitting(text, parts):
    assert expr.split(text) == parts


@pytest.mark.parametrize("text", ["M N", "a) + (b", ",", "M,,N", "M # N", "M)", "*", "x for x in y"])
def test_what_cannot_be_split(text):
    with pytest.raises(ExprError):
        expr.split(text)


def test_names():
    assert expr.names_in("min(M, 2 * N) + cdiv(K, 3)") == {"M", "N", "K"}
    assert expr.names_in("3") == frozenset()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("normal", ("normal", ())),
        ("normal()", ("normal", ())),
        ("uniform(-1, 2 * N)", ("uniform", ("-1", "2 * N"))),
        (" integers(0, max(M, N)) ", ("integers", ("0", "max(M, N)"))),
    ],
)
def test_calls(text, expected):
    assert expr.call(text) == expected


@pytest.mark.parametrize("text", ["", "normal(mean=3)", "a.b(3)", "3", "normal(1)(2)", "normal(", "normal; os"])
def test_what_is_no_call(text):
    with pytest.raises(ExprError):
        expr.call(text)


_TOKENS = [
    *"MNKT()+-*/%<>=!,.[]:'\"\\ \n\0#~@",
    "**",
    "//",
    "==",
    " if ",
    " else ",
    " and ",
    " not ",
    "9" * 40,
    "1e309",
]
_TOKENS += [
    "min(",
    "cdiv(",
    "lambda ",
    "flag",
    " for ",
    " in ",
    "0",
    "1",
    "2.5",
    "-1",
    "\ud800",
    "é",
    "__class__",
    "1j",
]


@settings(max_examples=400, deadline=2000)
@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(_TOKENS), max_size=40).map("".join)))
def test_any_text_is_a_number_or_a_refusal(text):
    for read in (lambda: expr.value(text, SIZES), lambda: expr.integer(text, SIZES)):
        try:
            assert isinstance(read(), int | float)
        except ExprError:
            continue
    for read in (expr.split, expr.names_in, expr.call):
        try:
            read(text)
        except ExprError:
            continue


_LEAF = st.sampled_from(["M", "N", "K", "0", "1", "2", "3", "7", "0.5"])
_TREES = st.recursive(
    _LEAF,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "//", "%", "==", "<"]), inner).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})"),
        inner.map(lambda t: f"(-{t})"),
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=2000)
@given(_TREES)
def test_arithmetic_is_python_s(text):
    try:
        expected = eval(compile(ast.parse(text, mode="eval"), "", "eval"), {}, {"M": 3, "N": 17, "K": 64})
    except ZeroDivisionError:
        with pytest.raises(ExprError, match="divides by zero"):
            expr.value(text, SIZES)
        return
    found = expr.value(text, SIZES)
    assert found == expected
    assert math.isfinite(found)
