"""Every contract and every kind of input, right and wrong."""

import pytest
from trial import IMPORTS, a_spec, accepted, changed, rejected, verdict_on

from geak_evaluator.oracle import SpecProblem
from geak_evaluator.schema.verdict import Cause

ADD = f"""{IMPORTS}

@triton.jit
def _add(x, y, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out + at, tl.load(x + at, mask=at < n) + tl.load(y + at, mask=at < n), mask=at < n)


def launch(x, y, out):
    _add[(triton.cdiv(out.numel(), 64),)](x, y, out, out.numel(), BLOCK=64)
    return out
"""
PAIR = '{"x": Tensor("M, N"), "y": Tensor("M, N")}'

IN_PLACE = a_spec("def reference(x, y):\n    x += y", inputs=PAIR, more='changes="x",')
BOTH = a_spec(
    "def reference(x, y):\n    x += y\n    return x * 2", inputs=PAIR, more='changes="x", outputs=Tensor("M, N"),'
)
DESTINATION = a_spec(
    "def reference(x, y):\n    return {'out': x + y}",
    inputs=PAIR,
    more='outputs={"out": Tensor("M, N")}, contract="destination",',
)
MODULE = '''"""A linear map."""
import torch
from geak_evaluator import Axis, Scalar, Spec, Tensor

spec = Spec(
    axes={"M": Axis(choices=(3,)), "D": Axis(choices=(17,))},
    inputs={"x": Tensor("M, D")},
    outputs=Tensor("M, D"),
    contract="module",
    init={"dim": Scalar("int", "D")},
    cases=[{"M": 3, "D": 17}],
    entry="Shift",
)


class Reference(torch.nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.shift = torch.nn.Parameter(torch.zeros(dim))

    def forward(self, x):
        return x + self.shift
'''
SHIFT = f"""{IMPORTS}

@triton.jit
def _shift(x, shift, out, D, BLOCK: tl.constexpr):
    row, at = tl.program_id(0), tl.arange(0, BLOCK)
    value = tl.load(x + row * D + at, mask=at < D) + tl.load(shift + at, mask=at < D)
    tl.store(out + row * D + at, value, mask=at < D)


class Shift(torch.nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.shift = torch.nn.Parameter(torch.zeros(dim))

    def forward(self, x):
        out = torch.empty_like(x)
        _shift[(x.shape[0],)](x, self.shift, out, x.shape[1], BLOCK=triton.next_power_of_2(x.shape[1]))
        return out
"""
GRADIENT = a_spec(
    "def reference(x, y):\n    return x * y",
    inputs=PAIR,
    more='outputs=Tensor("M, N"), contract="gradient", wrt=("x", "y"),',
)
PRODUCT = f"""{IMPORTS}

@triton.jit
def _mul(x, y, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out + at, tl.load(x + at, mask=at < n) * tl.load(y + at, mask=at < n), mask=at < n)


def mul(x, y):
    out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    _mul[(triton.cdiv(x.numel(), 64),)](x.contiguous(), y.contiguous(), out, x.numel(), BLOCK=64)
    return out


class Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        return mul(x, y)

    @staticmethod
    def backward(ctx, dout):
        x, y = ctx.saved_tensors
        return mul(dout, y), mul(dout, x)


def scale(x, y):
    return Product.apply(x, y)
"""


def kernel(body: str) -> str:
    return f"{ADD}\n\ndef scale(x, y, out=None):\n    {body}\n"


@pytest.mark.parametrize(
    ("spec", "body"),
    [
        (IN_PLACE, "launch(x, y, x)"),
        (BOTH, "launch(x, y, x)\n    return launch(x, x, torch.empty_like(x))"),
        (DESTINATION, "launch(x, y, out)"),
        (DESTINATION, "return launch(x, y, out)"),
    ],
    ids=["in place", "in place and returned", "destination", "destination, returned too"],
)
def test_a_kernel_that_keeps_to_its_contract(judge, spec, body):
    accepted(verdict_on(judge, spec, kernel(body)))


_DOUBLED = "s = launch(x, y, torch.empty_like(x))\n    return launch(s, s, torch.empty_like(x))"


@pytest.mark.parametrize(
    ("spec", "body", "cause", "words"),
    [
        (IN_PLACE, "pass", Cause.NO_KERNEL, ("no Triton kernel",)),
        (IN_PLACE, "return launch(x, y, torch.empty_like(x))", Cause.WRONG_VALUES, ("210 of 210",)),
        (IN_PLACE, "launch(x, y, y)", Cause.CHANGED_INPUT, ("it changed its input y, which it may not",)),
        (
            BOTH,
            _DOUBLED,
            Cause.WRONG_VALUES,
            ("wrong at changed.x[0, 0]",),
        ),
        (BOTH, "launch(x, y, x)\n    return x", Cause.WRONG_VALUES, ("wrong at 0[0, 0]",)),
        (DESTINATION, "return launch(x, y, torch.empty_like(x))", Cause.UNWRITTEN, ("out was never written",)),
        (DESTINATION, "launch(x, y, out[:2])", Cause.WRONG_VALUES, ("[2, 0]", "nan", "only in row 2")),
        (DESTINATION, "launch(x, y, x); out.copy_(x)", Cause.CHANGED_INPUT, ("it changed its input x",)),
    ],
)
def test_a_kernel_that_breaks_its_contract(judge, spec, body, cause, words):
    rejected(verdict_on(judge, spec, kernel(body)), cause, *words)


