"""What is traced for each contract: a function, the forward pass of a module, both directions of a gradient."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable, Iterator
from typing import Any

import torch

from geak_evaluator.children.spec import reference
from geak_evaluator.children.tensors import dtype_of, leaves
from geak_evaluator.schema import domain
from geak_evaluator.schema.spec import Numbers, Scalar, Spec
from geak_evaluator.seeds.branches import Branch, CannotSeed
from geak_evaluator.seeds.graph import Graph, Part, World, trace

Tensors = dict[str, torch.Tensor]
_HALVES = (torch.float16, torch.bfloat16)


def graphs(
    module: types.ModuleType, spec: Spec, branch: Branch, target: str, baked: frozenset[str], *, wide: bool
) -> dict[str, Graph]:
    """The graphs of a spec in one branch, by the part that each is; `wide` computes halves in fp32."""
    function = reference(module, spec)
    if spec.contract == "module":
        part = _module(function, spec, wide)
        graph = trace(spec, branch, target, part, baked)
        assert part.built is not None
        own = part.built()
        trained = {name for name, _ in own.named_parameters()}
        graph.state = {
            name: (argument(spec, name), str(v.dtype), name in trained) for name, v in own.state_dict().items()
        }
        return {"forward": graph}
    if spec.contract == "gradient":
        forward = trace(spec, branch, target, Part(_inputs, _function(function, wide)), baked)
        backward = Part(
            lambda made: _inputs(made) | _incoming(made, function), _backward(function, wide), functional=False
        )
        return {"forward": forward, "backward": trace(spec, branch, target, backward, baked)}
    if spec.contract == "destination":
        part = Part(lambda made: _inputs(made) | _handed(made), _destination(function, wide))
        return {"": trace(spec, branch, target, part, baked)}
    return {"": trace(spec, branch, target, Part(_inputs, _function(function, wide)), baked)}


def _inputs(made: World) -> Tensors:
    return {n: made.tensor(t) for n, t in made.spec.tensors.items() if n not in made.branch.without}


def _handed(made: World) -> Tensors:
    items = [item for _, item in domain.outputs(made.spec)]
    return {name: made.tensor(item) for name, item in zip(domain.destinations(made.spec), items, strict=True)}


def _arguments(made: World, given: Tensors, wide: bool) -> dict[str, Any]:
    def argument(name: str, item: Any) -> Any:
        if isinstance(item, Scalar):
            return made.sizes[name]
        return _widened(given[name], wide) if name in given else None

    return {name: argument(name, item) for name, item in made.spec.inputs.items()}


def _widened(value: torch.Tensor, wide: bool) -> torch.Tensor:
    return value.float() if wide and value.dtype in _HALVES else value


def _found(made: World, returned: Any) -> list[tuple[str, torch.Tensor]]:
    """What the reference returned, each in the type that is declared for it."""
    found = leaves(returned)
    for path, value in found:
        if not isinstance(value, torch.Tensor):
            raise CannotSeed(f"reference returns a {type(value).__name__} at {path}, and only tensors are compiled")
    declared = domain.outputs(made.spec)
    if not declared:
        return found
    if len(declared) != len(found):
        raise CannotSeed(f"reference returns {len(found)} tensors, and outputs declares {len(declared)}")
    return [(p, v.to(_dtype(made, item.dtype))) for (p, v), (_, item) in zip(found, declared, strict=True)]


def _dtype(made: World, name: str) -> torch.dtype:
    return dtype_of(made.spec.format(name, made.branch.types, made.target).name)


def _function(function: Callable[..., Any], wide: bool) -> Callable[[World, Tensors], list[tuple[str, Any]]]:
    def call(made: World, given: Tensors) -> list[tuple[str, Any]]:
        arguments = _arguments(made, given, wide)
        found = _found(made, function(**arguments))
        for name in made.spec.changes:
            if arguments[name] is not given.get(name) and arguments[name] is not None:
                given[name].copy_(arguments[name])
        return [(path, _own(value, given)) for path, value in found]

    return call


def _own(value: torch.Tensor, given: Tensors) -> torch.Tensor:
    """A result that lies in memory of its own, as the kernel's must."""
    shared = any(value is other or value._base is other for other in given.values())
    overlaps = any(isinstance(s, int) and s == 0 for s in value.stride())
    return value.clone(memory_format=torch.contiguous_format) if shared or overlaps else value


def _destination(function: Callable[..., Any], wide: bool) -> Callable[[World, Tensors], list[tuple[str, Any]]]:
    def call(made: World, given: Tensors) -> list[tuple[str, Any]]:
        found = _found(made, function(**_arguments(made, given, wide)))
        for name, (_, value) in zip(domain.destinations(made.spec), found, strict=True):
            given[name].copy_(value)
        return []

    return call


