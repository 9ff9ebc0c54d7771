"""Optional and non-contiguous inputs, scalars, narrow formats, indices with ties, and empty tensors."""

import pytest
from trial import IMPORTS, a_spec, accepted, changed, rejected, verdict_on

from geak_evaluator.schema.verdict import Cause, Tier

BIAS = a_spec(
    "def reference(x, bias):\n    return x if bias is None else x + bias",
    inputs='{"x": Tensor("M, N"), "bias": Tensor("N", optional=True)}',
    cases='[{"M": 3, "N": 70}, Case({"M": 3, "N": 70}, without=("bias",))]',
    more='outputs=Tensor("M, N"),',
)
ADD_BIAS = f"""{IMPORTS}

@triton.jit
def _bias(x, bias, out, N, HAS: tl.constexpr, BLOCK: tl.constexpr):
    row, at = tl.program_id(0), tl.arange(0, BLOCK)
    value = tl.load(x + row * N + at, mask=at < N)
    if HAS:
        value += tl.load(bias + at, mask=at < N)
    tl.store(out + row * N + at, value, mask=at < N)


def scale(x, bias):
    out = torch.empty_like(x)
    _bias[(x.shape[0],)](x, bias, out, x.shape[1], HAS=bias is not None, BLOCK=128)
    return out
"""


def test_an_optional_input_may_be_none(judge):
    accepted(verdict_on(judge, BIAS, ADD_BIAS))


def test_an_optional_input_that_is_not_expected_to_be_none(judge):
    verdict = verdict_on(judge, BIAS, changed(ADD_BIAS, ("HAS=bias is not None", "HAS=bias.numel() > 0")))
    rejected(verdict, Cause.RAISED, "AttributeError: 'NoneType'")
    assert "without bias" in verdict.line()
    assert len(verdict.cases) == 2


STRIDED = a_spec(
    "def reference(x):\n    return x * 2",
    inputs='{"x": Tensor("M, N", strides="1, M + 3")}',
    more='outputs=Tensor("M, N"),',
)
TWICE = f"""{IMPORTS}

@triton.jit
def _twice(x, out, M, N, sm, sn, BLOCK: tl.constexpr):
    row, at = tl.program_id(0), tl.arange(0, BLOCK)
    value = tl.load(x + row * sm + at * sn, mask=at < N)
    tl.store(out + row * N + at, value * 2, mask=at < N)


def scale(x):
    M, N = x.shape
    out = torch.empty((M, N), dtype=x.dtype, device=x.device)
    _twice[(M,)](x, out, M, N, *x.stride(), BLOCK=128)
    return out
"""


def test_an_input_with_strides(judge):
    accepted(verdict_on(judge, STRIDED, TWICE))
    wrong = verdict_on(judge, STRIDED, changed(TWICE, ("*x.stride()", "N, 1")))
    rejected(wrong, Cause.WRONG_VALUES)


def test_what_lies_between_the_rows_is_not_the_kernel_s_to_read(judge):
    # Row 1 as if it followed row 0 at once: still inside the storage, but not the matrix.
    spec = changed(STRIDED, ('"1, M + 3"', '"N + 9, 1"'))
    accepted(verdict_on(judge, spec, TWICE))
    rejected(verdict_on(judge, spec, changed(TWICE, ("*x.stride()", "N, 1"))), Cause.WRONG_VALUES, "2 of 3 rows")


SCALARS = a_spec(
    "def reference(x, n, factor, on):\n    return x * factor + n if on else x",
    inputs='{"x": Tensor("M, N"), "n": Scalar("int", "M * 2"), "factor": Scalar("float", "N ** -0.5"),'
    ' "on": Scalar("bool", choices=(True, False))}',
    more='outputs=Tensor("M, N"),',
)
AFFINE = f"""{IMPORTS}

@triton.jit
def _affine(x, out, total, factor, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out + at, tl.load(x + at, mask=at < total) * factor + n, mask=at < total)


def scale(x, n, factor, on):
    assert (type(n), type(factor), type(on)) == (int, float, bool)
    out = torch.empty_like(x)
    factor, n = (factor, n) if on else (1.0, 0)
    _affine[(triton.cdiv(x.numel(), 64),)](x, out, x.numel(), factor, n, BLOCK=64)
    return out
"""


