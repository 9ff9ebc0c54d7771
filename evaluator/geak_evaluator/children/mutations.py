"""A reference one of whose operations is another: what a kernel gives that does that instead."""

from __future__ import annotations

import linecache
import operator
import sys
import types
from collections.abc import Sequence
from typing import Any

from torch.overrides import TorchFunctionMode

from geak_evaluator.children.slips import SLIPS, Call

_MOST = 48
"""Characters of the reference's own text that are shown."""
_REVERSED = {
    f"r{word.__name__}": word for word in (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow)
}
_ALIASES = {
    "truediv": "div",
    "clip": "clamp",
    "clamp_min": "clamp",
    "clamp_max": "clamp",
    "negative": "neg",
    "absolute": "abs",
}
_SIGNS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**", "neg": "-"}


class Mutated(TorchFunctionMode):
    """Does one operation of a file otherwise, each time that this place of the file is passed."""

    def __init__(self, path: str, what: str, number: int) -> None:
        """Of the places where `what` may be done, the one with that number; without a `what` they are only counted."""
        super().__init__()
        self._path, self._what, self._number = path, what, number
        self._places: dict[str, list[Any]] = {}
        self._sums: dict[int, Any] = {}
        self.text = ""
        """The operation as the file has it; empty as long as none was another."""

    @property
    def places(self) -> dict[str, int]:
        """How many there are for each that may be done."""
        return {what: len(places) for what, places in self._places.items()}

    def __torch_function__(self, func: Any, types: Sequence[type], args: Any = (), kwargs: Any = None) -> Any:
        """Called by torch for each of its functions."""
        name = getattr(func, "__name__", "")
        if name.endswith("_") and not name.startswith("__"):
            return func(*args, **(kwargs or {}))  # it changes what it is given, and must
        name = name.strip("_")
        if name in _REVERSED:
            func, args = _REVERSED[name], (args[1], args[0])
            name = func.__name__
        name = _ALIASES.get(name, name)
        call = Call(func, args, kwargs or {}, self._sums)
        for what in (self._what,) if self._what else SLIPS:
            names, change = SLIPS[what]
            if name not in names or (frame := self._frame()) is None:
                continue
            places, place = self._places.setdefault(what, []), (frame.f_code, frame.f_lasti)
            if place not in places:
                places.append(place)
            if self._what and places.index(place) == self._number and (told := change(call)) is not None:
                self.text = self.text or _source(frame, name)
                return told
        result = call()
        if name == "add" and len(args) == 2:
            self._sums[id(result)] = (result, *args)
        return result

    def _frame(self) -> types.FrameType | None:
        frame: types.FrameType | None = sys._getframe(2)
        while frame is not None and frame.f_code.co_filename != self._path:
            frame = frame.f_back
        return frame


def _source(frame: types.FrameType, name: str) -> str:
    """The operation as its file has it, if that is short, and the line."""
    line = frame.f_lineno
    text = _SIGNS.get(name, name)
    if sys.version_info >= (3, 11):
        first, last, start, end = list(frame.f_code.co_positions())[frame.f_lasti // 2]
        if first == last and first is not None and start is not None and end is not None:
            whole = linecache.getline(frame.f_code.co_filename, first).encode()[start:end].decode(errors="replace")
            text = whole if 0 < len(whole) <= _MOST else text
    return f"`{text}` (line {line})"
