"""A spec's reference as a graph over symbolic sizes, traced with tensors that hold no numbers."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy  # type: ignore[import-untyped]
import torch
from torch._dispatch.python import enable_python_dispatcher
from torch._dynamo.source import ConstantSource
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.experimental.symbolic_shapes import DimDynamic, ShapeEnv, free_unbacked_symbols
from torch.utils._sympy.printers import PythonPrinter
from torch.utils._sympy.value_ranges import ValueRanges

from geak_evaluator.children.tensors import dtype_of
from geak_evaluator.device.simulated import replaced
from geak_evaluator.schema.spec import Scalar, Spec, Tensor, Value
from geak_evaluator.seeds.branches import Branch, CannotSeed
from geak_evaluator.seeds.matrix_ops import Named, Whole, decompositions

_CALLS = {"min": torch.sym_min, "max": torch.sym_max, "abs": abs, "cdiv": lambda a, b: -(-a // b)}


@dataclass
class Graph:
    """What Inductor is given: a graph, and what each of its inputs and outputs is called."""

    module: torch.fx.GraphModule
    inputs: list[Any]
    names: list[str]
    """Of the inputs, in their order: sizes, then tensors."""
    outputs: list[str]
    """The paths of what it returns."""
    sizes: dict[str, str]
    """Each symbol of the graph, and the size that it stands for, in Python over axes' names."""
    markers: dict[str, float]
    """Numbers that stand for scalar arguments in the graph."""
    mode: FakeTensorMode
    env: ShapeEnv
    baked: frozenset[str] = frozenset()
    """Scalar arguments whose value stands in the graph."""
    derived: dict[str, str] = field(default_factory=dict)
    """Sizes that follow from others, in the graph's symbols."""
    shapes: dict[str, list[str]] = field(default_factory=dict)
    """Of each tensor among the inputs, in Python over the variables of sizes."""
    state: dict[str, tuple[str, str, bool]] = field(default_factory=dict)
    """Of a module: each of its tensors with its name here, its type, and whether it is a parameter."""


@dataclass
class World:
    """Symbolic sizes and tensors of one branch."""

    spec: Spec
    branch: Branch
    target: str
    env: ShapeEnv
    mode: FakeTensorMode
    sizes: dict[str, Any] = field(default_factory=dict)
    symbols: dict[str, Any] = field(default_factory=dict)
    """By variable, the graph's inputs that are sizes."""
    names: dict[str, str] = field(default_factory=dict)
    markers: dict[str, float] = field(default_factory=dict)
    device: str = "cpu"

    named: Named = field(default_factory=Named)

    def value(self, text: str) -> Any:
        """What an expression of the spec is worth here, symbolically."""
        # The text is arithmetic over names: the spec's description was checked before anything is traced.
        return eval(text, {"__builtins__": {}, **_CALLS}, self.sizes)

    def tensor(self, item: Tensor) -> torch.Tensor:
        """An input of the spec that holds no numbers."""
        shape = [self.value(text) for text in item.shape]
        dtype = dtype_of(self.spec.format(item.dtype, self.branch.types, self.target).name)
        if item.strides:
            strides = [self.value(text) for text in item.strides]
            return torch.empty_strided(shape, strides, dtype=dtype, device=self.device)
        return torch.empty(shape, dtype=dtype, device=self.device)

    def scalar(self, name: str, item: Scalar) -> Any:
        """A number among the arguments: a marker for a float, so that it stays an argument."""
        if name in self.branch.scalars:
            given: Value = self.branch.scalars[name]
            return {"int": int, "float": float, "bool": bool}[item.type](given)
        if item.type == "float":
            return self.markers[name]
        given = self.value(item.value) if isinstance(item.value, str) else item.value  # type: ignore[assignment]
        return bool(given) if item.type == "bool" else given


