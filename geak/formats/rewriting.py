"""What other benchmarks keep beside a module, written into its file as KernelBench would have it; text to text."""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from geak.drafting import DraftError


@dataclass(frozen=True)
class Passed:
    """One argument of a call, as source."""

    name: str
    text: str
    tensor: bool = False


def with_inputs(tree: ast.Module, passed: Sequence[Passed], module: str = "Model") -> str:
    """A file whose `forward` takes the tensors that are passed; whatever else is passed is settled in its body."""
    tree = copy.deepcopy(tree)
    forward = method(tree, module, "forward")
    taken = [*forward.args.posonlyargs, *forward.args.args][1:] + forward.args.kwonlyargs
    defaults = _defaults(forward.args)
    by_name = {one.name: one for one in passed}
    if not {argument.arg for argument in taken} <= by_name.keys() | defaults.keys():  # by their places
        by_name = {argument.arg: one for argument, one in zip(taken, passed, strict=False)}
    tensors, settled = [], []
    for argument in taken:
        given = by_name.get(argument.arg)
        if given is not None and given.tensor:
            tensors.append((argument, given))
        elif given is not None:
            settled.append(f"{argument.arg} = {given.text}")
        elif argument.arg in defaults:
            settled.append(f"{argument.arg} = {ast.unparse(defaults[argument.arg])}")
        else:
            raise DraftError(f"nothing says what is passed for {argument.arg}")
    own = [*forward.args.posonlyargs, *forward.args.args][:1]
    forward.args = ast.arguments([], [*own, *(argument for argument, _ in tensors)], None, [], [], None, [])
    forward.body[_doc(forward) : _doc(forward)] = ast.parse("\n".join(settled)).body
    example = f"def get_inputs():\n    return [{', '.join(one.text for _, one in tensors)}]"
    tree.body = [*_without(tree, ("get_inputs", "get_input_groups")), *ast.parse(example).body]
    return ast.unparse(ast.fix_missing_locations(tree))


def with_settings(tree: ast.Module, settings: Mapping[str, object], module: str = "Model") -> str:
    """A file whose sizes are constants: `settings` for the arguments of get_inputs and of the constructor by name."""
    tree = copy.deepcopy(tree)
    forward = method(tree, module, "forward")
    init = next((n for n in _class(tree, module).body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
    example = next((n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "get_inputs"), None)
    if example is None:
        raise DraftError("it has no get_inputs")
    built = [a.arg for a in init.args.args[1:]] if init is not None else []
    values: dict[str, str] = {}
    for arguments in filter(None, (init.args if init is not None else None, example.args)):
        values |= {name: ast.unparse(default) for name, default in _defaults(arguments).items()}
    values |= {name: repr(value) for name, value in settings.items()}
    if missing := [name for name in (*built, *(a.arg for a in example.args.args)) if name not in values]:
        raise DraftError(f"nothing says what {', '.join(missing)} is")
    example.args = ast.arguments([], [], None, [], [], None, [])
    _inlined(forward)
    constants = "\n".join(f"{name} = {text}" for name, text in values.items())
    passed = f"def get_init_inputs():\n    return [{', '.join(built)}]"
    rest = _without(tree, ("get_inputs", "get_init_inputs"))
    tree.body = [*rest, *ast.parse(constants).body, example, *ast.parse(passed).body]
    return ast.unparse(ast.fix_missing_locations(tree))


def method(tree: ast.Module, module: str, name: str) -> ast.FunctionDef:
    """A method of a class of the file."""
    found = next((n for n in _class(tree, module).body if isinstance(n, ast.FunctionDef) and n.name == name), None)
    if found is None:
        raise DraftError(f"its class {module} has no {name}")
    return found


def _class(tree: ast.Module, name: str) -> ast.ClassDef:
    found = next((n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name), None)
    if found is None:
        raise DraftError(f"it has no class {name}")
    return found


def _inlined(forward: ast.FunctionDef) -> None:
    """Takes out the arguments that stand for a function of the file, such as `fn=forward_fn`, and calls it by name."""
    named = {n: d.id for n, d in _defaults(forward.args).items() if isinstance(d, ast.Name)}
    kept = [a for a in forward.args.args if a.arg not in named]
    gone = len(forward.args.args) - len(kept)
    forward.args.args, forward.args.defaults = kept, forward.args.defaults[: len(forward.args.defaults) - gone]
    for node in ast.walk(forward):
        if isinstance(node, ast.Name) and node.id in named:
            node.id = named[node.id]


def _defaults(arguments: ast.arguments) -> dict[str, ast.expr]:
    plain = [*arguments.posonlyargs, *arguments.args]
    found = {a.arg: d for a, d in zip(reversed(plain), reversed(arguments.defaults), strict=False)}
    return found | {a.arg: d for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d is not None}


def _doc(function: ast.FunctionDef) -> int:
    return int(ast.get_docstring(function, clean=False) is not None)


def _without(tree: ast.Module, names: tuple[str, ...]) -> list[ast.stmt]:
    return [n for n in tree.body if not (isinstance(n, ast.FunctionDef) and n.name in names)]
