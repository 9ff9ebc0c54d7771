"""Each way in which a kernel can be wrong is found, and named."""

import re

import pytest
from trial import IMPORTS, KERNEL, SPEC, accepted, changed, rejected, verdict_on

from geak_evaluator.schema.verdict import Cause, Status, Tier

pytestmark = pytest.mark.usefixtures("honest_afterwards")


def test_a_sound_kernel_is_accepted(judge, box):
    verdict = verdict_on(judge, SPEC, KERNEL)
    accepted(verdict)
    assert (verdict.name, verdict.how, verdict.target, verdict.oracle) == ("scale", "interpreter", "gfx942", "float64")
    assert verdict.sandbox == box.level.value
    assert verdict.cases[0].steps <= 2


@pytest.mark.parametrize("target", ["MI300X", "h100"])
def test_a_target_may_be_named_by_its_product(judge, target):
    verdict = verdict_on(judge, SPEC, KERNEL, target=target)
    accepted(verdict)
    assert verdict.target == {"MI300X": "gfx942", "h100": "sm_90"}[target]


_STORE = "tl.store(y + at, value * 2 + 1, mask=at < n)"
_RETURN = "    return y"


@pytest.mark.parametrize(
    ("pairs", "cause", "words"),
    [
        # what it computes
        (
            [("value * 2 + 1", "value * 2")],
            Cause.WRONG_VALUES,
            ("wrong at [0, 0]", "expected", "210 of 210", "everything"),
        ),
        ([(_STORE, _STORE.replace("at < n", "at < n - 1"))], Cause.WRONG_VALUES, ("[2, 69]", "got nan", "1 of 210")),
        ([("triton.cdiv(n, 64)", "n // 64")], Cause.WRONG_VALUES, ("got nan", "18 of 210", "from column 52 of 70 on")),
        ([(_STORE, "tl.store(y + at, (value * 2 + 1).to(tl.float16), mask=at < n)")], Cause.WRONG_VALUES, ("of 210",)),
        ([(_STORE, "tl.store(y + at, float('nan'), mask=at < n)")], Cause.WRONG_VALUES, ("got nan", "everything")),
        ([(_STORE, "tl.store(y + at, float('inf'), mask=at < n)")], Cause.WRONG_VALUES, ("got inf", "everything")),
        ([(_STORE, "pass")], Cause.UNWRITTEN, ("output 0 was never written",)),
        # where it reads and writes
        (
            [("tl.load(x + at, mask=at < n)", "tl.load(x + at)")],
            Cause.OUT_OF_BOUNDS,
            ("_scale", "load", "'x'", "(3, 0, 0)"),
        ),
        ([(_STORE, "tl.store(y + at, value * 2 + 1)")], Cause.OUT_OF_BOUNDS, ("store out of bounds", "argument 'y'")),
        ([("x + at", "x - 1 + at")], Cause.OUT_OF_BOUNDS, ("load out of bounds in program (0, 0, 0)", "1 active lane")),
        ([(_STORE, f"{_STORE}\n    tl.store(x + at, value + 1, mask=at < 5)")], Cause.CHANGED_INPUT, ("input x",)),
        # what it returns
        (
            [("empty_like(x)", "empty_like(x, dtype=torch.float64)")],
            Cause.WRONG_DTYPE,
            ("torch.float64; torch.float32 is",),
        ),
        ([(_RETURN, "    return y.half()")], Cause.WRONG_DTYPE, ("torch.float16; torch.float32 is expected",)),
        ([(_RETURN, "    return y.T")], Cause.WRONG_SHAPE, ("output 0 has shape (70, 3); (3, 70) is expected",)),
        ([(_RETURN, "    return y[None]")], Cause.WRONG_SHAPE, ("(1, 3, 70); (3, 70) is expected",)),
        ([(_RETURN, "    return y, x")], Cause.WRONG_OUTPUTS, ("it returned 2 tensors",)),
        ([(_RETURN, "    pass")], Cause.WRONG_OUTPUTS, ("it returned no tensor",)),
        ([(_RETURN, "    return y.tolist()")], Cause.WRONG_OUTPUTS, ("it returned 210 tensors",)),
        ([(_RETURN, "    return y.numpy()")], Cause.WRONG_TYPE, ("output 0 is a ndarray; it must be a plain tensor",)),
        ([(_RETURN, "    return 'done'")], Cause.WRONG_TYPE, ("output 0 is a str; it must be a plain tensor",)),
        (
            [(_RETURN, "    class Mine(torch.Tensor): pass\n    return y.as_subclass(Mine)")],
            Cause.WRONG_TYPE,
            ("output 0 is a Mine; it must be a plain tensor",),
        ),
        ([(_RETURN, "    return y.cpu()")], Cause.WRONG_DEVICE, ("a tensor on the CPU (output 0); its inputs are on",)),
        (
            [("empty_like(x)", "empty(x.shape)")],
            Cause.WRONG_DEVICE,
            ("Pointer argument (at 1) cannot be accessed from Triton (cpu tensor?)", "'y' of kernel _scale"),
        ),
        # that it is no kernel
        ([("    _scale[", "    return y\n    _scale[")], Cause.NO_KERNEL, ("no Triton kernel was launched",)),
        ([(_RETURN, "    return x * 2 + 1")], Cause.FOREIGN_WORK, ("it leaves work to torch", "aten.mul")),
        ([(_RETURN, "    return y.copy_(torch.add(x, x) + 1)")], Cause.FOREIGN_WORK, ("aten.add",)),
        # what it raises
        ([(_RETURN, "    raise KeyError('why')")], Cause.RAISED, ("KeyError: 'why'",)),
        ([(_RETURN, "    assert False, 'never'")], Cause.RAISED, ("AssertionError: never",)),
        ([(_RETURN, "    import sys\n    sys.exit('enough')")], Cause.RAISED, ("SystemExit: enough",)),
        ([(_RETURN, "    raise KeyboardInterrupt")], Cause.RAISED, ("KeyboardInterrupt",)),
        ([("    n = x.numel()", "    n = scale(x)")], Cause.RAISED, ("RecursionError",)),
        ([(_RETURN, "    raise ValueError('half \\ud800 a character')")], Cause.RAISED, ("ValueError: half",)),
        (
            [(_RETURN, "    class E(Exception):\n        def __str__(self): raise OSError\n    raise E")],
            Cause.RAISED,
            ("E: (its message could not be read)",),
        ),
        (
            [(_RETURN, "    scale(x, 3)")],
            Cause.RAISED,
            ("TypeError: scale() takes 1 positional argument but 2 were given",),
        ),
        # what the compiler says
        ([("value * 2 + 1", "value @ 2")], Cause.COMPILE_ERROR, ("MatMult",)),
        ([("value * 2 + 1", "tl.static_assert(BLOCK > 64)")], Cause.COMPILE_ERROR, ("static_assert",)),
        ([("value * 2 + 1", "undefined_name")], Cause.COMPILE_ERROR, ("undefined_name",)),
        ([("tl.arange(0, BLOCK)", "tl.arange(0, BLOCK + 1)")], Cause.COMPILE_ERROR, ("power of 2",)),
    ],
    ids=lambda value: value[0][1].strip()[:40] if isinstance(value, list) else "",
)
def test_each_fault_is_found_and_named(judge, pairs, cause, words):
    rejected(verdict_on(judge, SPEC, changed(KERNEL, *pairs)), cause, *words)