def test_scalars_come_with_their_types_and_every_choice(judge):
    verdict = verdict_on(judge, SCALARS, AFFINE)
    accepted(verdict)
    assert [case.case.sizes["on"] for case in verdict.cases if not case.values] == [True, False]
    wrong = verdict_on(judge, SCALARS, changed(AFFINE, ("if on else (1.0, 0)", "if True else ()")))
    rejected(wrong, Cause.WRONG_VALUES)
    assert len(wrong.cases) == 2


def test_scalars_may_build_on_one_another(judge):
    spec = changed(
        SCALARS, ('"n": Scalar("int", "M * 2")', '"half": Scalar("int", "M // 2"), "n": Scalar("int", "half + 5")')
    )
    spec = changed(spec, ("def reference(x, n,", "def reference(x, half, n,"))
    accepted(verdict_on(judge, spec, changed(AFFINE, ("def scale(x, n,", "def scale(x, half, n,"))))


FP8 = a_spec(
    "def reference(x):\n    return x",
    inputs='{"x": Tensor("M, N", "fp32", fill="uniform(-200, 200)")}',
    more='outputs=Tensor("M, N", "fp8_e4m3"),',
)
ROUND = f"""{IMPORTS}

@triton.jit
def _round(x, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out + at, tl.load(x + at, mask=at < n).to(out.dtype.element_ty), mask=at < n)


def scale(x):
    out = torch.empty_like(x, dtype=torch.float8_e4m3fnuz)
    _round[(triton.cdiv(x.numel(), 64),)](x, out, x.numel(), BLOCK=64)
    return out
"""


@pytest.mark.parametrize("target", ["gfx942", "sm_90"])
def test_fp8_is_the_flavour_of_the_target(judge, target):
    flavour = "fnuz" if target == "gfx942" else "fn"
    sound = changed(ROUND, ("float8_e4m3fnuz", f"float8_e4m3{flavour}"))
    accepted(verdict_on(judge, FP8, sound, target=target))
    other = verdict_on(judge, FP8, changed(sound, (f"float8_e4m3{flavour}", "float8_e5m2")), target=target)
    rejected(other, Cause.WRONG_DTYPE, f"torch.float8_e4m3{flavour} is expected")
    wrong = changed(sound, ("tl.load(x + at, mask=at < n)", "(tl.load(x + at, mask=at < n) * 1.25)"))
    rejected(verdict_on(judge, FP8, wrong, target=target), Cause.WRONG_VALUES)


TIES = a_spec(
    "def reference(x):\n    return x.argmax(-1)",
    inputs='{"x": Tensor("M, N", fill="integers(0, 3)")}',
    more='outputs=Tensor("M", "int64"), oracle="exact", ties="any",',
)
ARGMAX = f"""{IMPORTS}

@triton.jit
def _argmax(x, out, N, LEFT: tl.constexpr, BLOCK: tl.constexpr):
    row, at = tl.program_id(0), tl.arange(0, BLOCK)
    value = tl.load(x + row * N + at, mask=at < N, other=float("-inf"))
    best = tl.max(value, axis=0)
    if LEFT:
        index = tl.min(tl.where(value == best, at, BLOCK), axis=0)
    else:
        index = tl.max(tl.where(value == best, at, -1), axis=0)
    tl.store(out + row, index.to(tl.int64))


def scale(x):
    out = torch.empty((x.shape[0],), dtype=torch.int64, device=x.device)
    _argmax[(x.shape[0],)](x, out, x.shape[1], LEFT=True, BLOCK=128)
    return out
"""


