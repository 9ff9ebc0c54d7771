"""One of Inductor's kernels as a plain `@triton.jit` function: its helpers written out, its blocks chosen."""

from __future__ import annotations

import ast
import copy
import inspect
from dataclasses import dataclass, field
from typing import Any

import triton.language as tl

from geak_evaluator.seeds import matrix_dots as dots
from geak_evaluator.seeds.branches import CannotSeed
from geak_evaluator.seeds.emit import OPEN_BLOCK

_BLOCKS = ("XBLOCK", "YBLOCK", "ZBLOCK", "R0_BLOCK", "R1_BLOCK", "RBLOCK", "RSPLIT")


_MOST_BITS = 17
"""A block that is sorted is no wider than 2 to this."""
_PLAINER = {
    "is_floating": "def is_floating(x):\n    return x.dtype.is_floating()",
    "select_one": (
        "def select_one(x, mask, dim, keep_dims=False):\n"
        "    return tl.sum(tl.where(mask, x, 0), dim, keep_dims=keep_dims)"
    ),
    "promote_to_tensor": "def promote_to_tensor(x):\n    return tl.to_tensor(x)",
}
"""Helpers that do with a trick what has a name."""


@dataclass
class Kernel:
    """A kernel, what it needs besides, and how it is launched."""

    name: str
    function: ast.FunctionDef
    grid: str
    """Inductor's word for how its grid follows from its sizes."""
    configurations: list[Any]
    """What Inductor's heuristics would try, the first one first."""
    helpers: dict[str, ast.stmt] = field(default_factory=dict)
    libdevice: bool = False
    whole: bool = False
    """It holds all that it reduces at once, however much that is."""
    renamed: bool = False
    scalars: list[str] = field(default_factory=list)
    """Arguments of the spec's that it takes behind Inductor's own."""

    def take(self, markers: dict[str, float]) -> None:
        """Makes each number that stands for an argument a parameter."""
        for name, marker in markers.items():
            places = _Marker(name, marker)
            self.function.body = [places.visit(node) for node in self.function.body]
            if places.found:
                at = next(
                    (i for i, a in enumerate(self.function.args.args) if a.annotation is not None),
                    len(self.function.args.args),
                )
                self.function.args.args.insert(at, ast.arg(name))
                self.scalars.append(name)

    def launch(self, arguments: list[ast.expr]) -> ast.stmt:
        """A call of it in a wrapper."""
        arguments = [*arguments, *(ast.Name(name, ast.Load()) for name in self.scalars)]
        names = [a.arg for a in self.function.args.args]
        if not self.renamed:
            self._name_parameters(arguments)
        chosen = self.configurations[0]
        blocks: dict[str, Any] = {name: size for name, size in chosen.kwargs.items() if name in names}
        given = dict(zip(names, map(ast.unparse, arguments), strict=False))
        chosen_blocks = dict(blocks)
        if self.whole:
            blocks["R0_BLOCK"] = f"triton.next_power_of_2({given['r0_numel']})"
        words = ", ".join(f"{name}={size}" for name, size in blocks.items())
        options = f"num_warps={chosen.num_warps}" + (f", num_stages={chosen.num_stages}" if self._loops else "")
        call = f"{self.name}[{self._grid(given, chosen_blocks)}]({', '.join(given.values())}, {words}, {options})"
        return ast.parse(call.replace(", ,", ",")).body[0]

    @property
    def reduces(self) -> bool:
        """Whether it reduces, scans or sorts."""
        return any(isinstance(node, ast.arg) and node.arg == "r0_numel" for node in ast.walk(self.function))

    @property
    def dots(self) -> bool:
        """Whether it multiplies matrices."""
        return "tl.dot(" in ast.unparse(self.function)

    @property
    def _loops(self) -> bool:
        return any(isinstance(node, ast.For) for node in ast.walk(self.function))

    def _grid(self, given: dict[str, str], blocks: dict[str, int]) -> str:
        def over(axis: str) -> str:
            numel, block = given[f"{axis}numel"], blocks.get(f"{axis.upper()}BLOCK", 1)
            return numel if block == 1 else f"triton.cdiv({numel}, {block})"

        if self.grid == "Grid1D":
            return f"({over('x')},)"
        if self.grid == "Grid2D":
            return f"({over('x')}, {over('y')})"
        if self.grid == "Grid3D":
            return f"({over('x')}, {over('y')}, {over('z')})"
        if self.grid == "BatchMatmulGrid3D":
            return f"({over('z')}, {over('y')}, {over('x')})"
        if self.grid == "Grid2DWithYZOverflow":
            rows = over("y")
            return f"({over('x')}, triton.cdiv({rows}, triton.cdiv({rows}, 65535)), triton.cdiv({rows}, 65535))"
        if self.grid == "SplitScanGrid":
            return f"(triton.cdiv({given['r0_numel']}, {blocks['R0_BLOCK']}), {given['xnumel']})"
        raise CannotSeed(f"Inductor lays the grid of {self.name} out as {self.grid}, which is not known here")

    def _name_parameters(self, arguments: list[ast.expr]) -> None:
        """Parameters are called as what they are given, where that has a name."""
        self.renamed = True
        taken = {n.id for n in ast.walk(self.function) if isinstance(n, ast.Name)} | {
            a.arg for a in self.function.args.args
        }
        names: dict[str, str] = {}
        for parameter, argument in zip(self.function.args.args, arguments, strict=False):
            if not isinstance(argument, ast.Name) or parameter.arg.endswith("numel"):
                continue
            words = (
                [argument.id] if parameter.arg.startswith("ks") else [f"{argument.id}_ptr", f"{argument.id}_out_ptr"]
            )
            free = [word for word in words if word not in taken]
            if free:
                names[parameter.arg] = free[0]
                taken.add(free[0])
        _rename(self.function, names)


