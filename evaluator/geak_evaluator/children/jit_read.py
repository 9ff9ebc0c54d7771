"""What Triton's reader of kernels is taught: a file's text alone does not tell all that it looks up there."""

from __future__ import annotations

import ast
import re
from typing import Any

from triton.compiler.code_generator import CodeGenerator

from geak_evaluator.children import jit_told
from geak_evaluator.children.jit_plain import give_default, with_default

_OF_TORCH = re.compile(r"torch(\.\w+)+")

_visit_arg, _visit_function = CodeGenerator.visit_arg, CodeGenerator.visit_FunctionDef


def _visit_bare(self: Any, node: ast.arg) -> Any:
    """Triton looks an argument's annotation up, and makes no use of it; torch is not there to be found."""
    told = node.annotation
    if told is not None and _OF_TORCH.fullmatch(ast.unparse(told)):
        node = ast.copy_location(ast.arg(arg=node.arg), node)
    return _visit_arg(self, node)


def _visit_told(self: Any, node: ast.FunctionDef) -> Any:
    """Triton works defaults out again from the text; one that was told is found under the name that it goes by."""
    for argument, given in with_default(node):
        name = jit_told.default(node.name, argument)
        if name in self.gscope:
            give_default(node, argument, ast.copy_location(ast.Name(name, ast.Load()), given))
    return _visit_function(self, node)


def teach() -> None:
    """From here on kernels are read so, in this process."""
    CodeGenerator.visit_arg, CodeGenerator.visit_FunctionDef = _visit_bare, _visit_told
