"""What a compiler writes for a spec, and what is said where it writes nothing."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from geak_evaluator.judge import Judge
from geak_evaluator.oracle import SpecFile
from geak_evaluator.schema.seed import Seeds
from geak_evaluator.schema.verdict import Status, Tier
from geak_evaluator.seeding import seed

HEAD = "import torch\nfrom geak_evaluator import Axis, Scalar, Spec, Tensor\n"
ROWS = 'axes={"M": Axis(1, 64), "N": Axis(1, 4096)}, cases=[{"M": 3, "N": 17}], inputs={"x": Tensor("M, N", "fp32")}'


def seeds(judge: Judge, body: str, declared: str = ROWS) -> Seeds:
    text = f'"""Something."""\n{HEAD}spec = Spec({declared})\n{body}'
    return seed(judge, SpecFile(Path("wanted.py"), text.encode()))


def test_a_seed_stands_alone_and_is_right_at_every_tier(judge: Judge) -> None:
    declared = (
        'axes={"M": Axis(1, 64), "N": Axis(1, 4096)}, cases=[{"M": 3, "N": 17}, {"M": 1, "N": 1}], '
        'dtypes={"T": ("fp16", "bf16", "fp32")}, outputs=Tensor("M, N", "T"), '
        'inputs={"x": Tensor("M, N", "T"), "eps": Scalar("float", choices=(1e-6, 0.5))}'
    )
    body = "def reference(x, eps):\n    return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + eps)\n"
    text = f'"""Something."""\n{HEAD}spec = Spec({declared})\n{body}'
    file = SpecFile(Path("wanted.py"), text.encode())
    found = seed(judge, file)
    assert not found.trouble
    first = found.seeds[0]
    assert "torch.compile" in first.about
    imported = {
        alias.name if isinstance(node, ast.Import) else f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(first.source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert imported <= {"torch", "triton", "triton.language", "triton.language.extra.libdevice"}
    verdict = judge.evaluate(file, first.source.encode(), tier=Tier.FULL)
    assert verdict.status is Status.ACCEPTED, verdict


def test_a_size_of_1_is_a_constant_to_triton_and_does_no_harm(judge: Judge) -> None:
    declared = (
        'axes={"N": Axis(1, 4096), "P": Axis(1, 64)}, cases=[{"N": 5, "P": 1}], outputs=Tensor("2 * N"), '
        'inputs={"x": Tensor("N"), "table": Tensor("P"), "at": Tensor("N", "int64", fill="integers(0, P)")}'
    )
    body = "def reference(x, table, at):\n    return torch.cat((x, table[at]))\n"
    file = SpecFile(Path("wanted.py"), f'"""Both."""\n{HEAD}spec = Spec({declared})\n{body}'.encode())
    verdict = judge.evaluate(file, seed(judge, file).seeds[0].source.encode(), tier=Tier.GATE)
    assert verdict.status is Status.ACCEPTED, verdict.line()


def test_a_module_s_sizes_may_come_in_a_tuple(judge: Judge) -> None:
    declared = f'{ROWS}, contract="module", init={{"shape": (1, "N")}}, outputs=Tensor("M, N")'
    body = (
        "class Reference(torch.nn.Module):\n    def __init__(self, shape):\n        super().__init__()\n"
        "        assert type(shape) is tuple\n        self.scale = torch.nn.Parameter(torch.ones(shape))\n"
        "    def forward(self, x):\n        return x * self.scale\n"
    )
    file = SpecFile(Path("wanted.py"), f'"""Scaled."""\n{HEAD}spec = Spec({declared})\n{body}'.encode())
    found = seed(judge, file)
    assert "N = shape[1]" in found.seeds[0].source
    assert judge.evaluate(file, found.seeds[0].source.encode(), tier=Tier.FULL).status is Status.ACCEPTED


TROUBLES = {
    "a loop over a size": (
        "def reference(x):\n    for i in range(x.shape[1]):\n        x = x + i\n    return x\n",
        "size N",
    ),
    "a branch on values": ("def reference(x):\n    return x if x.sum() > 0 else -x\n", "by values"),
    "a size that follows values": ("def reference(x):\n    return x[x > 0]\n", "depends on values"),
    "random numbers": ("def reference(x):\n    return x + torch.rand_like(x)\n", "random numbers"),
}


ORDINARY = "a branch on values"


@pytest.mark.parametrize("name", [n if n == ORDINARY else pytest.param(n, marks=pytest.mark.slow) for n in TROUBLES])
def test_what_cannot_be_compiled_is_told_with_a_next_step(judge: Judge, name: str) -> None:
    body, words = TROUBLES[name]
    found = seeds(judge, body)
    assert not found.seeds
    assert words in found.trouble
    assert any(mark in found.trouble for mark in (";", " or "))
    assert "Error" not in found.trouble