def test_the_line_of_a_fault_is_told(judge):
    source = changed(KERNEL, ("    n = x.numel()", "    raise KeyError('why')"))
    verdict = verdict_on(judge, SPEC, source)
    line = source.splitlines().index("    raise KeyError('why')") + 1
    assert verdict.failure.line == line
    assert f"(line {line})" in verdict.line()


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("    tl.store(y + at, value @ 2, mask=at < n)", "MatMult"),
        ("    tl.store(y + at, tl.nothing(value), mask=at < n)", "has no attribute 'nothing'"),
        ("    tl.store(y + at, helped(value), mask=at < n)", "undefined_name is not defined"),
        ("    tl.store(y + at, tl.sum(value, 3), mask=at < n)", "axis"),  # found inside Triton's own library
    ],
)
def test_the_line_that_does_not_compile_is_told_as_the_file_counts(judge, wrong, why):
    helper = "\n\n@triton.jit\ndef helped(v):\n    return v + undefined_name\n"
    source = changed(KERNEL, ("    tl.store(y + at, value * 2 + 1, mask=at < n)", wrong)) + helper
    failure = verdict_on(judge, SPEC, source, tier=Tier.GATE).failure
    assert failure.cause is Cause.COMPILE_ERROR
    told = "    return v + undefined_name" if "helped" in wrong else wrong
    assert failure.line == source.splitlines().index(told) + 1
    assert failure.message.startswith("does not compile for gfx942: kernel _scale: ")
    assert why in failure.message
    assert failure.message.endswith(f", in `{told.strip()}`")


def test_what_triton_finds_too_large_for_the_target_is_told(judge):
    error = "triton.runtime.errors.OutOfResources(1 << 20, 65536, 'shared memory')"
    verdict = verdict_on(judge, SPEC, changed(KERNEL, ("    return y", f"    raise {error}")))
    rejected(verdict, Cause.OUT_OF_RESOURCES, "shared memory", "65536")