def world(
    spec: Spec, branch: Branch, target: str, baked: frozenset[str] = frozenset(), derived: Sequence[int] = ()
) -> World:
    """The symbolic sizes of a branch."""
    env = ShapeEnv(duck_shape=False)
    made = World(spec, branch, target, env, FakeTensorMode(shape_env=env, allow_non_fake_inputs=True))
    for name, axis in spec.axes.items():
        if name in branch.axes or axis.min == axis.max:
            made.sizes[name] = branch.axes.get(name, axis.min)
            continue
        step = branch.multiples.get(name, 1)
        variable = name if step == 1 else f"{name}_{step}"
        hint = branch.hints[name] // step
        source = ConstantSource(variable)
        symbol = env.create_symbol(hint, source, dynamic_dim=DimDynamic.DYNAMIC, constraint_dim=None)
        env.var_to_range[symbol] = ValueRanges(-(-axis.min // step), max(axis.max // step, 2))
        node = env.create_symintnode(symbol, hint=hint, source=source)
        made.symbols[variable] = node
        made.names[str(symbol)] = variable
        made.sizes[name] = node * step if step > 1 else node
    for number, hint in enumerate(derived):
        variable = f"size_{number}"
        symbol = env.create_symbol(hint, ConstantSource(variable), dynamic_dim=DimDynamic.DYNAMIC, constraint_dim=None)
        env.var_to_range[symbol] = ValueRanges(1, 1 << 40)
        made.symbols[variable] = env.create_symintnode(symbol, hint=hint, source=ConstantSource(variable))
        made.names[str(symbol)] = variable
        made.named.names[variable] = made.symbols[variable]
    for number, (name, item) in enumerate(spec.inputs.items()):
        if isinstance(item, Scalar):
            if item.type == "float" and name not in branch.scalars:
                fixed = item.value if isinstance(item.value, int | float) else None
                made.markers[name] = float(fixed) if name in baked and fixed is not None else _marker(number)
            made.sizes[name] = made.scalar(name, item)
    return made


def _marker(number: int) -> float:
    return 0.61803398874 + number / 1024


Call = Callable[[World, dict[str, Any]], list[tuple[str, Any]]]
"""A part of a spec's contract: from its tensors by name to what it returns, with paths."""
Given = Callable[[World], dict[str, torch.Tensor]]
"""The tensors that a part is given."""


@dataclass(frozen=True)
class Part:
    """A part of what a kernel file must do: all of a function, or one of the two directions of a gradient."""

    given: Given
    call: Call
    built: Callable[[], torch.nn.Module] | None = None
    """The module that is called, once it was made."""
    functional: bool = True
    """Mutations are taken out of the graph; autograd cannot be traced so."""


def trace(
    spec: Spec, branch: Branch, target: str, part: Part, baked: frozenset[str], derived: Sequence[int] = ()
) -> Graph:
    """The graph of one part in one branch; `derived` are values of sizes that follow from others."""
    made = world(spec, branch, target, baked, derived)
    with made.mode:
        tensors = part.given(made)
    paths: list[str] = []

    def call(*flat: Any) -> list[Any]:
        found = part.call(made, dict(zip(tensors, flat[len(made.symbols) :], strict=True)))
        paths[:] = [path for path, _ in found]
        return [value for _, value in found]

    inputs = [*made.symbols.values(), *tensors.values()]
    graph = _traced(made, call, inputs, part.functional)
    if len(made.named.hints) > len(derived):
        return trace(spec, branch, target, part, baked, made.named.hints)
    made.device = "cuda"
    inputs = _elsewhere(made, inputs)
    graph = _moved(made, graph, inputs)
    names = [*made.symbols, *tensors]
    shapes = {name: [_python(made, size) for size in value.shape] for name, value in tensors.items()}
    return Graph(
        module=graph,
        inputs=inputs,
        names=names,
        outputs=paths,
        sizes=made.names,
        markers=made.markers,
        mode=made.mode,
        env=made.env,
        baked=baked,
        derived=made.named.derived,
        shapes=shapes,
    )


def _python(made: World, size: Any) -> str:
    """A size over the names of variables."""
    if not isinstance(size, torch.SymInt):
        return str(size)
    names = {symbol: sympy.Symbol(made.names.get(str(symbol), str(symbol))) for symbol in size.node.expr.free_symbols}
    return str(PythonPrinter().doprint(size.node.expr.xreplace(names)))


def _traced(made: World, call: Callable[..., list[Any]], inputs: list[Any], functional: bool) -> torch.fx.GraphModule:
    from torch._inductor.decomposition import select_decomp_table

    with contextlib.ExitStack() as undo, made.mode, torch.no_grad(), _quietly(), enable_python_dispatcher():
        plain = torch.func.functionalize(call, remove="mutations") if functional else call
        undo.enter_context(_open_sizes(made))
        undo.enter_context(Whole())
        graph = make_fx(plain, decomposition_table={**select_decomp_table(), **decompositions(made.named)})(*inputs)
    graph.graph.eliminate_dead_code()
    for node in graph.graph.nodes:
        if node.op == "get_attr" and _elements(getattr(graph, node.target, None)) != 1:
            raise CannotSeed(
                "reference holds a tensor that is no argument of it; make it in the reference, or hand it over"
            )
        if node.op == "call_function":
            if free_unbacked_symbols(node.meta.get("val")):
                raise CannotSeed(
                    f"the size of a result depends on values ({node.target}), which no grid can follow; "
                    "write the reference with masks, or begin from a kernel of your own"
                )
            if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()):
                raise CannotSeed(
                    f"reference draws random numbers ({node.target}); draw them in make_inputs and hand them over"
                )
    return graph


def _elements(value: Any) -> int:
    return value.numel() if isinstance(value, torch.Tensor) and not isinstance(value, FakeTensor) else 0


def _elsewhere(made: World, inputs: list[Any]) -> list[Any]:
    """The same inputs on the device."""
    with made.mode:
        return [
            torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device=made.device)
            if isinstance(value, torch.Tensor)
            else value
            for value in inputs
        ]


