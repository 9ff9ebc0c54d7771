"""Results of expressions without side effects, kept for as long as their inputs are the same values.

Values never change once made, so the same inputs give the same result: offsets and masks that do not depend on the
program, or on the loop, are computed once instead of for every program and every turn.
"""

import ast
from typing import Any

import triton.language as tl

_KINDS = (ast.BinOp, ast.Compare, ast.Subscript, ast.Call, ast.UnaryOp)
_PURE_NODES = (
    *(ast.BinOp, ast.Compare, ast.Subscript, ast.UnaryOp, ast.Attribute, ast.Constant, ast.Tuple, ast.List, ast.Slice),
    *(ast.keyword, ast.operator, ast.unaryop, ast.cmpop, ast.expr_context),
)
# Of triton.language; not what reads or writes memory, nor program_id, which has no input to tell programs apart.
_PURE_CALLS = frozenset(
    {
        "arange",
        "zeros",
        "full",
        "zeros_like",
        "cdiv",
        "expand_dims",
        "broadcast_to",
        "broadcast",
        "reshape",
        "view",
        "trans",
        "permute",
        "where",
        "minimum",
        "maximum",
        "abs",
        "cast",
        "multiple_of",
        "max_contiguous",
        "num_programs",
        "constexpr",
    }
)


class Pure:
    """What one function's expressions read, and what they gave last; shared by all its calls in a launch."""

    def __init__(self, gscope: dict[str, Any]) -> None:
        self._gscope = gscope
        self._reads: dict[ast.AST, tuple[str, ...] | None] = {}
        self._kept: dict[ast.AST, tuple[list[Any], Any]] = {}

    def reads(self, node: ast.AST, lscope: dict[str, Any]) -> tuple[str, ...] | None:
        """The names that the expression reads; None if it has side effects, or is not worth keeping."""
        if not isinstance(node, _KINDS):
            return None
        if node not in self._reads:
            self._reads[node] = self._find_reads(node, lscope)
        return self._reads[node]

    def recall(self, node: ast.AST, inputs: list[Any]) -> tuple[bool, Any]:
        """Whether the last inputs were these very values, and the result that they gave."""
        kept = self._kept.get(node)
        if kept is not None and all(now is then for now, then in zip(inputs, kept[0], strict=True)):
            return True, kept[1]
        return False, None

    def keep(self, node: ast.AST, inputs: list[Any], result: Any) -> Any:
        """Keep a result, and give it back."""
        self._kept[node] = (inputs, result)
        return result

    def _find_reads(self, node: ast.AST, lscope: dict[str, Any]) -> tuple[str, ...] | None:
        names = set()
        for part in ast.walk(node):
            if isinstance(part, ast.Name):
                names.add(part.id)
            elif isinstance(part, ast.Call):
                if not self._is_pure(part.func, lscope):
                    return None
            elif not isinstance(part, _PURE_NODES):
                return None
        return tuple(sorted(names))

    def _is_pure(self, func: ast.expr, lscope: dict[str, Any]) -> bool:
        if not isinstance(func, ast.Attribute):
            return False
        if func.attr == "to":
            return True
        owner = func.value
        if not isinstance(owner, ast.Name) or owner.id in lscope or func.attr not in _PURE_CALLS:
            return False
        return self._gscope.get(owner.id) in (tl, tl.core)
