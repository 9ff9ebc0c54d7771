"""From Inductor's source to kernels and a wrapper that need nothing of Inductor's."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from geak_evaluator.seeds import matrix_templates as templates
from geak_evaluator.seeds.branches import CannotSeed
from geak_evaluator.seeds.graph import Graph
from geak_evaluator.seeds.kernels import Kernel, kernel

_DROPPED = ("assert_size_stride", "assert_alignment", "torch.cuda.set_device", "args.clear", "start_graph", "end_graph")


@dataclass
class Extern:
    """A call of a library's in Inductor's wrapper, which no seed may keep."""

    name: str
    """As Inductor calls it: "extern_kernels.mm"."""
    statement: ast.stmt


@dataclass
class Piece:
    """The code of one branch: statements over the graph's input names, and the kernels that they launch."""

    body: list[ast.stmt]
    returned: list[ast.expr]
    kernels: dict[str, Kernel] = field(default_factory=dict)
    externs: list[Extern] = field(default_factory=list)
    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    """Kernels of our own and what calls them, where Inductor would call a library."""


def standalone(source: str, graph: Graph) -> Piece:
    """The kernels and the wrapper's statements in what Inductor emitted for a graph."""
    tree = ast.parse(source)
    kernels = dict(_kernels(tree))
    call = next((n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "call"), None)
    if call is None:
        raise CannotSeed(
            "what Inductor emitted has no function `call`; its wrapper is of a kind that is not known here"
        )
    return _Wrapper(graph, kernels).read(call)


def _kernels(tree: ast.Module) -> Iterator[tuple[str, Kernel]]:
    """Each `NAME = async_compile.triton('NAME', SOURCE, ...)`."""
    for node in tree.body:
        value = node.value if isinstance(node, ast.Assign) else None
        if isinstance(value, ast.Call) and ast.unparse(value.func) == "async_compile.triton":
            text = value.args[1]
            assert isinstance(text, ast.Constant)
            name = ast.literal_eval(value.args[0])
            yield name, kernel(name, str(text.value))


