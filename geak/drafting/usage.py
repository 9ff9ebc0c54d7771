"""What the code does with an argument, and what its name suggests: a tensor, a size, a plain number."""

from __future__ import annotations

import ast
import re
from typing import Literal

from geak.drafting.source import Function, dotted

FLOATS = frozenset(
    [
        "eps",
        "epsilon",
        "scale",
        "sm_scale",
        "softmax_scale",
        "alpha",
        "beta",
        "temperature",
        "temp",
        "p",
        "lr",
        "momentum",
        "decay",
        "weight_decay",
        "theta",
        "base",
        "slope",
        "negative_slope",
        "threshold",
        "beta1",
        "beta2",
        "gamma_",
        "smoothing",
        "label_smoothing",
        "factor",
        "margin",
    ]
)
_INTS = re.compile(
    r"^(n|k|top_?k|dim|axis|heads|groups|.*_(dim|size|len|heads|groups|idx)|(num|n|max|block)_.*|window|step)$"
)
_INDICES = frozenset(
    [
        "idx",
        "index",
        "indices",
        "ids",
        "input_ids",
        "token_ids",
        "positions",
        "position_ids",
        "labels",
        "targets",
        "target",
        "tokens",
    ]
)
_OPTIONAL = re.compile(r"(bias|mask|weight|residual|gate|cache|gamma|beta|out|sinks?|slopes)$|^(w|b|z|pos|cos|sin)$")


def is_tensor(function: Function, name: str) -> bool:
    """Whether the code treats a name as only a tensor can be."""
    if any(_tensor_use(node, name) for node in ast.walk(function)):
        return True
    return (bool(_OPTIONAL.search(name)) and name not in FLOATS) or name in _INDICES


_TORCH = ("torch.", "F.", "nn.functional.")
_BARE = ("einsum", "matmul", "softmax", "scaled_dot_product_attention", "rearrange")


def _tensor_use(node: ast.AST, name: str) -> bool:
    if isinstance(node, ast.Attribute | ast.Subscript):
        return is_name(node.value, name)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        return is_name(node.left, name) or is_name(node.right, name)
    if isinstance(node, ast.Call) and (dotted(node.func).startswith(_TORCH) or dotted(node.func) in _BARE):
        called = dotted(node.func).rsplit(".", 1)[-1]
        if called in ("zeros", "ones", "empty", "full", "arange", "tensor", "rand", "randn"):
            return False
        several = called == "einsum" or called.endswith(
            ("attention", "where", "linear", "embedding", "norm", "entropy")
        )
        return any(is_name(a, name) for a in node.args[: 4 if several else 1])
    return False


def is_name(node: ast.AST, name: str) -> bool:
    """Whether a node is just this name."""
    return isinstance(node, ast.Name) and node.id == name


def by_name(function: Function, name: str) -> Literal["int", "float", "bool", "tensor"]:
    """What an argument that the code says nothing of most likely is, by its name."""
    if name in FLOATS:
        return "float"
    if _INTS.match(name) or _sizes_something(function, name):
        return "int"
    return "bool" if re.match(r"^(is|use|has|do|with)_|causal$", name) else "tensor"


def _sizes_something(function: Function, name: str) -> bool:
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else dotted(node.func)
            sizes = called in (
                "view",
                "reshape",
                "range",
                "zeros",
                "ones",
                "empty",
                "arange",
                "chunk",
                "topk",
                "expand",
            )
            if sizes and any(is_name(a, name) for a in node.args):
                return True
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv | ast.Mod) and is_name(node.right, name):
            return True
    return False
