"""What a kernel says, as a few letters: those of what was launched are those of its file, or it is not replayed."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from typing import Any


@cache
def fingerprint(kernel: Any) -> str:
    """A kernel as a few letters: its text, that of the kernels that it calls, and the constants that they name.

    Comments and spaces make no difference.
    """
    return hashlib.sha256(repr(list(_parts(kernel, set()))).encode()).hexdigest()[:16]


def _parts(kernel: Any, seen: set[int]) -> Iterator[tuple[str, ...]]:
    if id(kernel) in seen:
        return
    seen.add(id(kernel))
    text, names = _text(kernel.src)
    yield (text,)
    for name in names:
        value = kernel.fn.__globals__.get(name)
        if hasattr(value, "arg_names") and hasattr(value, "src"):
            yield from _parts(value, seen)
        elif isinstance(value := getattr(value, "value", value), int | float | str):
            yield name, repr(value)


@cache
def _text(source: str) -> tuple[str, tuple[str, ...]]:
    """A kernel's text as a few letters, and the names that it takes from its file."""
    tree = ast.parse(source)
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    bound = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    bound |= {node.id for node in nodes if not isinstance(node.ctx, ast.Load)}
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), tuple(sorted({node.id for node in nodes} - bound))
