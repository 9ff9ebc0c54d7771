"""What annotations, comments and docstrings say of an argument: `x: [B, S, D] fp16`."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from geak.drafting.source import Function, Source

DTYPES = {
    "fp16": "fp16", "float16": "fp16", "half": "fp16", "f16": "fp16",
    "bf16": "bf16", "bfloat16": "bf16",
    "fp32": "fp32", "float32": "fp32", "f32": "fp32",
    "fp64": "fp64", "float64": "fp64", "double": "fp64",
    "int8": "int8", "uint8": "uint8", "int16": "int16", "int32": "int32", "int64": "int64", "long": "int64",
    "uint16": "uint16", "uint32": "uint32", "uint64": "uint64",
    "bool": "bool", "boolean": "bool", "fp8": "fp8_e4m3", "float8_e4m3fn": "fp8_e4m3fn", "float8_e5m2": "fp8_e5m2",
}  # fmt: skip

_TYPES = {
    "LongTensor": "int64", "IntTensor": "int32", "BoolTensor": "bool", "HalfTensor": "fp16",
    "Int64[": "int64", "Int32[": "int32", "Int[": "int64", "Bool[": "bool",
}  # fmt: skip

_WORDS = frozenset(
    [
        "tensor",
        "torch",
        "int",
        "float",
        "bool",
        "optional",
        "str",
        "default",
        "none",
        "shape",
        "of",
        "list",
        "tuple",
        "dim",
        "int64",
        "int32",
        "and",
        "or",
        "the",
        "a",
        "is",
        "if",
        "scalar",
        "input",
        "output",
        "true",
        "false",
        "callable",
        "any",
        "number",
        "required",
        "float32",
        "float16",
        "bfloat16",
    ]
)
_GROUP = re.compile(r"[\[({]([^\[\](){}]*(?:\([^\[\](){}]*\)[^\[\](){}]*)*)[\])}]")
_ITEM = re.compile(r"^(\.\.\.|\*|[A-Za-z_]\w*|\d+|[A-Za-z_0-9 ()*/+-]+)$")
_ABOUT = re.compile(r"^[\s\-*#:@`]*(?:param\s+)?([A-Za-z_]\w*(?:\s*(?:,|/|and|&)\s*[A-Za-z_]\w*)*)")


@dataclass
class Hint:
    """What was written about one argument."""

    shape: tuple[str, ...] | None = None
    """As expressions; `...` for any leading sizes, `?` for any one size, `?a` for the same wherever it stands."""
    dtype: str = ""
    fill: str = ""


def shape_in(text: str) -> tuple[tuple[str, ...], int] | None:
    """The first group of brackets that reads as a shape, and where it ends."""
    for found in _GROUP.finditer(text):
        parts = [p.strip() for p in found.group(1).split(",")]
        if parts and parts[-1] == "" and len(parts) > 1:
            parts.pop()
        if 0 < len(parts) <= 8 and all(_is_size(p) for p in parts):
            return tuple("..." if p in ("*", "...") else p for p in parts), found.end()
    return None


def _is_size(text: str) -> bool:
    if not _ITEM.match(text) or text.lower() in _WORDS or len(text) > 40:
        return False
    if text in ("...", "*"):
        return True
    try:
        node = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        return False
    allowed = (ast.BinOp, ast.Name, ast.Constant, ast.operator, ast.expr_context)
    return all(isinstance(part, allowed) for part in ast.walk(node))


def dtype_in(text: str) -> str:
    """The first number format that a piece of text names."""
    for word in re.findall(r"[A-Za-z_]\w*", text.lower()):
        if word in DTYPES:
            return DTYPES[word]
    return ""


def hints(source: Source, function: Function, names: list[str], also: tuple[ast.AST, ...] = ()) -> dict[str, Hint]:
    """By argument, everything that the text around a function says of shapes and formats."""
    found = {name: Hint() for name in names}
    for arg in [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]:
        if arg.arg in found:
            _annotation(found[arg.arg], arg.annotation)
            comment = _comment(source.lines[(arg.end_lineno or arg.lineno) - 1])
            alone = sum(a.lineno == arg.lineno for a in ast.walk(function.args) if isinstance(a, ast.arg)) == 1
            if comment and alone and arg.lineno != function.lineno:
                _said(found[arg.arg], comment)
    lines = source.lines[function.lineno - 1 : function.end_lineno]
    texts = [part for c in map(_comment, lines) for part in c.split(";")]
    for node in (function, *also):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
            texts += re.split(r"[\n;]", ast.get_docstring(node) or "")
    for text in texts:
        match = re.match(
            r"^[\s\-*#:@`]*(?:param\s+)?([A-Za-z_]\w*(?:\s*(?:,|/|and|&)\s*[A-Za-z_]\w*)*)`?\s*[:(\[\-=]?", text
        )
        if not match:
            continue
        about = [w for w in re.findall(r"\w+", match.group(1)) if w in found]
        rest = text[match.end(1) :]
        if about and len(about) == len([w for w in re.findall(r"\w+", match.group(1)) if w != "and"]):
            for name in about:
                _said(found[name], rest)
    return found


def _said(hint: Hint, text: str) -> None:
    shape = shape_in(text)
    if shape is not None and hint.shape is None:
        hint.shape = shape[0]
        hint.dtype = hint.dtype or dtype_in(text[shape[1] :].split(".")[0][:40]) or dtype_in(text[:40])
    elif hint.shape is None and not hint.dtype and re.search(r"\btensor\b", text, re.IGNORECASE):
        hint.dtype = dtype_in(text[:60])


def _comment(line: str) -> str:
    _, mark, text = line.partition("#")
    return text.strip() if mark else ""


def _annotation(hint: Hint, node: ast.expr | None) -> None:
    """`torch.LongTensor`, jaxtyping's `Float[Tensor, "b s d"]`, `Annotated[Tensor, "B, S"]`."""
    if node is None:
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            node = ast.parse(node.value, mode="eval").body
        except (SyntaxError, ValueError):
            return
    text = ast.unparse(node)
    hint.dtype = next((dtype for word, dtype in _TYPES.items() if word in text), hint.dtype)
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and "Tensor" in text:
            words = [w for w in re.split(r"[\s,]+", part.value.strip("[]() ")) if w]
            if words and all(_is_size(w) for w in words):
                hint.shape = tuple(words)
