"""What a file's name holds, as data: from the child that ran the file to where its kernels are read.

Reading does not tell it (`LIMIT = tl.constexpr(largest())`, `rsqrt = find("rsqrt")`). It is a number, a text or a word
of Triton's: nothing that could not be written out, or handed over as an argument.
"""

from __future__ import annotations

import importlib
import types
from typing import Any

from geak_evaluator.children.jit_names import MODULES, importable
from geak_evaluator.schema.plan import Named

_LONGEST = 256


def default(function: str, argument: str) -> str:
    """The name by which an argument's default goes."""
    return f"{function}({argument})"


def told(module: str, name: str, value: Any) -> Named | None:
    """A value as data; None where it is none of those."""
    import triton.language as tl

    constant = isinstance(value, tl.constexpr)
    value = value.value if constant else value
    if value is None or type(value) in (bool, int, float):
        return Named(module, name, "number", value, constant=constant)
    if type(value) is str and len(value) <= _LONGEST:
        return Named(module, name, "text", text=value, constant=constant)
    if type(value) is tl.dtype:
        return Named(module, name, "type", text=value.name, constant=constant)
    if isinstance(value, types.ModuleType):
        word = value.__name__
        return Named(module, name, "word", text=word) if word in MODULES else None
    home = getattr(value, "fn", value)
    word = f"{getattr(home, '__module__', '')}.{getattr(home, '__name__', '')}"
    return Named(module, name, "word", text=word) if _word(word) is not None else None


def value(named: Named) -> Any:
    """The value again; AttributeError where it is no word of Triton's."""
    import triton.language as tl

    if named.kind == "word":
        if named.text in MODULES:
            return importlib.import_module(named.text)
        found = _word(named.text)
        if found is None:
            raise AttributeError(named.text)
        return found
    plain = {"number": named.number, "text": named.text}.get(named.kind)
    found = tl.dtype(named.text) if named.kind == "type" else plain
    return tl.constexpr(found) if named.constant else found


def _word(full: str) -> Any:
    home, _, name = full.rpartition(".")
    if not home.startswith("triton.language") or not importable(home, name):
        return None
    return getattr(importlib.import_module(home), name, None)