class _Wrapper:
    def __init__(self, graph: Graph, kernels: dict[str, Kernel]) -> None:
        self._graph, self._kernels = graph, kernels
        self._rename: dict[str, str] = dict(graph.sizes)
        self._piece = Piece([], [])

    def read(self, call: ast.FunctionDef) -> Piece:
        statements = list(_flat(call.body))
        for statement in statements:
            if isinstance(statement, ast.Return) and isinstance(statement.value, ast.Tuple):
                self._name_outputs(statement.value.elts)
        for statement in statements:
            self._take(statement)
        self._derive_sizes()
        return self._piece

    def _derive_sizes(self) -> None:
        """Says first what those sizes are that the code names and no argument has."""
        for name, text in reversed(self._graph.derived.items()):
            nodes = [part for node in (*self._piece.body, *self._piece.returned) for part in ast.walk(node)]
            if name in {node.id for node in nodes if isinstance(node, ast.Name)}:
                value = self._renamed(ast.parse(text, mode="eval").body)
                self._piece.body.insert(0, ast.Assign([ast.Name(name, ast.Store())], value))

    def _take(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Delete | ast.Pass):
            return
        if isinstance(node, ast.Assign):
            self._assign(node)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            self._call(node, node.value)
        elif isinstance(node, ast.Return):
            value = node.value
            self._piece.returned = list(value.elts) if isinstance(value, ast.Tuple) else []
            self._piece.returned = [_Memory().visit(self._renamed(part)) for part in self._piece.returned]
        else:
            self._extern(node, type(node).__name__)

    def _assign(self, node: ast.Assign) -> None:
        target, value = node.targets[0], node.value
        if isinstance(value, ast.Name) and value.id == "args":
            names = [ast.unparse(n) for n in (target.elts if isinstance(target, ast.Tuple | ast.List) else [target])]
            self._rename |= dict(zip(names, self._graph.names, strict=True))
            return
        called = ast.unparse(value.func) if isinstance(value, ast.Call) else ""
        if called == "get_raw_stream" or ast.unparse(target) == ast.unparse(self._renamed(value)):
            return
        if isinstance(target, ast.Name) and self._rename.get(target.id) == ast.unparse(self._renamed(value)):
            return  # a size under Inductor's name for it
        if called.startswith(("extern_kernels.", "torch.ops.", "aten.")) or ".item" in called:
            self._extern(node, called)
            return
        self._keep(node)

    def _call(self, node: ast.Expr, call: ast.Call) -> None:
        called = ast.unparse(call.func)
        if called in _DROPPED:
            return
        name, _, method = called.rpartition(".")
        if method == "run" and name in self._kernels:
            self._launch(name, call)
        elif method == "zero_":
            self._keep(node)
        else:
            self._extern(node, called)

    def _extern(self, node: ast.stmt, name: str) -> None:
        statement = self._renamed(node)
        functions = templates.functions(name)
        if functions and isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call):
            self._piece.functions |= functions
            statement.value.func = ast.Name(list(functions)[-1], ast.Load())
        else:
            self._piece.externs.append(Extern(name, statement))
        self._piece.body.append(_Memory().visit(statement))

    def _keep(self, node: ast.stmt) -> None:
        self._piece.body.append(_Memory().visit(self._renamed(node)))

    def _launch(self, name: str, call: ast.Call) -> None:
        found = self._kernels[name]
        arguments = [_Memory().visit(self._renamed(argument)) for argument in call.args]
        if name not in self._piece.kernels:
            found.take(self._graph.markers)
            self._piece.kernels[name] = found
        self._piece.body.append(found.launch(arguments))

    def _renamed(self, node: Any) -> Any:
        return Renamed(self._rename).visit(node)

    def _name_outputs(self, returned: list[ast.expr]) -> None:
        """What is returned is called as the spec calls it."""
        paths = self._graph.outputs
        taken = set(self._graph.names)
        for path, value in zip(paths, returned, strict=False):
            if isinstance(value, ast.Name) and value.id.startswith("buf") and value.id not in self._rename:
                word = path if path.isidentifier() else "y" if len(paths) == 1 else f"y{path}"
                self._rename[value.id] = f"{word}_out" if word in taken else word
                taken.add(self._rename[value.id])


def _flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.With):
            yield from _flat(node.body)
        else:
            yield node


class Renamed(ast.NodeTransformer):
    """Gives variables other names."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:  # noqa: D102
        name = self._names.get(node.id)
        return node if name is None else ast.copy_location(ast.Name(name, node.ctx), node)


class _Memory(ast.NodeTransformer):
    """Inductor's functions for memory, in torch's own words."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        called = ast.unparse(node.func)
        if called == "empty_strided_cuda":
            shape, strides, dtype = node.args
            layout = (
                ast.unparse(shape)
                if _is_contiguous(shape, strides)
                else f"{ast.unparse(shape)}, {ast.unparse(strides)}"
            )
            function = "empty" if _is_contiguous(shape, strides) else "empty_strided"
            text = f"torch.{function}({layout}, dtype={ast.unparse(dtype)}, device=DEVICE)"
            return ast.parse(text, mode="eval").body
        if called == "reinterpret_tensor":
            node.func = ast.parse("torch.as_strided", mode="eval").body
        return node


def _is_contiguous(shape: ast.expr, strides: ast.expr) -> bool:
    import sympy  # type: ignore[import-untyped]

    if not isinstance(shape, ast.Tuple) or not isinstance(strides, ast.Tuple):
        return False
    step: Any = sympy.Integer(1)
    for size, stride in zip(reversed(shape.elts), reversed(strides.elts), strict=True):
        try:
            told = sympy.sympify(ast.unparse(stride).replace("//", "/"), locals=_symbols(stride))
            wide = sympy.sympify(ast.unparse(size).replace("//", "/"), locals=_symbols(size))
        except (sympy.SympifyError, TypeError, AttributeError):
            return False
        if wide != 1 and sympy.simplify(told - step) != 0:
            return False
        step = step * wide
    return True


def _symbols(node: ast.expr) -> dict[str, Any]:
    import sympy

    return {n.id: sympy.Symbol(n.id) for n in ast.walk(node) if isinstance(n, ast.Name)}
