"""Inductor's kernels around `tl.dot`: their tiles, and their operands straight from memory to the matrix unit."""

from __future__ import annotations

import ast
from typing import Any

_FIRST = {"XBLOCK": 64, "YBLOCK": 64, "R0_BLOCK": 32}
"""Of Inductor's tiles the one that fits everywhere; which is the fastest is a tuner's question."""
_HALVES = {"fp16": "tl.float16", "bf16": "tl.bfloat16"}


def configurations(function: ast.FunctionDef, found: list[Any]) -> list[Any]:
    """Inductor's configurations, the one to begin with first."""
    if not _calls(function, "tl.dot"):
        return found

    def distance(one: Any) -> tuple[int, int]:
        off = sum(one.kwargs.get(name) != size for name, size in _FIRST.items())
        return off, abs(one.num_warps - 4)

    return sorted(found, key=distance)


def tidied(function: ast.FunctionDef, pointers: dict[str, str]) -> None:
    """Leaves out what a half went through between its load and `tl.dot`: to fp32 and back, and a second mask.

    Both change no value (the load is masked already), and both keep an operand from going to shared memory as it is.
    """
    if not _calls(function, "tl.dot"):
        return
    loaded: dict[str, tuple[ast.Call, str]] = {}
    for parent in ast.walk(function):
        for node in getattr(parent, "body", ()):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                node.value = _shorter(node.value, loaded, pointers)
                load, kind = _load(node.value, pointers)
                if load is not None:
                    loaded[node.targets[0].id] = load, kind


def _shorter(value: ast.expr, loaded: dict[str, tuple[ast.Call, str]], pointers: dict[str, str]) -> ast.expr:
    text = ast.unparse(value)
    for name, (load, kind) in loaded.items():
        if text == f"{name}.to({_HALVES.get(kind)})":
            return load
        zero = any(k.arg == "other" and ast.unparse(k.value) == "0.0" for k in load.keywords)
        if text == f"tl.where(r0_mask, {name}, 0)" and zero and "r0_mask" in ast.unparse(load):
            return load
    return value


def _load(value: ast.expr, pointers: dict[str, str]) -> tuple[ast.Call | None, str]:
    """The load of a value that is a load, or a load as fp32."""
    call = value
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and ast.unparse(call.func).endswith(").to"):
        if ast.unparse(call.args[0]) != "tl.float32":
            return None, ""
        call = call.func.value
    if not isinstance(call, ast.Call) or ast.unparse(call.func) != "tl.load":
        return None, ""
    names = {n.id for n in ast.walk(call.args[0]) if isinstance(n, ast.Name)}
    kinds = {pointers[name] for name in names if name in pointers}
    return (call, kinds.pop()) if len(kinds) == 1 else (None, "")


def _calls(function: ast.FunctionDef, name: str) -> bool:
    return any(isinstance(node, ast.Call) and ast.unparse(node.func) == name for node in ast.walk(function))
