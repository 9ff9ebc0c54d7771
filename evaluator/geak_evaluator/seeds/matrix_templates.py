"""Kernels of our own for what Inductor has no loop for: read from `templates/`, as they stand."""

from __future__ import annotations

import ast
from functools import cache
from importlib.resources import files

_FOR = {"torch.ops.geak.attention.default": "attention"}
"""By the call in Inductor's wrapper, the file whose last function takes the same arguments."""


@cache
def functions(called: str) -> dict[str, ast.FunctionDef]:
    """The functions that stand for a library's call, those that it needs first; none where nothing does."""
    if called not in _FOR:
        return {}
    text = files("geak_evaluator.seeds").joinpath("templates", f"{_FOR[called]}.py").read_text(encoding="utf-8")
    return {node.name: node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}
