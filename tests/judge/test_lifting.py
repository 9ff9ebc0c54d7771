"""A reference's truth is float64's, whatever casts its author wrote."""

from pathlib import Path

import numpy as np
import pytest
from trial import a_spec

from geak_evaluator.oracle import SpecFile
from geak_evaluator.schema.spec import Case

INPUTS = '{"x": Tensor("M, N", "fp16", fill="normal(3, 2)"), "w": Tensor("N", "fp32")}'
CASE = Case({"M": 3, "N": 70})


def answer(judge, body: str, **fields: str):
    spec = a_spec(f"def reference(x, w):\n    {body}", **({"inputs": INPUTS} | fields))
    with judge.oracle(SpecFile(Path("/specs/scale.py"), spec.encode())) as oracle:
        return oracle.case(CASE, "gfx942", examine=True)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def standard(x):
    return (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return x * w", lambda x, w: x * w),
        ("return x.float() / 3", lambda x, w: x / 3),
        ("return x.half() / 3", lambda x, w: x / 3),
        ("return x.bfloat16() / 3", lambda x, w: x / 3),
        ("return x.to(torch.float32) / 3", lambda x, w: x / 3),
        ("return x.to(dtype=torch.float16) / 3", lambda x, w: x / 3),
        ("return x.to('cpu', torch.bfloat16) / 3", lambda x, w: x / 3),
        ("return x.type(torch.float32) / 3", lambda x, w: x / 3),
        ("return (w * 1.1).to(x.dtype) / 3", lambda x, w: np.float64(1.1) * w / 3),
        ("return (w * 1.1).type_as(x) / 3", lambda x, w: np.float64(1.1) * w / 3),
        ("return x.sum(-1, dtype=torch.float32) / 3", lambda x, w: x.sum(-1) / 3),
        ("return torch.zeros(3, 70, dtype=torch.float32) + x / 3", lambda x, w: x / 3),
        ("return torch.full((3, 70), 1 / 3, dtype=torch.float16) + x", lambda x, w: x + 1 / 3),
        ("return torch.full_like(x, 1 / 3) + x", lambda x, w: x + 1 / 3),
        ("return x.new_full((70,), 1 / 3) + x", lambda x, w: x + 1 / 3),
        ("return torch.tensor(1 / 3) + x", lambda x, w: x + 1 / 3),
        ("return torch.ones(70) / 3 + x", lambda x, w: x + 1 / 3),
        ("return torch.linspace(0, 1, 70) + x", lambda x, w: x + np.linspace(0, 1, 70)),
        ("return torch.arange(70, dtype=torch.float32) / 3 + x", lambda x, w: x + np.arange(70) / 3),
        ("return torch.nn.functional.softmax(x, -1, dtype=torch.float32)", lambda x, w: softmax(x)),
        ("return torch.softmax(x.float(), -1).to(torch.float16)", lambda x, w: softmax(x)),
        ("return torch.nn.functional.linear(x.float(), w.float()[None])", lambda x, w: (x @ w)[:, None]),
        ("return torch.nn.functional.layer_norm(x.float(), (70,), eps=0)", lambda x, w: standard(x)),
        ("out = torch.empty_like(x)\n    out.copy_(x / 3)\n    return out", lambda x, w: x / 3),
        ("return torch.where(x > 0, x, torch.tensor(0.1, dtype=torch.float16))", lambda x, w: np.where(x > 0, x, 0.1)),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_the_truth_is_what_numpy_finds_in_float64(judge, body, expected):
    found = answer(judge, body)
    x, w = (found.input(slot) for slot in found.slots)
    np.testing.assert_allclose(found.expected(0), expected(x, w), rtol=1e-13, atol=1e-13)
    assert found.reply.outputs[0].truth.format == "fp64"
    assert found.reply.narrow == ()
    assert found.reply.unstable == ()


@pytest.mark.parametrize(
    "body",
    [
        "return torch.as_tensor(x.numpy().astype('float32')) / 3",
        "return x.double().view(torch.int64).int().view(torch.float32) * 1.5",
    ],
)
def test_what_was_narrow_all_the_same_is_told(judge, body):
    assert answer(judge, body).reply.narrow


def test_bits_are_read_anew_at_their_own_width(judge):
    found = answer(judge, "return w.to(torch.int32).view(torch.float32).view(torch.int32)")
    np.testing.assert_array_equal(found.expected(0), np.trunc(found.input(found.slots[1])))


def test_a_declared_oracle_keeps_the_reference_s_own_roundings(judge):
    found = answer(judge, "return (x * w).half()", more='oracle="declared",')
    x, w = (found.input(slot) for slot in found.slots)
    expected = (x.astype(np.float32) * w.astype(np.float32)).astype(np.float16)
    np.testing.assert_array_equal(found.expected(0), expected.astype(np.float64))
    assert found.reply.outputs[0].format == found.reply.outputs[0].truth.format == "fp16"


def test_the_format_of_an_output_is_the_plain_reference_s(judge):
    assert answer(judge, "return x.float() * 2").reply.outputs[0].format == "fp32"
    assert answer(judge, "return x * 2").reply.outputs[0].format == "fp16"
    assert answer(judge, "return (x > 0), x.argmax(-1)").reply.outputs[0].format == "bool"


def test_a_gradient_is_float64_s_as_well(judge):
    found = answer(judge, "return (x.float() * w).half()", more='contract="gradient", wrt=("x", "w"),')
    x, w = (found.input(slot) for slot in found.slots)
    (incoming,) = found.reply.gradients
    weight = found.input(incoming)
    by_path = {e.path: found.expected(i) for i, e in enumerate(found.reply.outputs)}
    np.testing.assert_allclose(by_path["grad.x"], weight * w, rtol=1e-13)
    np.testing.assert_allclose(by_path["grad.w"], (weight * x).sum(0), rtol=1e-13)


def test_the_same_seed_gives_the_same_case_and_another_another(judge):
    spec = a_spec("def reference(x, w):\n    return x * w", inputs=INPUTS)
    with judge.oracle(SpecFile(Path("/specs/scale.py"), spec.encode())) as oracle:
        first, again, other = (oracle.case(CASE, "gfx942", seed=seed) for seed in (1, 1, 2))
        hidden, secret = oracle.case(CASE, "gfx942"), oracle.case(CASE, "gfx942")
    assert first.given == again.given
    assert first.given != other.given
    assert hidden.given != secret.given