class _Marker(ast.NodeTransformer):
    def __init__(self, name: str, marker: float) -> None:
        self._name, self._marker, self.found = name, marker, False

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if isinstance(node.value, float) and node.value == self._marker:
            self.found = True
            return ast.Name(self._name, ast.Load())
        return node


def _rename(function: ast.FunctionDef, names: dict[str, str]) -> None:
    for node in ast.walk(function):
        if isinstance(node, ast.Name):
            node.id = names.get(node.id, node.id)
        elif isinstance(node, ast.arg):
            node.arg = names.get(node.arg, node.arg)


def kernel(name: str, text: str) -> Kernel:
    """Reads one kernel out of what Inductor would compile."""
    tree = ast.parse(text)
    functions = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
    if name not in functions:
        raise CannotSeed(f"Inductor emitted {name} without a function of that name")
    function = functions.pop(name)
    meta, configurations = _heuristics(function)
    helpers = _Helpers()
    for own in functions.values():  # what a scan or a sort combines with
        own.body = [helpers.visit(node) for node in own.body]
        own.decorator_list = [_dotted("triton.jit")]
        helpers.found[own.name] = own
    plain = ast.FunctionDef(
        name=name.removeprefix("triton_"),
        args=function.args,
        body=[helpers.visit(copy.deepcopy(node)) for node in function.body],
        decorator_list=[ast.parse("triton.jit", mode="eval").body],
    )
    whole = _opened(plain)
    _sizes_as_numbers(plain)
    dots.tidied(plain, _pointers(function))
    _without_dead_names(plain)
    ast.fix_missing_locations(plain)
    configurations = dots.configurations(plain, configurations)
    return Kernel(plain.name, plain, meta["grid_type"], configurations, helpers.found, helpers.libdevice, whole)


def _pointers(function: ast.FunctionDef) -> dict[str, str]:
    """What each parameter points to, in Inductor's words: "fp16"."""
    decorator = next(d for d in function.decorator_list if isinstance(d, ast.Call))
    meta = next(k.value for k in decorator.keywords if k.arg == "triton_meta")
    assert isinstance(meta, ast.Dict)
    told = {ast.literal_eval(key): value for key, value in zip(meta.keys, meta.values, strict=True) if key is not None}
    signature = ast.literal_eval(told["signature"])
    return {name: kind[1:] for name, kind in signature.items() if kind.startswith("*")}


def _heuristics(function: ast.FunctionDef) -> tuple[dict[str, Any], list[Any]]:
    """What Inductor noted about a kernel, and the configurations that its heuristics would try."""
    from torch._inductor.runtime import hints, triton_heuristics

    told: dict[str, Any] = {}

    def keep(size_hints: Any, configs: list[Any], *args: Any, **kwargs: Any) -> Any:
        told.update(configs=configs, meta=kwargs.get("inductor_meta") or {})
        return lambda fn: fn

    decorator = next(d for d in function.decorator_list if isinstance(d, ast.Call))
    space = {**vars(hints), "triton_heuristics": triton_heuristics, "__file__": "kernel.py"}
    real, triton_heuristics.cached_autotune = triton_heuristics.cached_autotune, keep
    try:
        eval(compile(ast.Expression(decorator), "kernel.py", "eval"), space)
    finally:
        triton_heuristics.cached_autotune = real
    return told["meta"], told["configs"]


