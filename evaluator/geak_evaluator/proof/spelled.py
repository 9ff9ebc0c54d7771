"""How much of a result a plan could spell out, where it may follow values: what its numbers take, in bytes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

from geak_evaluator.schema.plan import Argument, Copy, Fill, Launch, Library, Plan, Step, View

Word = int | float | bool | str | None | tuple[object, ...]
"""What a plan says in one place; a tuple is a choice among few."""


def size(plan: Plan, foretold: Plan | None = None) -> int:
    """A byte for each step, and the bytes of all that differs from the last step of its kind or its kernel.

    What is the same in each launch, a tile or a stride, is said once, and each answer that Python worked out is there.
    Nothing is said by what `foretold` has too, a plan that was made before anybody had seen these values: kinds of
    which each step is the same.
    """
    before: dict[str, list[Word]] = {}
    known = _foretold(plan, foretold)
    found = 0
    if foretold is None or repr(plan.outputs) != repr(foretold.outputs):
        found += sum(_bytes(word) for output in plan.outputs for word in _view(output.view))
    if foretold is None or repr((plan.branches, plan.names)) != repr((foretold.branches, foretold.names)):
        found += len(plan.branches) + sum(1 + _bytes(named.number) + _bytes(named.text) for named in plan.names)
    for step in plan.steps:
        said, kind = list(_words(step)), _kind(step)
        if kind in known:
            continue
        pairs = zip_longest(said, before.get(kind, []), fillvalue=())
        # As text: 1 is no True, and NaN is itself.
        found += 1 + sum(_bytes(word) for word, last in pairs if repr(word) != repr(last))
        before[kind] = said
    return found


def _foretold(plan: Plan, other: Plan | None) -> set[str]:
    """The kinds of step that are the same in both, if their steps come in one order."""
    if other is None or [_kind(step) for step in plan.steps] != [_kind(step) for step in other.steps]:
        return set()
    differ = {_kind(step) for step, its in zip(plan.steps, other.steps, strict=True) if repr(step) != repr(its)}
    return {_kind(step) for step in plan.steps} - differ


def _kind(step: Step) -> str:
    if isinstance(step, Launch):
        return f"{step.module}.{step.kernel}"
    return step.operation if isinstance(step, Library) else type(step).__name__


def _bytes(word: Word) -> int:
    if isinstance(word, float):
        return 8
    if isinstance(word, str):
        return len(word.encode(errors="replace"))
    return (int(word).bit_length() + 7) // 8 or 1 if isinstance(word, int) else 1


def _words(step: Step) -> Iterator[Word]:
    if isinstance(step, Launch):
        yield from (*step.grid, *step.options.values())
        for argument in step.arguments:
            yield from _argument(argument)
    elif isinstance(step, Library):
        for argument in (*step.arguments, *step.keywords.values()):
            yield from _argument(argument, whole=True)
        for view in step.results:
            yield from _view(view)
    elif isinstance(step, Fill):
        yield from (step.value, *_view(step.view), *(() if step.of is None else _view(step.of)))
    elif isinstance(step, Copy):
        yield from (*_view(step.source), *_view(step.target))


def _argument(argument: Argument, whole: bool = False) -> Iterator[Word]:
    if argument.view is not None:
        words = _view(argument.view)
        # Of a tensor a kernel sees where it begins, and neither its shape nor its strides.
        yield from words if whole or argument.kind != "tensor" else [next(words), next(words)]
        yield from argument.block
    elif argument.kind == "tuple":
        yield from argument.fields
        for item in argument.items:
            yield from _argument(item, whole)
    elif argument.kind == "text":
        yield argument.text
    else:
        yield argument.number if argument.kind == "number" else (argument.kind, argument.module, argument.text)


def _view(view: View) -> Iterator[Word]:
    yield (view.storage, view.format)
    yield from (view.offset, *view.shape, *view.strides)