# -- gradients --


def _incoming(made: World, function: Callable[..., Any]) -> Tensors:
    """A gradient for each output that has one, as it is after the wrapper has made it contiguous."""
    found = [(path, value) for path, value in _live(made, function, _inputs(made), False)[0] if value.requires_grad]
    if not found:
        raise CannotSeed("no output of reference depends on the inputs in wrt, so there is no gradient to compile")
    return {incoming(path): torch.empty(v.shape, dtype=v.dtype, device=v.device) for path, v in found}


def incoming(path: str) -> str:
    """The name of the gradient that comes in for an output."""
    return "dy" if path == "0" else f"d_{path.replace('.', '_')}"


def _live(
    made: World, function: Callable[..., Any], given: Tensors, wide: bool
) -> tuple[list[tuple[str, Any]], dict[str, torch.Tensor]]:
    with torch.enable_grad():
        live = {name: given[name].detach().requires_grad_(True) for name in made.spec.wrt if name in given}
        found = _found(made, function(**_arguments(made, given | live, wide)))
    return found, live


def _backward(function: Callable[..., Any], wide: bool) -> Callable[[World, Tensors], list[tuple[str, Any]]]:
    def call(made: World, given: Tensors) -> list[tuple[str, Any]]:
        found, live = _live(made, function, given, wide)
        roots = [(value, given[incoming(path)]) for path, value in found if value.requires_grad]
        values, weights = [value for value, _ in roots], [weight for _, weight in roots]
        gradients = torch.autograd.grad(values, list(live.values()), weights, allow_unused=True)
        return [
            (f"grad_{name}", torch.zeros_like(value) if gradient is None else gradient.detach())
            for (name, value), gradient in zip(live.items(), gradients, strict=True)
        ]

    return call


# -- modules --


def _built(made: World, build: Callable[..., Any]) -> torch.nn.Module:
    """A module that holds no numbers."""
    with _unset():
        built = build(**{name: _initial(made, item) for name, item in made.spec.init.items()})
    if not isinstance(built, torch.nn.Module):
        raise CannotSeed(f"Reference is no torch.nn.Module but makes a {type(built).__name__}")
    return built


def _initial(made: World, item: Scalar | Numbers) -> Any:
    if isinstance(item, Numbers):
        numbers = [made.value(text) for text in item.items]
        return tuple(numbers) if item.type == "tuple" else numbers
    value = item.choices[0] if item.value is None else item.value
    return made.value(value) if isinstance(value, str) else value


@contextlib.contextmanager
def _unset() -> Iterator[None]:
    """Lets modules be made without first values: drawing them needs sizes that are numbers."""
    public = [kind for kind in vars(torch.nn).values() if isinstance(kind, type)]
    kinds = {base for kind in public for base in kind.__mro__ if "reset_parameters" in vars(base)}
    drawn = [n for n, f in vars(torch.nn.init).items() if n.endswith("_") and not n.startswith("_") and callable(f)]
    before: list[tuple[Any, str, Any]] = [(k, "reset_parameters", vars(k)["reset_parameters"]) for k in kinds]
    before += [(torch.nn.init, name, getattr(torch.nn.init, name)) for name in drawn]
    for owner, name, _ in before:
        setattr(owner, name, (lambda self: None) if name == "reset_parameters" else (lambda tensor, *a, **k: tensor))
    try:
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)


def argument(spec: Spec, name: str) -> str:
    """The name under which a module's parameter or buffer is handed to its forward pass."""
    plain = name.replace(".", "_")
    return f"own_{plain}" if plain in spec.inputs else plain


def _module(build: Callable[..., Any], spec: Spec, wide: bool) -> Part:
    modules: dict[int, torch.nn.Module] = {}

    def given(made: World) -> Tensors:
        built = modules[id(made)] = _built(made, build)
        return _inputs(made) | {argument(spec, name): value.detach() for name, value in built.state_dict().items()}

    def call(made: World, tensors: Tensors) -> list[tuple[str, Any]]:
        built = modules[id(made)]
        held = [name for name, _ in (*built.named_parameters(), *built.named_buffers())]
        values = {n: _widened(tensors[argument(spec, n)], wide) for n in held if argument(spec, n) in tensors}
        found = _found(made, torch.func.functional_call(built, values, kwargs=_arguments(made, tensors, wide)))
        return [(path, _own(value, tensors)) for path, value in found]

    return Part(given, call, lambda: list(modules.values())[-1])
