"""Where kernels are launched, what they store through, and which of the wrapper's arguments that reaches."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterator

from geak.drafting.source import Function, Source, dotted

_JIT = ("triton.jit", "jit", "triton.autotune", "autotune", "triton.heuristics", "heuristics")
_STORES = ("store", "atomic_add", "atomic_max", "atomic_min", "atomic_xchg", "atomic_cas", "atomic_and", "atomic_or",
           "atomic_xor", "store_tensor_descriptor")  # fmt: skip
_VIEWS = frozenset(
    [
        "view",
        "reshape",
        "contiguous",
        "flatten",
        "transpose",
        "permute",
        "t",
        "squeeze",
        "unsqueeze",
        "expand",
        "view_as",
        "data",
        "T",
        "mT",
        "detach",
        "unbind",
        "narrow",
        "select",
        "movedim",
        "swapaxes",
        "chunk",
        "split",
        "requires_grad_",
    ]
)


def is_kernel(node: Function) -> bool:
    """Whether a function is compiled by Triton."""
    return any(dotted(d) in _JIT[:2] for d in node.decorator_list)


def launches(source: Source, node: ast.AST, around: ast.AST | None = None) -> list[tuple[Function, ast.Call]]:
    """The launches `kernel[grid](...)` in a function, or in a part of one."""
    names = _aliases(source, around or node)
    found = []
    for part in ast.walk(node):
        if not isinstance(part, ast.Call):
            continue
        called = ""
        if isinstance(part.func, ast.Subscript) or (
            isinstance(part.func, ast.Attribute) and part.func.attr in ("run", "warmup")
        ):
            called = dotted(part.func.value)
        kernel = source.functions.get(names.get(called, called))
        if kernel is not None and is_kernel(kernel):
            found.append((kernel, part))
    return found


def _aliases(source: Source, node: ast.AST) -> dict[str, str]:
    """`tuned = triton.autotune(...)(kernel)`, `kernel = a_kernel if fast else b_kernel`."""
    names: dict[str, str] = {}
    for part in [*source.tree.body, *ast.walk(node)]:
        if isinstance(part, ast.Assign) and isinstance(part.targets[0], ast.Name):
            inner = [n.id for n in ast.walk(part.value) if isinstance(n, ast.Name) and n.id in source.functions]
            jitted = [n for n in inner if is_kernel(source.functions[n])]
            if jitted:
                names[part.targets[0].id] = jitted[0]
            elif isinstance(part.value, ast.Call) and dotted(part.value) in _JIT and inner:
                names[part.targets[0].id] = inner[0]
    return names


def apply_target(source: Source, node: ast.expr) -> Function | None:
    """The `forward` behind `Name.apply`, where it is an autograd Function that launches."""
    if not (isinstance(node, ast.Attribute) and node.attr == "apply"):
        return None
    owner = source.classes.get(dotted(node.value))
    if owner is None:
        return None
    forward = next((s for s in owner.body if isinstance(s, ast.FunctionDef) and s.name == "forward"), None)
    if forward is None or not _launches_somewhere(source, forward, set()):
        return None
    return forward


def _launches_somewhere(source: Source, node: Function, seen: set[str]) -> bool:
    if launches(source, node):
        return True
    called = {dotted(p.func) for p in ast.walk(node) if isinstance(p, ast.Call)} - seen
    inner = [source.functions[c] for c in called if c in source.functions]
    return any(_launches_somewhere(source, f, seen | called) for f in inner)


def stored(source: Source, kernel: Function, seen: frozenset[str] = frozenset()) -> set[str]:
    """The arguments of a kernel that it stores through."""
    arguments = [a.arg for a in [*kernel.args.posonlyargs, *kernel.args.args, *kernel.args.kwonlyargs]]
    roots: dict[str, set[str]] = {a: {a} for a in arguments}

    def reach(node: ast.AST | None) -> set[str]:
        """The arguments whose address a pointer expression starts from: not those it is merely offset by."""
        if isinstance(node, ast.Name):
            return roots.get(node.id, set())
        if isinstance(node, ast.BinOp):
            return reach(node.left) | reach(node.right) if isinstance(node.op, ast.Add | ast.Sub) else set()
        if isinstance(node, ast.Call):
            name = dotted(node.func).rsplit(".", 1)[-1] or (
                node.func.attr if isinstance(node.func, ast.Attribute) else ""
            )
            if name in ("load", "dot", "arange", "program_id", "sum", "where", "num_programs"):
                return set()
            base = next((k.value for k in node.keywords if k.arg == "base"), node.args[0] if node.args else None)
            inner = reach(node.func.value) if isinstance(node.func, ast.Attribute) else set()
            return inner | reach(base)
        if isinstance(node, ast.IfExp):
            return reach(node.body) | reach(node.orelse)
        return set()

    for _ in range(2):  # a second time for what a loop carries round
        for part in ast.walk(kernel):
            if isinstance(part, ast.Assign) and len(part.targets) == 1 and isinstance(part.targets[0], ast.Name):
                name = part.targets[0].id
                roots[name] = roots.get(name, set()) | reach(part.value)
            elif isinstance(part, ast.AugAssign) and isinstance(part.target, ast.Name):
                roots[part.target.id] = roots.get(part.target.id, set()) | reach(part.value)
    result: set[str] = set()
    for part in ast.walk(kernel):
        if not isinstance(part, ast.Call):
            continue
        name = dotted(part.func)
        if name.rsplit(".", 1)[-1] in _STORES and (name.startswith(("tl.", "triton.")) or "." not in name):
            base = part.args[0] if part.args else next((k.value for k in part.keywords if k.arg == "pointer"), None)
            result |= reach(base)
        elif isinstance(part.func, ast.Attribute) and part.func.attr == "store" and not name.startswith("tl."):
            result |= reach(part.func.value)
        elif name in source.functions and name not in seen and is_kernel(source.functions[name]):
            inner = source.functions[name]
            through = stored(source, inner, seen | {name, kernel.name})
            for given, value in bound(inner, part).items():
                if given in through:
                    result |= reach(value)
    # An offset that is added to a pointer is reached too; what is never loaded or stored through directly stays out.
    return {r for r in result & set(arguments) if not _is_number(kernel, r)}


def blocks(kernel: Function) -> set[str]:
    """The arguments of a kernel that are the end of a `tl.arange` as they stand."""
    ends = [node.args[-1] for node in ast.walk(kernel)
            if isinstance(node, ast.Call) and dotted(node.func) == "tl.arange" and node.args]  # fmt: skip
    return {end.id for end in ends if isinstance(end, ast.Name)}


def _is_number(kernel: Function, name: str) -> bool:
    """Whether an argument is a size or a stride: annotated constexpr or int, or multiplied or compared."""
    for arg in [*kernel.args.args, *kernel.args.kwonlyargs]:
        if arg.arg == name and arg.annotation is not None:
            said = ast.unparse(arg.annotation)
            return "constexpr" in said or said.strip("'\"").startswith(("int", "tl.int", "i32", "i64"))
    lowered = name.lower()
    if lowered.startswith(("stride", "n_", "num_", "block")) or "stride" in lowered:
        return True
    for part in ast.walk(kernel):
        sides: list[ast.expr] = []
        if isinstance(part, ast.BinOp) and not isinstance(part.op, ast.Add | ast.Sub):
            sides = [part.left, part.right]
        elif isinstance(part, ast.Compare) and not isinstance(part.ops[0], ast.Is | ast.IsNot):
            sides = [part.left, *part.comparators]
        if any(isinstance(s, ast.Name) and s.id == name for s in sides):
            return True
    return False


def bound(function: Function, call: ast.Call) -> dict[str, ast.expr]:
    """What a call gives for each argument; after `*more` only what is given by name is known."""
    names = [a.arg for a in [*function.args.posonlyargs, *function.args.args]]
    values = dict(zip(names, itertools.takewhile(lambda a: not isinstance(a, ast.Starred), call.args), strict=False))
    values.update({k.arg: k.value for k in call.keywords if k.arg})
    return values


def written(source: Source, wrapper: Function, kernels: dict[str, Function]) -> list[str]:
    """The arguments of a wrapper that change: a kernel stores through them, or the wrapper itself writes them."""
    names = [a.arg for a in [*wrapper.args.posonlyargs, *wrapper.args.args, *wrapper.args.kwonlyargs]]
    changed = _written(source, wrapper, kernels, frozenset())
    return [n for n in names if n in changed]


def _written(source: Source, wrapper: Function, kernels: dict[str, Function], seen: frozenset[int]) -> set[str]:
    if id(wrapper) in seen:
        return set()
    names = [a.arg for a in [*wrapper.args.posonlyargs, *wrapper.args.args, *wrapper.args.kwonlyargs]]
    roots: dict[str, set[str]] = {n: {n} for n in names}

    def reach(node: ast.AST | None) -> set[str]:
        if isinstance(node, ast.Name):
            return roots.get(node.id, set())
        if isinstance(node, ast.Attribute):
            return reach(node.value) if node.attr in _VIEWS else set()
        if isinstance(node, ast.Subscript):
            return reach(node.value)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            return reach(node.func.value) if node.func.attr in _VIEWS else set()
        if isinstance(node, ast.IfExp):
            return reach(node.body) | reach(node.orelse)
        return set()

    changed: set[str] = set()
    for part, guarded in _in_order(wrapper.body):
        if isinstance(part, ast.Assign):
            for target in part.targets:
                if isinstance(target, ast.Name):
                    before = roots.get(target.id, set()) if guarded else set()
                    roots[target.id] = reach(part.value) | before
                elif isinstance(target, ast.Tuple) and isinstance(part.value, ast.Tuple):
                    for name, value in zip(target.elts, part.value.elts, strict=False):
                        if isinstance(name, ast.Name):
                            roots[name.id] = reach(value) | (roots.get(name.id, set()) if guarded else set())
                elif isinstance(target, ast.Subscript):
                    changed |= reach(target.value)
        elif isinstance(part, ast.AugAssign):
            changed |= reach(part.target)
        for call in _calls(part):
            changed |= _by_call(source, wrapper, call, kernels, seen | {id(wrapper)}, reach)
    return changed


def _by_call(
    source: Source,
    wrapper: Function,
    call: ast.Call,
    kernels: dict[str, Function],
    seen: frozenset[int],
    reach: Callable[[ast.AST | None], set[str]],
) -> set[str]:
    """What one call of a wrapper writes: by a launch, by an in-place method, by another wrapper."""
    changed: set[str] = set()
    for kernel, launch in launches(source, call, wrapper):
        if launch is not call:
            continue
        through = stored(source, kernel)
        for name, given in bound(kernel, call).items():
            changed |= reach(given) if name in through else set()
    if isinstance(call.func, ast.Attribute):
        name = call.func.attr
        if name.endswith("_") and not name.startswith("_") and name != "requires_grad_":
            changed |= reach(call.func.value)
    inner = source.functions.get(dotted(call.func)) or apply_target(source, call.func)
    alias = source.constants.get(dotted(call.func))
    if inner is None and isinstance(alias, ast.Assign):
        inner = apply_target(source, alias.value)
    if inner is not None and inner.name not in kernels:
        written_there = _written(source, inner, kernels, seen)
        names = [a.arg for a in [*inner.args.posonlyargs, *inner.args.args]]
        shift = 1 if names[:1] == ["ctx"] else 0
        values = dict(zip(names[shift:], call.args, strict=False))
        values.update({k.arg: k.value for k in call.keywords if k.arg})
        for name, given in values.items():
            changed |= reach(given) if name in written_there else set()
    return changed


def _in_order(body: list[ast.stmt], guarded: bool = False) -> Iterator[tuple[ast.stmt, bool]]:
    """Statements as they stand, and whether each may be passed over."""
    for node in body:
        yield node, guarded
        for name in ("body", "orelse", "finalbody"):
            inner = getattr(node, name, [])
            if inner and not isinstance(node, ast.FunctionDef | ast.ClassDef):
                yield from _in_order(inner, guarded or isinstance(node, ast.If))


def _calls(part: ast.stmt) -> list[ast.Call]:
    """The calls in a statement itself, without those of the statements inside it."""
    todo: list[ast.AST] = [c for c in ast.iter_child_nodes(part) if not isinstance(c, ast.stmt)]
    found = []
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Call):
            found.append(node)
        todo += [c for c in ast.iter_child_nodes(node) if not isinstance(c, ast.stmt)]
    return found