class _Helpers(ast.NodeTransformer):
    """Replaces Inductor's helpers by functions of the file's own, and keeps those functions."""

    def __init__(self) -> None:
        self.found: dict[str, ast.stmt] = {}
        self.libdevice = False

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        self.generic_visit(node)
        owner = ast.unparse(node.value)
        if owner == "tl_math":
            return _dotted(f"tl.{node.attr}" if hasattr(tl, node.attr) else f"tl.math.{node.attr}")
        if owner == "libdevice":
            self.libdevice = True
        if owner == "triton_helpers":
            return ast.Name(self._inlined(node.attr), ast.Load())
        return node

    def _inlined(self, name: str) -> str:
        from torch._inductor.runtime import triton_helpers

        own = f"_{name.lstrip('_')}"
        if own in self.found:
            return own
        value = getattr(triton_helpers, name, None)
        function = getattr(value, "fn", None)
        if function is None:
            raise CannotSeed(f"a kernel uses Inductor's {name}, which is no Triton function that could be written out")
        node = ast.parse(inspect.getsource(function)).body[0]
        assert isinstance(node, ast.FunctionDef)
        if name in _PLAINER:
            node = ast.parse(_PLAINER[name]).body[0]
            assert isinstance(node, ast.FunctionDef)
        self.found[own] = node  # before its body is read: it may call itself
        node.name = own
        node.decorator_list = [_dotted("triton.jit")]
        if node.body and isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant):
            node.body = node.body[1:]
        node.body = [_OfHelpers(self, vars(triton_helpers)).visit(part) for part in node.body]
        self.found[own] = self.found.pop(own)  # after what it calls
        return own


class _OfHelpers(ast.NodeTransformer):
    """The same inside a helper, where other helpers have bare names."""

    def __init__(self, helpers: _Helpers, scope: dict[str, Any]) -> None:
        self._helpers, self._scope = helpers, scope

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        owner = ast.unparse(node.value)
        if owner == "math":
            return _dotted(f"tl.{node.attr}" if hasattr(tl, node.attr) else f"tl.math.{node.attr}")
        if owner == "libdevice":
            self._helpers.libdevice = True
        self.generic_visit(node)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if ast.unparse(node.func) == "tl.core.get_int_dtype":
            width = ast.unparse(self.visit([*node.args, *(k.value for k in node.keywords if k.arg == "bitwidth")][0]))
            signed = all(ast.literal_eval(k.value) for k in node.keywords if k.arg == "signed")
            word = "tl.int" if signed else "tl.uint"
            return _dotted(
                f"{word}8 if {width} == 8 else {word}16 if {width} == 16 else {word}32 if {width} == 32 else {word}64"
            )
        if ast.unparse(node.func) == "_log2":  # of a block's width, while Triton compiles
            width = ast.unparse(self.visit(node.args[0]))
            return _dotted(" + ".join(f"({width} > {1 << power})" for power in range(_MOST_BITS)))
        self.generic_visit(node)
        return node

    def visit_Name(self, node: ast.Name) -> ast.expr:
        value = self._scope.get(node.id)
        if hasattr(value, "fn") and hasattr(value, "arg_names"):
            return ast.Name(self._helpers._inlined(node.id), ast.Load())
        if isinstance(value, tl.constexpr):
            return ast.Constant(value.value)
        return node


def _dotted(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _opened(function: ast.FunctionDef) -> bool:
    """Makes a block as wide as an open size a parameter."""
    for node in function.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Constant) and node.value.value == OPEN_BLOCK:
            function.body.remove(node)
            function.args.args.append(ast.arg(ast.unparse(node.target), _dotted("tl.constexpr")))
            return True
    return False


def _sizes_as_numbers(function: ast.FunctionDef) -> None:
    """A size of 1 reaches a kernel as a constant, which has no method `to`, and which cannot be broadcast."""
    sizes = {a.arg for a in function.args.args if a.arg.startswith("ks") or a.arg.endswith("numel")}

    def of_sizes(node: ast.expr) -> bool:
        names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        return bool(names) and names <= sizes

    class Cast(ast.NodeTransformer):
        def visit_Call(self, node: ast.Call) -> ast.expr:
            self.generic_visit(node)
            method = node.func
            if isinstance(method, ast.Attribute) and method.attr == "to" and of_sizes(method.value):
                return ast.Call(_dotted("tl.cast"), [method.value, *node.args], node.keywords)
            if ast.unparse(method) == "tl.broadcast_to" and of_sizes(node.args[0]):
                return ast.Call(_dotted("tl.full"), [node.args[1], node.args[0], _dotted("tl.int64")], [])
            return node

    function.body = [Cast().visit(node) for node in function.body]


def _without_dead_names(function: ast.FunctionDef) -> None:
    """Leaves out what is assigned and never read."""
    while True:
        read = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        if not _drop(function, read):
            return


def _drop(parent: Any, read: set[str]) -> bool:
    kept = [node for node in parent.body if not _is_dead(node, read)]
    changed = len(kept) < len(parent.body)
    parent.body = kept
    return any([changed, *(_drop(node, read) for node in kept if isinstance(node, ast.For | ast.While | ast.If))])


def _is_dead(node: ast.stmt, read: set[str]) -> bool:
    if isinstance(node, ast.AnnAssign):
        targets: list[ast.expr] = [node.target]
    elif isinstance(node, ast.Assign):
        targets = node.targets
    else:
        return False
    plain = all(isinstance(target, ast.Name) and target.id not in read for target in targets)
    return plain and not any(isinstance(n, ast.Call) and "atomic" in ast.unparse(n.func) for n in ast.walk(node))