def test_what_cannot_be_interpreted_is_neither_right_nor_wrong(judge):
    asm = 'tl.inline_asm_elementwise("v_mov_b32 $0, $1", "=v,v", [value], dtype=tl.float32, is_pure=True, pack=1)'
    verdict = verdict_on(judge, SPEC, changed(KERNEL, ("value * 2 + 1", f"{asm} * 2 + 1")))
    assert verdict.status is Status.UNDECIDED
    assert verdict.failure.cause is Cause.UNSUPPORTED
    assert "inline assembly" in verdict.failure.message
    assert verdict.line().startswith("UNDECIDED scale  ")


FEW = changed(
    SPEC,
    ("Axis(choices=(3,))", "Axis(choices=(1, 2))"),
    ("Axis(choices=(70,))", "Axis(choices=(64, 65))"),
    ('[{"M": 3, "N": 70}]', '[{"M": 1, "N": 64}, {"M": 1, "N": 65}, {"M": 2, "N": 64}, {"M": 2, "N": 65}]'),
)


def test_only_the_cases_before_the_first_wrong_one_are_run(judge):
    verdict = verdict_on(judge, FEW, changed(KERNEL, ("triton.cdiv(n, 64)", "n // 64")))
    rejected(verdict, Cause.WRONG_VALUES, "1 of 65")
    assert (len(verdict.cases), verdict.asked) == (2, 4)
    assert verdict.cases[0].cause is None


KNOWN = FEW[FEW.index("[{") : FEW.index("}]") + 2]
OPEN = changed(FEW, ("Axis(choices=(64, 65))", "Axis(64, 300)"), (KNOWN, '[{"M": 1, "N": 64}, {"M": 2, "N": 64}]'))


def test_sizes_that_no_case_shows_are_tried_and_not_told(judge):
    verdict = verdict_on(judge, OPEN, changed(KERNEL, ("mask=at < n)", "mask=at < n - n % 16)")))
    rejected(verdict, Cause.WRONG_VALUES, "wrong values")
    assert verdict.failure.hidden == "a size that is no multiple of a tile"
    assert (verdict.failure.case.sizes, verdict.failure.mismatch) == ({}, None)
    assert verdict.line().endswith("wrong values [hidden case: a size that is no multiple of a tile]")


@pytest.mark.parametrize(
    "pairs",
    [
        [("    return y", "    if n % 64: raise ValueError(f'{x.shape}, {n} in all')\n    return y")],
        [("    return y", "    if n % 64: print(x.shape); y = None\n    return y")],
        [("    return y", "    return y.T if n % 64 else y")],
        [("tl.load(x + at, mask=at < n)", "tl.load(x + at, mask=at < n + n % 64)")],
    ],
    ids=["raised", "printed", "shape", "out of bounds"],
)
def test_a_hidden_size_is_told_in_no_words(judge, pairs):
    verdict = verdict_on(judge, OPEN, changed(KERNEL, *pairs))
    assert verdict.failure.hidden
    told = verdict.failure.message + verdict.log
    assert not [number for number in re.findall(r"\d+", told) if int(number) > 64], told  # the hidden sizes are


def test_what_it_prints_is_kept_as_it_is(judge):
    source = changed(KERNEL, ("    return y", "    print('\\x1b[31mhello')\n    raise KeyError"))
    assert "\x1b[31mhello" in verdict_on(judge, SPEC, source).log


BY_ADDRESS = f"""{IMPORTS}

@triton.jit
def _aside(x, hidden, table, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(hidden + at, tl.load(x + at, mask=at < n) * 2 + 1, mask=at < n)
    tl.store(table, hidden.to(tl.int64))


@triton.jit
def _fetched(table, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    hidden = tl.load(table).to(tl.pointer_type(tl.float32))
    tl.store(y + at, tl.load(hidden + at, mask=at < n), mask=at < n)


def scale(x):
    hidden, y, n = torch.empty_like(x), torch.empty_like(x), x.numel()
    table = torch.empty(1, dtype=torch.int64, device=x.device)
    grid = (triton.cdiv(n, 64),)
    _aside[grid](x, hidden, table, n, BLOCK=64)
    _fetched[grid](table, y, n, BLOCK=64)
    return y
"""


def test_a_launch_touches_what_it_is_given_and_nothing_that_happens_to_live_elsewhere(judge):
    """Whole numbers among the arguments make no stray address a good one."""
    rejected(verdict_on(judge, SPEC, BY_ADDRESS), Cause.OUT_OF_BOUNDS)