def test_an_index_may_be_any_of_equal_values_or_must_be_the_first(judge):
    first, last = ARGMAX, changed(ARGMAX, ("LEFT=True", "LEFT=False"))
    accepted(verdict_on(judge, TIES, first))
    accepted(verdict_on(judge, TIES, last))
    strict = changed(TIES, ('ties="any"', 'ties="first"'))
    accepted(verdict_on(judge, strict, first))
    rejected(verdict_on(judge, strict, last), Cause.WRONG_VALUES, "wrong at [0]")
    for wrong in ("index * 0 + 1000", "index * 0 - 1", "index * 0"):
        source = changed(ARGMAX, ("index.to(", f"({wrong}).to("), ('float("-inf")', "0.0"))
        assert verdict_on(judge, changed(TIES, ("integers(0, 3)", "integers(0, 99)")), source).failure is not None


def test_whole_numbers_are_told_in_full(judge):
    spec = a_spec(
        "def reference(x):\n    return x + 0",
        inputs='{"x": Tensor("M, N", "int64", fill="integers(1234567890, 1234567891)")}',
        more='outputs=Tensor("M, N", "int64"), oracle="exact",',
    )
    wrong = changed(TWICE, ("value * 2", "value + 1"))
    rejected(verdict_on(judge, spec, wrong), Cause.WRONG_VALUES, "got 1234567891, expected 1234567890")


@pytest.mark.parametrize("format", ["int8", "uint8", "int64"])
def test_an_answer_that_looks_like_unwritten_memory_is_an_answer(judge, format):
    value = 255 if format == "uint8" else -1
    spec = a_spec(
        "def reference(x):\n    return x + 0",
        inputs=f'{{"x": Tensor("M, N", "{format}", fill="constant({value})")}}',
        more=f'outputs=Tensor("M, N", "{format}"), oracle="exact",',
    )
    accepted(verdict_on(judge, spec, changed(TWICE, ("value * 2", "value"))))


def test_nothing_to_compute_needs_no_kernel(judge):
    spec = changed(STRIDED, ("choices=(3,)", "choices=(0,)"), ('"M": 3', '"M": 0'))
    accepted(
        verdict_on(judge, spec, changed(TWICE, ("    _twice[", "    if M == 0:\n        return out\n    _twice[")))
    )


DOUBLE = STRIDED.replace('strides="1, M + 3"', '"fp64"').replace(
    'outputs=Tensor("M, N")', 'outputs=Tensor("M, N", "fp64")'
)


def test_doubles_are_drawn_in_every_way_and_kept_to_their_last_bit(judge):
    accepted(verdict_on(judge, DOUBLE, TWICE, tier=Tier.FULL))
    rejected(verdict_on(judge, DOUBLE, changed(TWICE, ("value * 2", "value.to(tl.float32) * 2"))), Cause.WRONG_VALUES)


UNSIGNED = f"""{IMPORTS}

@triton.jit
def _mixed(x, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    value = tl.load(x + at, mask=at < n)
    value = value ^ (value >> 3)
    tl.store(out + at, tl.where(value > value // 2, value, 0), mask=at < n)


def scale(x):
    out = torch.empty_like(x)
    _mixed[(triton.cdiv(x.numel(), 64),)](x, out, x.numel(), BLOCK=64)
    return out
"""


@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_numbers_without_a_sign_use_their_highest_bit(judge, bits):
    # torch shifts none without a sign: as signed ones, and the sign's copies left out
    reference = f"""def reference(x):
    y = x.view(torch.int{bits})
    return (y ^ (y >> 3 & ((1 << {bits - 3}) - 1))).view(torch.uint{bits})"""
    spec = a_spec(
        reference,
        inputs=f'{{"x": Tensor("M, N", "uint{bits}", fill="bits")}}',
        more=f'outputs=Tensor("M, N", "uint{bits}"), oracle="exact",',
    )
    accepted(verdict_on(judge, spec, UNSIGNED, tier=Tier.FULL))
    rejected(
        verdict_on(judge, spec, changed(UNSIGNED, ("value >> 3", f"value.to(tl.int{bits}) >> 3"))), Cause.WRONG_VALUES
    )
