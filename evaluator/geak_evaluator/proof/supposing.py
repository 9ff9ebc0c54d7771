"""What a faulty kernel may take its inputs or its task for: edits of them, the likeliest first."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from geak_evaluator.schema import dtypes, layout
from geak_evaluator.schema.exchange import Edit
from geak_evaluator.schema.layout import Slot
from geak_evaluator.schema.spec import Scalar, Spec, Value

_TILES = tuple(1 << n for n in range(4, 13))
_OPERATIONS = 32
"""Of a longer reference the first ones."""
_PADDED = 256
"""To which an axis is made longer, unless it is nearly as long itself."""
_LONG = 1 << 17
"""Elements that an input then has at the most."""
_PLAIN = (0.0, 1.0)


@dataclass(frozen=True)
class Supposition:
    """One thing that may be otherwise, in words that follow "right if ...", and where to look then."""

    edit: Edit
    words: str
    hint: str = ""


Suppositions = Iterator[Supposition]


class Supposing:
    """The suppositions about one case."""

    def __init__(
        self,
        spec: Spec,
        sizes: Mapping[str, Value],
        inputs: Sequence[Slot],
        gradients: Sequence[Slot],
        mutable: Mapping[str, int],
    ) -> None:
        """Of the inputs, a module's state among them, and of as many operations as may each be made another."""
        self._spec, self._sizes, self._gradients, self._mutable = spec, sizes, gradients, mutable
        self._slots = [slot for slot in inputs if slot.elements]
        self._names = {name: tensor.shape for name, tensor in spec.tensors.items()}

    def __iter__(self) -> Suppositions:
        yield from self._left_out()
        yield from self._scalars()
        yield from self._exchanged()
        yield from self._mutated()
        yield from self._strides()
        for slot in self._slots:
            yield from self._indices(slot)
        for along, found in self._axes().items():
            yield from self._parts(along, found)
        for along, found in self._axes().items():
            yield from self._tiles(along, found)
        for slot in self._slots:
            yield from self._values(slot)

    def _left_out(self) -> Suppositions:
        for slot in self._slots:
            if dtypes.resolve(slot.format).kind != "int":
                yield from self._filled(slot)

    def _filled(self, slot: Slot) -> Suppositions:
        for value in _PLAIN:
            edit = Edit("filled", (slot.path,), value=value)
            yield Supposition(edit, f"{slot.path} were {value:g}", "is it left out?")

    def _scalars(self) -> Suppositions:
        for name, item in self._spec.inputs.items():
            if not isinstance(item, Scalar) or name not in self._sizes:
                continue
            now = self._sizes[name]
            others: list[Value] = [not now]
            if item.type == "float":
                others = [0.0, 1.0, *item.choices, 1e-6, 1e-5, 1e-12]
            elif item.type == "int":
                others = [*item.choices, int(now) - 1, int(now) + 1]
            for other in dict.fromkeys(others):
                if not isinstance(other, str) and other != now:
                    told = f"{other:g}" if item.type == "float" else str(other)
                    yield Supposition(Edit("scalar", (name,), value=float(other)), f"{name} were {told}", "is it used?")

    def _exchanged(self) -> Suppositions:
        for one, other in itertools.combinations(self._slots, 2):
            if (one.shape, one.format) == (other.shape, other.format):
                edit = Edit("exchanged", (one.path,), other.path)
                yield Supposition(edit, f"{one.path} and {other.path} were exchanged")
                for first, second in ((one, other), (other, one)):
                    edit = Edit("like", (second.path,), first.path)
                    yield Supposition(edit, f"{second.path} were {first.path}", "which is read?")

    def _mutated(self) -> Suppositions:
        for what, count in self._mutable.items():
            for number in range(min(count, _OPERATIONS)):
                yield Supposition(Edit("mutated", (), what, start=number), what)

    def _strides(self) -> Suppositions:
        for slot in self._slots:
            if slot.strides != layout.contiguous(slot.shape) and math.prod(slot.shape) > 1:
                yield Supposition(Edit("flat", (slot.path,)), f"{slot.path} were contiguous", "are its strides used?")
        for slot in self._gradients:
            words = f"the gradient of output {slot.path} were contiguous"
            yield Supposition(Edit("flat", (slot.path,)), words, "are its strides used?")
        for slot in self._slots:
            axes = [axis for axis, size in enumerate(slot.shape) if size > 1]
            for order in _orders(len(slot.shape), axes):
                words = f"{slot.path} lay in memory as [{', '.join(self._axis(slot, axis) for axis in order)}]"
                yield Supposition(Edit("laid", (slot.path,), axes=order), words, "look at its strides")
                if others := [o.path for o in self._slots if o is not slot and o.shape == slot.shape]:
                    edit = Edit("laid", (slot.path, *others), axes=order)
                    both = f"{slot.path} and {', '.join(others)}{words.removeprefix(slot.path)}"
                    yield Supposition(edit, both, "look at its strides")
            for axis in axes:
                for stride in sorted({1, *slot.shape, *slot.strides, *map(_power, slot.shape)} - {slot.strides[axis]}):
                    strides = (*slot.strides[:axis], stride, *slot.strides[axis + 1 :])
                    if Slot("", slot.format, slot.shape, strides).elements <= slot.elements:
                        words = f"{slot.path} had stride {stride} along {self._axis(slot, axis)}"
                        yield Supposition(
                            Edit("apart", (slot.path,), axes=strides), words, f"it is {slot.strides[axis]}"
                        )

    def _indices(self, slot: Slot) -> Suppositions:
        name = (slot.path,)
        if dtypes.resolve(slot.format).kind == "int" and slot.shape:
            yield Supposition(Edit("counted", name), f"{slot.path} counted up from 0", "is what it holds used?")
            for step, word in ((1, "larger"), (-1, "smaller")):
                yield Supposition(Edit("added", name, value=step), f"{slot.path} were {word} by 1")
        for axis, size in enumerate(slot.shape):
            if size == 1:
                continue
            along = f"{slot.path} along {self._axis(slot, axis)}"
            yield Supposition(Edit("flipped", name, axes=(axis,)), f"{along} were turned round")
            yield Supposition(Edit("first", name, axes=(axis,)), f"all of {along} were the first", "is the index used?")
            for step in (1, -1):
                edit = Edit("rolled", name, axes=(axis,), start=step)
                yield Supposition(edit, f"{along} were shifted by one", "an index is off by one")
        if dtypes.resolve(slot.format).kind == "int":
            yield from self._filled(slot)
        last = slot.shape[-1] if slot.shape else 1
        if last > 2 and last % 2 == 0:
            edit = Edit("rolled", name, axes=(len(slot.shape) - 1,), start=last // 2)
            yield Supposition(edit, f"the halves of {slot.path} were exchanged")
            yield Supposition(Edit("interleaved", name), f"the halves of {slot.path} were interleaved")
            yield Supposition(Edit("separated", name), f"{slot.path} lay interleaved, not in halves")

    def _parts(self, along: str, found: Sequence[tuple[Slot, int]]) -> Suppositions:
        """Of an axis only a part counts: a sum is overwritten, or a loop too short."""
        size = found[0][0].shape[found[0][1]]
        names, axes = tuple(slot.path for slot, _ in found), tuple(axis for _, axis in found)
        real = [(slot.path, axis) for slot, axis in found if dtypes.resolve(slot.format).kind == "float"][:1]
        tiles = [tile for tile in _TILES if tile < size]
        parts = {(size - tile, size): "is a sum overwritten?" for tile in (1, *tiles)}
        parts |= {(0, size - 1): "an index is off by one", (1, size): "an index is off by one"}
        parts |= {(0, tile): "is there a loop over it?" for tile in tiles}
        parts |= {
            (0, end): "is it rounded down to whole tiles?" for end in (size // t * t for t in tiles) if end < size
        }
        parts |= {(start, size): "is a sum overwritten?" for start in ((size - 1) // t * t for t in tiles)}
        for (start, stop), hint in parts.items() if size > 1 else ():
            kept = f"the last {size - start}" if start else f"the first {stop}"
            words = f"of {along} only {kept} of {size} counted"
            for value in (0.0, -math.inf):
                for name, at in real:
                    edit = Edit("only", (name,), axes=(at,), start=start, stop=stop, value=value)
                    yield Supposition(edit, words, hint)
            yield Supposition(Edit("cut", names, axes=axes, start=start, stop=stop), words, hint)

    def _tiles(self, along: str, found: Sequence[tuple[Slot, int]]) -> Suppositions:
        """An axis goes on beyond its end, or a pointer does not move along it."""
        size = found[0][0].shape[found[0][1]]
        if size == 1:
            return
        names, axes = tuple(slot.path for slot, _ in found), tuple(axis for _, axis in found)
        most = max(math.prod(slot.shape) for slot, _ in found)
        ends = [_power(size), *(-(-size // tile) * tile for tile in _TILES)]
        fits = [end for end in ends if size < end and end <= max(2 * size, _PADDED) and most // size * end <= _LONG]
        for end in dict.fromkeys(fits):
            for value in _PLAIN:
                words = f"{along} went on to {end} with {value:g}"
                yield Supposition(Edit("padded", names, axes=axes, stop=end, value=value), words, "does padding count?")
        tiles = [tile for tile in _TILES if tile < size]
        for each, kept in itertools.combinations(reversed(tiles), 2):
            words = f"of each {each} along {along} only the first {kept} counted"
            edit = Edit("of_each", names[:1], axes=axes[:1], start=kept, stop=each)
            yield Supposition(edit, words, "does a loop end early?")
        for few in range(2, len(names)):
            for chosen in itertools.combinations(zip(names, axes, strict=True), few):
                edit = Edit("first", tuple(name for name, _ in chosen), axes=tuple(axis for _, axis in chosen))
                words = f"all of {' and '.join(edit.inputs)} along {along} were the first"
                yield Supposition(edit, words, "is the index used?")
        for tile in tiles:
            for some in dict.fromkeys([names, *((name,) for name in names)]):
                whose = along if some == names else f"{some[0]} along {along}"
                at = tuple(axis for name, axis in zip(names, axes, strict=True) if name in some)
                edit = Edit("repeated", some, axes=at, stop=tile)
                yield Supposition(edit, f"each tile of {tile} of {whose} were the first", "does a pointer move on?")

    def _values(self, slot: Slot) -> Suppositions:
        name = (slot.path,)
        if dtypes.resolve(slot.format).kind == "float":
            yield Supposition(Edit("negated", name), f"{slot.path} had the other sign")
            edit = Edit("negated", name, output="negated")
            yield Supposition(edit, f"the smallest of {slot.path} were asked for, not the largest")
            words = f"what is negative in {slot.path} were 0"
            yield Supposition(Edit("clamped", name), words, "does a maximum begin at 0?")
            for axis in range(len(slot.shape)):
                edit = Edit("flipped", name, axes=(axis,), output="flipped")
                yield Supposition(edit, f"{self._axis(slot, axis)} were gone through from its end")
        if slot.format in ("uint8", "int8"):
            yield Supposition(Edit("nibbles", name), f"the halves of each byte of {slot.path} were exchanged")
            yield Supposition(Edit("signed_nibbles", name), f"each half of a byte of {slot.path} were two's complement")

    def _axis(self, slot: Slot, axis: int) -> str:
        """How an axis of an input is called."""
        texts = self._names.get(slot.path, ())
        return texts[axis] if len(texts) == len(slot.shape) and not texts[axis].isdigit() else f"axis {axis}"

    def _axes(self) -> dict[str, list[tuple[Slot, int]]]:
        """Each axis by its name, with the inputs that have it; of a tensor without names each of its own."""
        found: dict[str, list[tuple[Slot, int]]] = {}
        for slot in self._slots:
            for axis in range(len(slot.shape)):
                name = self._axis(slot, axis)
                key = name if name in self._spec.axes else f"{name} of {slot.path}"
                if all(known is not slot for known, _ in found.get(key, [])):
                    found.setdefault(key, []).append((slot, axis))
        return found


def _power(size: int) -> int:
    return 1 << max(size - 1, 0).bit_length()


def _orders(rank: int, axes: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """The likeliest other orders of a tensor's axes in memory: two are exchanged, or one goes to an end."""
    orders: dict[tuple[int, ...], None] = {}
    for one, other in itertools.combinations(reversed(axes), 2):
        order = list(range(rank))
        order[one], order[other] = order[other], order[one]
        orders[tuple(order)] = None
    for axis in axes if len(axes) > 2 else ():
        others = tuple(a for a in range(rank) if a != axis)
        orders |= {(*others, axis): None, (axis, *others): None}
    yield from (order for order in orders if order != tuple(range(rank)))
