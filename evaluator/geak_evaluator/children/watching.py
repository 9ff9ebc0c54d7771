"""Stands before the entries of a foreign file, and notes how its test calls them."""

from __future__ import annotations

import contextlib
import inspect
import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from geak_evaluator.children.describing import describe, form
from geak_evaluator.schema.observed import Entry, Gridded, Kind, Seen

CALLS = 64
"""Distinct calls that are kept of an entry."""


_CONFIGURATIONS = 4
"""Of an autotuned kernel: so many tell how a grid follows from them."""


class Stop(BaseException):
    """Ends a test at a call that was only to be seen; no Exception, for tests catch those."""


class Watch:
    """The entries of a file, each with something before it that notes its calls."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.on: dict[str, Kind] = {}
        self.calls: dict[str, dict[str, Seen]] = {}
        self.stops = self.timed = False
        self.depth = 0

    @property
    def seen(self) -> bool:
        """Whether any call was noted."""
        return any(self.calls.values())

    @contextlib.contextmanager
    def stopping(self, *, timed: bool = False) -> Iterator[None]:
        """Within, a call is noted and ends the test."""
        before = self.stops, self.timed
        self.stops, self.timed = True, timed
        try:
            yield
        finally:
            self.stops, self.timed = before

    def entries(self) -> tuple[Entry, ...]:
        """What was noted, by entry."""
        return tuple(
            Entry(name, self.on[name], tuple(self.calls[name].values())) for name in self.names if name in self.on
        )

    def put_on(self, module: types.ModuleType) -> None:
        """Puts itself before every entry that the module has."""
        for name in self.names:
            first, _, last = name.partition(".")
            held = getattr(module, first, None)
            if last:
                target = getattr(held, last, None)
                if target is None:
                    continue
                forward = getattr(held, "forward", None) if last == "apply" else None
                skip = 1 if forward is not None else 0
                setattr(held, last, staticmethod(self._before(name, target, forward or target, skip)))
                self.on[name] = "apply" if last == "apply" else "function"
            elif hasattr(held, "run") and hasattr(held, "__getitem__"):
                setattr(module, first, _Kernel(self, name, held))
                self.on[name] = "kernel"
            elif callable(held):
                owner = getattr(held, "__self__", None)
                applied = getattr(owner, "forward", None) if getattr(held, "__name__", "") == "apply" else None
                setattr(module, first, self._before(name, held, applied or held, 1 if applied is not None else 0))
                self.on[name] = "function"
            else:
                continue
            self.calls[name] = {}

    def _before(
        self, name: str, target: Callable[..., Any], shaped: Callable[..., Any], skip: int
    ) -> Callable[..., Any]:
        signature = _signature(shaped, skip)
        parameters = signature.parameters.values() if signature is not None else ()
        only = tuple(one.name for one in parameters if one.kind is one.KEYWORD_ONLY)

        def called(*args: Any, **kwargs: Any) -> Any:
            if self.depth:
                return target(*args, **kwargs)
            return self.note(name, _bound(signature, args, kwargs), only, (), lambda: target(*args, **kwargs))

        called.__name__ = name
        called.__wrapped__ = target  # type: ignore[attr-defined]
        return called

    def note(
        self,
        name: str,
        args: dict[str, Any],
        by_name: tuple[str, ...],
        grids: tuple[Gridded, ...],
        go: Callable[[], Any],
    ) -> Any:
        """Notes one call, and carries it out unless it is only to be seen."""
        described = {key: describe(value) for key, value in args.items()}
        grid = grids[0].grid if grids else ()
        seen = Seen(described, by_name, grid, grids if any(one.meta for one in grids) else (), timed=self.timed)
        key = repr((form(described), grid, self.timed))
        calls = self.calls[name]
        if key in calls:
            calls[key] = _again(calls[key])
        elif len(calls) < 2 * CALLS:
            calls[key] = seen
        if self.stops:
            raise Stop
        before = {k: v.detach().clone() for k, v in args.items() if _comparable(v)}
        self.depth += 1
        try:
            result = go()
        finally:
            self.depth -= 1
        if key in calls:
            changed = tuple(k for k, v in before.items() if not _equal(v, args[k]))
            calls[key] = _done(calls[key], changed)
        return result


def _again(seen: Seen) -> Seen:
    return replace(seen, count=seen.count + 1)


def _done(seen: Seen, changed: tuple[str, ...]) -> Seen:
    return replace(seen, changed=tuple(dict.fromkeys((*seen.changed, *changed))), done=True)


class _Kernel:
    """Stands for a kernel that a test launches itself."""

    def __init__(self, watch: Watch, name: str, kernel: Any) -> None:
        self._watch, self._name, self._kernel = watch, name, kernel

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kernel, name)

    def __getitem__(self, grid: Any) -> Any:
        watch, kernel = self._watch, self._kernel
        if watch.depth:
            return kernel[grid]

        def launched(*args: Any, **kwargs: Any) -> Any:
            named = dict(zip(kernel.arg_names, args, strict=False))
            given = {**named, **kwargs}
            metas = _metas(kernel, given) if callable(grid) else [{}]
            grids = tuple(Gridded(meta, _sizes(grid, {**given, **meta})) for meta in metas)
            return watch.note(self._name, given, tuple(kwargs), grids, lambda: kernel[grid](*args, **kwargs))

        return launched


def _sizes(grid: Any, named: dict[str, Any]) -> tuple[int, ...]:
    sizes = grid(named) if callable(grid) else grid
    return tuple(int(n) for n in (sizes if isinstance(sizes, tuple | list) else (sizes,)))


def _metas(kernel: Any, given: dict[str, Any]) -> list[dict[str, Any]]:
    """What a grid may be computed from besides arguments: a few configurations, and what heuristics say to each."""
    metas = [dict(one.kwargs) for one in getattr(kernel, "configs", ())[:_CONFIGURATIONS]] or [{}]
    while hasattr(kernel, "fn") and hasattr(kernel, "run"):
        for name, said in getattr(kernel, "values", {}).items():
            for meta in metas:
                meta[name] = said({**given, **meta})
        kernel = kernel.fn
    return metas


def _signature(function: Callable[..., Any], skip: int) -> inspect.Signature | None:
    try:
        found = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    return found.replace(parameters=list(found.parameters.values())[skip:])


def _bound(signature: inspect.Signature | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call by name, defaults included."""
    try:
        if signature is None:
            raise TypeError
        bound = signature.bind(*args, **kwargs)
    except TypeError:
        return {**{f"argument_{i}": value for i, value in enumerate(args)}, **kwargs}
    bound.apply_defaults()
    found: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            found.update(value)
        elif kind is inspect.Parameter.VAR_POSITIONAL:
            if value:
                found[f"*{name}"] = value
        else:
            found[name] = value
    return found


def _comparable(value: Any) -> bool:
    import torch

    return isinstance(value, torch.Tensor) and not value.is_meta and value.numel() <= 1 << 22


def _equal(before: Any, after: Any) -> bool:
    import torch

    same = before.shape == after.shape and before.dtype == after.dtype
    if not same:
        return False
    if before.element_size() == 1:
        return torch.equal(before.view(torch.uint8), after.detach().clone().view(torch.uint8))
    return (
        bool(torch.equal(torch.nan_to_num(before), torch.nan_to_num(after.detach())))
        if before.is_floating_point()
        else torch.equal(before, after)
    )
