"""Statements without branches, kept as the builder calls that they come to, and done again for other values.

What Triton's front end decides for `x + y` (broadcasting, promotion, which operation) depends on types and constants
alone: to a compiler a value is only a name. So the calls that one pass makes are right for every later pass whose
inputs have the same types and constants, in another program or another turn of a loop; and deciding, which costs many
times what computing does, happens once. A pass whose path depends on values is not kept: the recording gives up as
soon as a value turns up that it has not seen being made, or the truth of one is asked for.

A call without side effects whose inputs are the very same values as last time gives the result of last time: offsets
and masks that do not depend on the program, or on the turn, are computed once.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import is_
from typing import Any

import numpy as np
import triton.language as tl
from triton.runtime import interpreter as upstream

HANDLES: tuple[type, ...] = tuple(
    getattr(upstream, name)
    for name in ("TensorHandle", "BlockPointerHandle", "TensorDescHandle")
    if hasattr(upstream, name)
)
# In the name of a call that has side effects, or that reads something other than its arguments.
_IMPURE = (
    *("load", "store", "atomic", "gather", "scatter", "program_id"),
    *("print", "assert", "assume", "asm", "barrier", "dependency"),
)
_PLAIN = (type(None), bool, int, float, str, tl.dtype, enum.Enum)
_MAX_CALLS = 4000
_KEPT_BYTES = 4 << 20
"""A larger result is not kept for the next pass."""


@dataclass
class Call:
    """One call of the builder: where its inputs lie, and where its results go."""

    name: str
    inputs: list[Any] | None  # slots, nested as the arguments are; None if they are just `values`
    values: tuple[int, ...]  # all slots of its inputs
    keywords: dict[str, int]
    outputs: tuple[int, ...]
    alone: bool  # the result is a handle, not several
    pure: bool
    where: tuple[str, int]
    dead: list[int] = field(default_factory=list)  # slots that nobody reads afterwards
    last: list[Any] | None = None
    result: Any = None

    def do(self, builder: Any, slots: list[Any]) -> None:
        """Do it for what lies in the slots."""
        values = [slots[i] for i in self.values]
        if self.last is not None and all(map(is_, values, self.last)):
            result = self.result
        else:
            arguments = values if self.inputs is None else [_nested(slots, i) for i in self.inputs]
            try:
                result = getattr(builder, self.name)(*arguments, **{n: slots[i] for n, i in self.keywords.items()})
            except Exception as error:
                if not hasattr(error, "_kernel_line"):
                    error._kernel_line = self.where  # type: ignore[attr-defined]
                raise
            if self.pure and _is_small(result):
                self.last, self.result = values, result
        if self.alone:
            slots[self.outputs[0]] = result
        else:
            for slot, handle in zip(self.outputs, result or (), strict=True):
                slots[slot] = handle
        for slot in self.dead:
            slots[slot] = None


@dataclass
class Tape:
    """The calls of one pass, and how the names that it binds follow from the slots."""

    slots: list[Any]  # the constants; None where a value of the pass goes
    inputs: list[int]
    calls: list[Call]
    bound: list[tuple[str, Any]]

    def play(self, builder: Any, handles: Sequence[Any], scope: dict[str, Any]) -> None:
        """Do the calls again for these inputs, and bind the names."""
        slots = self.slots.copy()
        for slot, handle in zip(self.inputs, handles, strict=True):
            slots[slot] = handle
        for call in self.calls:
            call.do(builder, slots)
        for name, template in self.bound:
            scope[name] = template.made(slots)


class Recording:
    """Takes down what one pass asks of the builder."""

    def __init__(self, inputs: Sequence[Any]) -> None:
        self.given_up = False
        self.where = ("", 0)
        self.depth = 0
        self._slots: list[Any] = []
        self._calls: list[Call] = []
        self._alive: list[Any] = []  # so that no other object gets the id of one
        self._place: dict[int, int] = {}
        self._changing: set[int] = set()
        self._inputs = [self._value(handle) for handle in inputs]

    def _value(self, handle: Any) -> int:
        slot = self._constant(None)
        self._alive.append(handle)
        self._place[id(handle)] = slot
        self._changing.add(slot)
        return slot

    def _constant(self, value: Any) -> int:
        self._slots.append(value)
        return len(self._slots) - 1

    def _slot(self, argument: Any, values: list[int]) -> Any:
        if isinstance(argument, (list, tuple)) and any(isinstance(part, HANDLES) for part in argument):
            return type(argument)([self._slot(part, values) for part in argument])
        if isinstance(argument, HANDLES):
            slot = self._place.get(id(argument))
            if slot is None:
                self.given_up = True
                return -1
        else:
            self.given_up |= not _is_constant(argument)
            slot = self._constant(argument)
        values.append(slot)
        return slot

    def note(self, name: str, arguments: Sequence[Any], keywords: dict[str, Any], result: Any) -> None:
        """One call, once it is done."""
        if self.given_up:
            return
        alone = isinstance(result, HANDLES)
        several = isinstance(result, (tuple, list)) and bool(result) and all(isinstance(r, HANDLES) for r in result)
        pure = not any(part in name for part in _IMPURE)
        if pure and not alone and not several:
            return  # a type, or a place in code that nobody writes
        values: list[int] = []
        inputs = [self._slot(argument, values) for argument in arguments]
        named = {key: self._slot(argument, values) for key, argument in keywords.items()}
        flat = all(type(i) is int for i in inputs)
        if not all(type(i) is int for i in named.values()) or len(self._calls) == _MAX_CALLS:
            self.given_up = True
        if self.given_up:
            return
        results = [result] if alone else list(result) if several else []
        if pure and self._changing.isdisjoint(values):
            for handle in results:
                self._alive.append(handle)
                self._place[id(handle)] = self._constant(handle)
            return
        self._calls.append(
            Call(
                name,
                inputs=None if flat and not named else inputs,
                values=tuple(values),
                keywords=named,
                outputs=tuple(self._value(handle) for handle in results),
                alone=alone,
                pure=pure,
                where=self.where,
            )
        )

    def tape(self, bound: dict[str, Any]) -> Tape | None:
        """What was recorded, if the pass is one that can be done again; `bound` is what it bound names to."""
        templates = [(name, self._template(value)) for name, value in bound.items()]
        if self.given_up:
            return None
        needed = set().union(*(template.slots for _, template in templates)) if templates else set()
        for call in reversed(self._calls):
            call.dead = [slot for slot in {*call.values, *call.outputs} & self._changing if slot not in needed]
            needed.update(call.values)
        return Tape(self._slots, self._inputs, self._calls, templates)

    def _template(self, value: Any) -> "_Same | _Tensor | _Tuple":
        if type(value) is tl.tensor:
            slot = self._place.get(id(value.handle))
            if slot is None:
                self.given_up = True
                return _Same(None)
            return _Tensor(slot, dict(vars(value))) if slot in self._changing else _Same(value)
        if type(value) is tl.tuple:
            return _Tuple([self._template(item) for item in value.values], value.type)
        self.given_up |= isinstance(value, tl.core.base_value) and not isinstance(value, tl.constexpr)
        return _Same(value)


@dataclass
class _Same:
    value: Any
    slots: frozenset[int] = frozenset()

    def made(self, slots: list[Any]) -> Any:
        return self.value


class _Tensor:
    def __init__(self, slot: int, attributes: dict[str, Any]) -> None:
        self.slot, self.attributes = slot, attributes
        self.slots = frozenset([slot])

    def made(self, slots: list[Any]) -> Any:
        # Its constructor works out from the type what the first one of that type has already.
        tensor = tl.tensor.__new__(tl.tensor)
        vars(tensor).update(self.attributes)
        tensor.handle = slots[self.slot]
        return tensor


class _Tuple:
    def __init__(self, items: list[Any], kind: Any) -> None:
        self.items, self.kind = items, kind
        self.slots = frozenset().union(*(item.slots for item in items)) if items else frozenset()

    def made(self, slots: list[Any]) -> Any:
        return tl.tuple([item.made(slots) for item in self.items], self.kind)


class Types:
    """Keys for what a pass depends on: equal keys, equal decisions of the front end."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, str]] = {}

    def key(self, value: Any, handles: list[Any]) -> Any:
        """The key of one value, its handles appended; None if there is no telling."""
        kind = type(value)
        if kind is tl.tensor:
            handles.append(value.handle)
            return self._of_type(value.type)
        if kind is tl.constexpr:
            inner = self.key(value.value, handles)
            return inner and ("constexpr", inner)
        if kind is float:
            return ("float", value.hex())  # which tells the zeros apart, and finds NaN equal
        if value is None or kind in (bool, int, str):
            return (kind, value)
        if isinstance(value, tl.dtype):
            return ("type", self._of_type(value))
        if kind is tl.tuple or kind is tuple:
            parts = tuple(self.key(item, handles) for item in value)
            return None if None in parts else (kind, str(getattr(value, "type", "")), parts)
        if isinstance(value, (tl.core.base_value, list, dict, set, np.ndarray)):
            return None
        self._known.setdefault(id(value), (value, ""))  # kept alive: nothing else gets its id
        return ("object", id(value))

    def _of_type(self, kind: Any) -> str:
        known = self._known.get(id(kind))
        if known is None:
            known = self._known[id(kind)] = (kind, f"{type(kind).__name__} {kind}")
        return known[1]


def _is_constant(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_constant, value))
    return isinstance(value, _PLAIN) or type(value).__module__.startswith("triton._C")


def _is_small(result: Any) -> bool:
    results = result if isinstance(result, (list, tuple)) else (result,)
    return all(not hasattr(handle, "data") or handle.data.nbytes <= _KEPT_BYTES for handle in results)


def _nested(slots: list[Any], place: Any) -> Any:
    return slots[place] if type(place) is int else type(place)([_nested(slots, i) for i in place])