def test_a_destination_that_is_not_taken(judge):
    source = changed(kernel("launch(x, y, out)"), ("def scale(x, y, out=None)", "def scale(x, y)"))
    rejected(verdict_on(judge, DESTINATION, source), Cause.RAISED, "TypeError", "'out'")


def test_a_module(judge):
    accepted(verdict_on(judge, MODULE, SHIFT))
    accepted(verdict_on(judge, MODULE, changed(SHIFT, ("__init__(self, dim)", "__init__(self, n)"), ("(dim)", "(n)"))))


@pytest.mark.parametrize("several", ['("D", 1)', '["D", 1]'])
def test_a_constructor_takes_a_tuple_or_a_list_as_it_is_declared(judge, several):
    kind = "tuple" if several[0] == "(" else "list"
    spec = changed(MODULE, ('Scalar("int", "D")', several), ("(dim)", "(dim[0] * dim[1])"))
    takes = ("torch.zeros(dim)", f"torch.zeros(dim[0] if type(dim) is {kind} and dim[1] == 1 else 0)")
    accepted(verdict_on(judge, spec, changed(SHIFT, takes)))


@pytest.mark.parametrize(
    ("pairs", "sentence"),
    [
        ([('Scalar("int", "D")', "3")], "init: dim is 3; it must be a Scalar, or a tuple or list of numbers"),
        ([('Scalar("int", "D")', '("D", 0.5)')], "init: dim holds 0.5; it may hold whole numbers, and expressions"),
        ([('Scalar("int", "D")', '("D", (1, 2))')], "init: dim holds (1, 2); it may hold whole numbers"),
        ([('Scalar("int", "D")', '("D", True)')], "init: dim holds True; it may hold whole numbers"),
        ([('Scalar("int", "D")', '("E",)')], "init dim: no axis is named E"),
        ([('Scalar("int", "D")', '("D / 2",)')], "'D / 2' is 8.5, which is not a whole number"),
        ([('"dim": ', '"size": ')], "Reference takes no size, which init declares; it takes dim"),
        (
            [('{"dim":', '{"more": Scalar("int", 1), "dim":'), ("__init__(self, dim)", "__init__(self, dim, more=1)")],
            "init is in the order of Reference's arguments: dim, more",
        ),
    ],
)
def test_an_init_that_cannot_be_meant_is_told_in_a_sentence(judge, pairs, sentence):
    with pytest.raises(SpecProblem) as told:
        verdict_on(judge, changed(MODULE, *pairs), SHIFT)
    assert sentence in str(told.value)


@pytest.mark.parametrize(
    ("pairs", "cause", "words"),
    [
        ([("self.shift", "self.bias")], Cause.WRONG_STATE, ("missing shift; extra bias",)),
        (
            [("torch.zeros(dim)", "torch.zeros(dim + 1)")],
            Cause.WRONG_STATE,
            ("shift is (18,) of torch.float32; it must be (17,)",),
        ),
        ([("torch.nn.Parameter(torch.zeros(dim))", "torch.zeros(dim)")], Cause.WRONG_STATE, ("missing shift",)),
        ([("(torch.nn.Module)", ""), ("super().__init__()", "pass")], Cause.WRONG_STATE, ("missing shift",)),
        ([("def __init__(self, dim)", "def __init__(self)"), ("(dim)", "(17)")], Cause.RAISED, ("takes 1 positional",)),
        ([("x, self.shift, out", "x, x, out")], Cause.WRONG_VALUES, ("51 of 51",)),
        ([("class Shift", "class Other")], Cause.MISSING_ENTRY, ("it defines no Shift",)),
    ],
)
def test_a_module_that_is_not_the_reference_s(judge, pairs, cause, words):
    rejected(verdict_on(judge, MODULE, changed(SHIFT, *pairs)), cause, *words)


def test_gradients(judge):
    accepted(verdict_on(judge, GRADIENT, PRODUCT))


@pytest.mark.parametrize(
    ("pairs", "cause", "words"),
    [
        (
            [("return Product.apply(x, y)", "return mul(x.detach(), y.detach())")],
            Cause.NO_GRADIENT,
            ("autograd.Function",),
        ),
        (
            [("mul(dout, y), mul(dout, x)", "mul(dout, x), mul(dout, y)")],
            Cause.WRONG_VALUES,
            ("wrong at grad.x[0, 0]",),
        ),
        (
            [("mul(dout, y), mul(dout, x)", "mul(dout, y), mul(dout, y)")],
            Cause.WRONG_VALUES,
            ("wrong at grad.y[0, 0]",),
        ),
        ([("mul(dout, y), mul(dout, x)", "mul(dout, y), None")], Cause.NO_GRADIENT, ("no gradient reached y",)),
        ([("mul(dout, y), mul(dout, x)", "mul(dout, y)")], Cause.RAISED, ("incorrect number of gradients",)),
        ([("return mul(x, y)\n\n    @", "return mul(x, x)\n\n    @")], Cause.WRONG_VALUES, ("wrong at 0[0, 0]",)),
        ([("    return Product.apply(x, y)", "    return x * y")], Cause.FOREIGN_WORK, ("aten.mul",)),
    ],
)
def test_gradients_that_are_wrong(judge, pairs, cause, words):
    rejected(verdict_on(judge, GRADIENT, changed(PRODUCT, *pairs)), cause, *words)