def _moved(made: World, graph: torch.fx.GraphModule, inputs: list[Any]) -> torch.fx.GraphModule:
    """The graph on the device: it was traced on the CPU, where torch needs no driver to make sense of a mutation."""
    there = torch.device(made.device, 0)
    for node in graph.graph.nodes:
        if node.op == "call_function":
            moved = {name: there if isinstance(value, torch.device) else value for name, value in node.kwargs.items()}
            node.kwargs = moved
    graph.recompile()
    with made.mode, torch.no_grad(), _quietly(), enable_python_dispatcher():
        moved_graph = make_fx(graph)(*inputs)
    return _prepared(moved_graph)


def _prepared(graph: torch.fx.GraphModule) -> torch.fx.GraphModule:
    graph.graph.set_codegen(torch.fx.graph.CodeGen())
    for node in graph.graph.nodes:
        if node.op == "call_function":
            node.meta["original_aten"] = node.target
    graph.recompile()
    return graph


@contextlib.contextmanager
def _open_sizes(made: World) -> Iterator[None]:
    """Refuses what would make a size that the spec leaves open a plain number: a loop over it would be unrolled."""
    from torch.fx.experimental.sym_node import SymNode

    def guard_int(self: Any, file: str, line: int) -> int:
        symbols = getattr(self.expr, "free_symbols", ())
        if symbols and self.shape_env is made.env and not _is_fixed(made, self.expr):
            names = ", ".join(sorted(_axis(made, str(s)) for s in symbols))
            raise CannotSeed(
                f"reference needs the size {names} as a plain number, as a loop over it does; "
                "write it without the loop, or begin from a kernel of your own"
            )
        return int(real(self, file, line))

    real = SymNode.guard_int
    with replaced(SymNode, "guard_int", guard_int):
        yield


def _axis(made: World, symbol: str) -> str:
    """The axis that a symbol stands for; "K_32" is a 32nd of K."""
    name = made.names.get(symbol, symbol)
    return name if name in made.spec.axes else name.rpartition("_")[0] or name


def _is_fixed(made: World, expression: Any) -> bool:
    """Whether an expression over sizes has one value wherever it is tried."""
    rng = random.Random(0)
    found = set()
    for number in range(6):
        sizes = {}
        for symbol in expression.free_symbols:
            if symbol not in made.env.var_to_range:
                return False
            low, high = (int(b) for b in (made.env.var_to_range[symbol].lower, made.env.var_to_range[symbol].upper))
            sizes[symbol] = max(low, 1) if number == 0 else rng.randint(max(low, 1), min(high, 1 << 20))
        found.add(expression.xreplace(sizes))
    return len(found) == 1


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
