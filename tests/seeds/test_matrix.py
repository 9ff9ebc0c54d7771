"""Products, convolutions and attention: where Inductor would call a library, a seed has kernels."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from geak_evaluator.judge import Judge
from geak_evaluator.oracle import SpecFile
from geak_evaluator.schema.verdict import Status, Tier
from geak_evaluator.seeding import seed
from geak_evaluator.seeds import matrix_dots

SPEC = '''
"""A linear layer, a batched product, a grouped transposed convolution and attention."""

import torch

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes=dict.fromkeys("MNKL", Axis(1, 40)) | {"R": Axis(1, 3)},
    inputs={
        "x": Tensor("M, K", "fp16"),
        "w": Tensor("N, K", "fp16"),
        "b": Tensor("N", "fp16"),
        "many": Tensor("3, K, M", "fp32"),
        "image": Tensor("2, 2 * N, M, 5", "fp16"),
        "filter": Tensor("2 * N, K, R, 2", "fp16"),
        "q": Tensor("2, M, K", "fp16"),
        "kv": Tensor("2, L, K", "fp16"),
    },
    outputs={
        "linear": Tensor("M, N", "fp16"),
        "batched": Tensor("3, M, M", "fp32"),
        "conv": Tensor("2, 2 * K, 2 * M + R - 4, 7", "fp16"),
        "attention": Tensor("2, M, K", "fp16"),
    },
    where=("2 * M + R > 4",),
    cases=[{"M": 19, "N": 3, "K": 17, "L": 37, "R": 2}],
)


def reference(x, w, b, many, image, filter, q, kv):
    F = torch.nn.functional
    return {
        "linear": F.gelu(F.linear(x, w, b)),
        "batched": torch.bmm(many.mT, many),
        "conv": F.conv_transpose2d(image, filter, stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2),
        "attention": F.scaled_dot_product_attention(q, kv, kv, is_causal=True),
    }
'''


@pytest.mark.slow
@pytest.mark.parametrize("tier", [Tier.GATE, Tier.FULL])
def test_what_inductor_would_call_a_library_for_is_a_kernel_that_is_right(judge: Judge, tier: Tier) -> None:
    file = SpecFile(Path("/specs/products.py"), SPEC.encode())
    found = seed(judge, file)
    assert found.seeds, found.trouble
    source = found.seeds[0].source
    verdict = judge.evaluate(file, source.encode(), targets=["gfx942", "sm_90"], tier=tier)
    assert verdict.status is Status.ACCEPTED, verdict.cases
    functions = [ast.unparse(node) for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    writing = [text for text in functions if "tl.store" in text]
    assert len(writing) == 4, "activations, masks and biases are part of the products that they follow"
    assert all("tl.dot" in text for text in writing)


KERNEL = """
def kernel(a_ptr, b_ptr, c_ptr):
    for k in tl.range(0, K, BLOCK):
        tmp0 = tl.load(a_ptr + k, r0_mask & ymask, other=0.0).to(tl.float32)
        tmp1 = tl.load(b_ptr + k, MASK, other=OTHER).to(tl.float32)
        tmp2 = tmp0.to(tl.float16)
        tmp3 = tmp1.to(tl.float16)
        tmp4 = tl.where(r0_mask, tmp2, 0)
        tmp5 = tl.where(r0_mask, tmp3, 0)
        acc = acc + tl.dot(tmp4, tmp5)
"""


def tidied(mask: str, other: str, kind: str) -> str:
    tree = ast.parse(KERNEL.replace("MASK", mask).replace("OTHER", other))
    function = tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    matrix_dots.tidied(function, {"a_ptr": "fp16", "b_ptr": kind})
    return ast.unparse(function)


def test_an_operand_goes_from_memory_to_the_product_as_it_is() -> None:
    text = tidied("r0_mask & xmask", "0.0", "fp16")
    assert "tmp4 = tl.load(a_ptr + k, r0_mask & ymask, other=0.0)\n" in text
    assert "tmp5 = tl.load(b_ptr + k, r0_mask & xmask, other=0.0)\n" in text


@pytest.mark.parametrize(
    ("mask", "other", "kind", "kept"),
    [
        ("xmask", "0.0", "fp16", "tl.where(r0_mask, tmp3, 0)"),
        ("r0_mask", "1.0", "fp16", "tl.where(r0_mask, tmp3, 0)"),
        ("r0_mask", "0.0", "bf16", "tmp1.to(tl.float16)"),
    ],
    ids=["masked by another", "not zero outside", "another format"],
)
def test_what_changes_a_value_stays(mask: str, other: str, kind: str, kept: str) -> None:
    text = tidied(mask, other, kind)
    assert kept in text
    assert "tmp4 = tl.load" in text
