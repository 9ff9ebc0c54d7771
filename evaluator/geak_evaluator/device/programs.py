"""The programs of one launch, interpreted in turn; one that waits for a later one lets that run meanwhile."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import triton.language as tl

from geak_evaluator.device.arguments import Code, argument
from geak_evaluator.device.bounds import Memory
from geak_evaluator.device.builder import Builder
from geak_evaluator.device.errors import DeviceError, OutOfBounds, Unsupported
from geak_evaluator.device.interpreter import Frame
from geak_evaluator.device.reductions import Semantic

_MOST_WAITING = 8
"""Programs that wait for a later one, within each other."""


class Observer(Protocol):
    """Somebody who watches a launch instead of judging it: which programs are run, and by which builder."""

    def programs(self, count: int) -> Iterable[int]:
        """The numbers of those to run, of so many."""

    def builder(self, options: Any, module_map: dict[str, Any], memory: Memory) -> Builder:
        """What they are run by."""


def numbered(count: int, order: int = 0, together: int = 0) -> list[int]:
    """So many programs as they are numbered, or with `order` 1 the other way, or else in an order drawn by it.

    They change places within so many `together` as follow each other, or among all of them.
    """
    rng = random.Random(order)
    found = list(range(count))
    for begin in range(0, count if order else 0, together or max(count, 1)):
        part = found[begin : begin + together] if together else found[:]
        part.reverse() if order == 1 else rng.shuffle(part)
        found[begin : begin + len(part)] = part
    return found


def run(
    code: Code,
    grid: tuple[int, int, int],
    args: Sequence[Any],
    *,
    strict: bool = True,
    tables: bool = True,
    led: Sequence[Any] = (),
    observer: Observer | None = None,
    order: Callable[[int], Iterable[int]] = range,
    earlier: Collection[int] = (),
) -> Memory:
    """Interpret one launch on the memory of its arguments; conflicting stores, strays and waiting are noted there.

    There are no strays if the launch is strict: it ends with the first access out of bounds. An observer may leave out
    programs, so there is nothing to be said of conflicts then.
    """
    function = code.function
    names = function.arg_names
    count = grid[0] * grid[1] * grid[2]
    reached = dict(zip(names, args, strict=True))
    programs = count if observer is None else 1
    memory = Memory(function.__name__, reached, programs, strict=strict, tables=tables, led=led, earlier=earlier)
    build = Builder if observer is None else observer.builder
    builder = build(code.options, code.module_map, memory)
    semantic = Semantic(builder)
    frames: dict[int, Frame] = {}
    builder.set_grid_dim(*grid)
    builder.turned = [*order(2)] == [1, 0]
    try:
        with _quietly_typed():
            frame = frames[id(function)] = Frame(function, builder, semantic, frames)
            values = {
                name: argument(value, code.signature[name], (i,), code, semantic)
                for i, (name, value) in enumerate(zip(names, args, strict=True))
            }
            waiting = 0
            left = iter(order(count) if observer is None else observer.programs(count))

            def enter(number: int) -> None:
                row, z = divmod(number, grid[2])
                builder.enter_program(number, *divmod(row, grid[1]), z)

            def elsewhere() -> None:
                """The next program, within one that waits for it: as a device would, which runs them at once."""
                nonlocal waiting
                here, number = builder.program, next(left, None)
                if number is None:
                    return
                if waiting == _MOST_WAITING:
                    raise Unsupported(f"more than {_MOST_WAITING} programs wait for one another")
                waiting += 1
                enter(number)
                frame.call(dict(values))
                waiting -= 1
                enter(here)
                memory.waits = True

            builder.elsewhere = elsewhere
            for number in left:
                enter(number)
                frame.call(dict(values))
    except Exception as error:
        raise _translated(error, function.__name__) from error
    return memory


def _translated(error: Exception, kernel: str) -> DeviceError:
    place, line = getattr(error, "_kernel_line", (kernel, 0))
    if isinstance(error, OutOfBounds):
        return OutOfBounds(**{k: v for k, v in vars(error).items() if not k.startswith("_")} | {"line": line})
    where = f"kernel {kernel}, {f'{place} ' * (place != kernel)}line {line}"
    if isinstance(error, DeviceError) and not isinstance(error, Unsupported):
        return type(error)(f"{where}: {error}")
    # A reader wants to know first what cannot be known here, and why.
    why = error if isinstance(error, Unsupported) else f"the interpreter stopped at {type(error).__name__}: {error}"
    return Unsupported(f"{why} ({where})")


@contextmanager
def _quietly_typed() -> Iterator[None]:
    original = tl.dtype.to_ir
    tl.dtype.to_ir = _numpy_types(original)
    try:
        # The compiler has given its warnings already, and overflow is no news on a device.
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            yield
    finally:
        tl.dtype.to_ir = original


def _numpy_types(original: Any) -> Any:
    # The compiler's types have no sign, numpy's have: an unsigned type must stay unsigned on its way to the builder.
    def to_ir(self: Any, builder: Any) -> Any:
        return self if isinstance(builder, Builder) else original(self, builder)

    return to_ir
