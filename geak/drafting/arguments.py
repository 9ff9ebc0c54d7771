"""What each argument of a function is: a tensor, a number, a bundle of settings, or nothing a spec can pass."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import Literal

from geak.drafting.draft import DraftError
from geak.drafting.hints import Hint, hints
from geak.drafting.source import Function, Source, dotted
from geak.drafting.usage import FLOATS, by_name, is_name, is_tensor

Kind = Literal["tensor", "int", "float", "bool", "numbers", "bound", "bundle"]

_CONFIGS = frozenset(["config", "cfg", "conf", "args", "opts", "options", "hparams", "params"])
RANDOM = re.compile(r"dropout|drop_p|^p_drop|drop_rate")


@dataclass
class Argument:
    """One argument, and what the drafted spec does with it."""

    name: str
    kind: Kind
    default: ast.expr | None = None
    optional: bool = False
    hint: Hint = field(default_factory=Hint)
    passed: str = ""
    """For `numbers`, `bound` and `bundle`: the expression that stands in; "" leaves the default."""
    fields: tuple[Argument, ...] = ()
    question: str = ""
    keyword_only: bool = False
    role: str = ""
    """For a tensor: "index" or "offsets", where its use says so."""
    into: tuple[str, int] | None = None
    """And the tensor and the dimension that it points into."""
    rank: int = 0
    """How many dimensions it looks like, where nothing says how many it has."""
    twins: tuple[str, ...] = ()
    """Tensors that are used as it is."""
    like: str = ""
    """The tensor whose strides it is addressed with."""
    extent: str = ""
    """For a vector: its size, by the name that the code has for it."""
    fixed: bool = False
    """A number that stays as it is: no size that could be another one."""

    @property
    def literal(self) -> object:
        """The default as a value; None where there is none."""
        try:
            return ast.literal_eval(self.default) if self.default is not None else None
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return None


def arguments(source: Source, function: Function, skip: int = 0, also: tuple[ast.AST, ...] = ()) -> list[Argument]:
    """The arguments of a function in order, without the first `skip` (self, ctx)."""
    spec = function.args
    where = f"{source.path}:{function.lineno}"
    if spec.vararg is not None or spec.kwarg is not None:
        star = f"*{spec.vararg.arg}" if spec.vararg is not None else f"**{spec.kwarg.arg}"  # type: ignore[union-attr]
        raise DraftError(f"{where}: {function.name} takes {star}; a spec needs every argument by name")
    plain = [*spec.posonlyargs, *spec.args]
    defaults: dict[str, ast.expr | None] = dict(
        zip((a.arg for a in reversed(plain)), reversed(spec.defaults), strict=False)
    )
    defaults |= {a.arg: d for a, d in zip(spec.kwonlyargs, spec.kw_defaults, strict=True)}
    every = [*plain[skip:], *spec.kwonlyargs]
    known = hints(source, function, [a.arg for a in every], also)
    result = []
    for arg in every:
        argument = _classified(source, function, arg, defaults.get(arg.arg), known[arg.arg])
        argument.keyword_only = arg in spec.kwonlyargs
        result.append(argument)
    return result


def _classified(source: Source, function: Function, arg: ast.arg, default: ast.expr | None, hint: Hint) -> Argument:
    name = arg.arg
    said = ast.unparse(arg.annotation).strip("'\"") if arg.annotation is not None else ""
    optional = isinstance(default, ast.Constant) and default.value is None
    made = Argument(name, "tensor", default, optional or "Optional" in said or "None" in said, hint)
    bundle = _bundle(source, function, arg, default)
    if bundle is not None:
        return bundle
    if re.search(r"\b(list|List|Sequence|Tuple|tuple|Iterable)\[[^\]]*Tensor", said):
        made.kind = "bundle"
        made.fields = tuple(Argument(f"{name}_{i}", "tensor", hint=hint) for i in (0, 1))
        made.passed = f"[{name}_0, {name}_1]" if "uple" not in said else f"({name}_0, {name}_1)"
        made.question = f"{name} is a sequence of tensors; two are drafted"
        return made
    if made.optional and name in ("out", "output", "generator"):
        return _bound(made, "", "")
    if "Tensor" in said or hint.shape is not None:
        return made
    if RANDOM.search(name) and not said.startswith(("torch", "Optional")):
        return _bound(made, "" if default is not None else "0.0", f"{name} is left at nothing random")
    base = re.sub(r"Optional\[(.*)\]|\s*\|\s*None|None\s*\|\s*", lambda m: m.group(1) or "", said)
    value = made.literal
    if made.optional and (base in ("int", "float", "bool", "str") or (not said and not is_tensor(function, name))):
        return _bound(made, "" if default is not None else "None", f"{name} is left at None")
    kind: dict[str, Kind] = {"int": "int", "float": "float", "bool": "bool"}
    if base in kind:
        made.kind = kind[base]
    elif isinstance(value, bool):
        made.kind = "bool"
    elif isinstance(value, int | float):
        made.kind = "int" if isinstance(value, int) else "float"
        if made.kind == "int" and name in FLOATS:
            made.kind = "float"
    elif default is not None and not made.optional:
        return _bound(made, "", f"{name} is left at {ast.unparse(default)}")
    elif said and base not in ("Any", "object", "") and not is_tensor(function, name):
        return _bound(made, _literal_choice(arg.annotation), f"{name} ({said}) is nothing that a spec can pass")
    elif not is_tensor(function, name):
        made.kind = by_name(function, name)
        made.question = f"{name} is taken for {'a tensor' if made.kind == 'tensor' else 'one ' + made.kind}"
    if made.kind == "bool" and (name in ("training", "inplace", "return_dict") or name.startswith("return_")):
        return _bound(made, "" if default is not None else "False", f"{name} is left at {value or False}")
    return made


def _bound(made: Argument, passed: str, question: str) -> Argument:
    made.kind, made.passed, made.question = "bound", passed, question
    made.optional = False
    return made


def _literal_choice(node: ast.expr | None) -> str:
    if isinstance(node, ast.Subscript) and dotted(node.value).endswith("Literal"):
        first = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) else node.slice
        return ast.unparse(first)
    text = ast.unparse(node) if node is not None else ""
    return "torch.float32" if text.endswith("dtype") else "None"


def _bundle(source: Source, function: Function, arg: ast.arg, default: ast.expr | None) -> Argument | None:
    """A configuration object or a dictionary: what is read of it becomes arguments of their own."""
    keys = _keys(function, arg.arg)
    if keys:
        made = tuple(Argument(key, "tensor", question=f"{key} of {arg.arg} is taken for a tensor") for key in keys)
        passed = "{" + ", ".join(f'"{key}": {key}' for key in keys) + "}"
        return Argument(arg.arg, "bundle", default, passed=passed, fields=made)
    said = dotted(arg.annotation).rsplit(".", 1)[-1] if arg.annotation is not None else ""
    node = source.classes.get(said)
    declared = {
        s.target.id: s
        for s in (node.body if node is not None else [])
        if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)
    }
    if not declared and (arg.arg not in _CONFIGS or (said and source.classes.get(said) is not None)):
        return None
    read = _attributes(source, function, arg.arg)
    if not declared and not read:
        return None
    fields = []
    for name in read if read else declared:
        statement = declared.get(name)
        if declared and statement is None:
            continue  # a property or a method of theirs
        part = ast.arg(arg=name, annotation=statement.annotation if statement is not None else None)
        item = _classified(source, _EMPTY, part, statement.value if statement is not None else None, Hint())
        if item.kind == "tensor" and statement is None:
            item.kind = by_name(_EMPTY, name) if by_name(_EMPTY, name) != "tensor" else "int"
            item.question = f"{name} is taken for one {item.kind}"
        fields.append(item)
    for statement_name, statement in declared.items():
        if statement.value is None and statement_name not in {f.name for f in fields}:
            part = ast.arg(arg=statement_name, annotation=statement.annotation)
            fields.append(_classified(source, _EMPTY, part, None, Hint()))
    given = [f"{f.name}={f.passed or f.name}" for f in fields if f.kind != "bound" or f.passed]
    maker = said if declared else "SimpleNamespace"
    kept = tuple(f for f in fields if f.kind != "bound" or f.question)
    return Argument(arg.arg, "bundle", default, passed=f"{maker}({', '.join(given)})", fields=kept)


_EMPTY: ast.FunctionDef = next(n for n in ast.parse("def _(): pass").body if isinstance(n, ast.FunctionDef))


def _keys(function: Function, name: str) -> list[str]:
    """The keys by which an argument is read, where they are names."""
    found: dict[str, None] = {}
    taken = {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}
    for node in ast.walk(function):
        if isinstance(node, ast.Subscript) and is_name(node.value, name) and isinstance(node.slice, ast.Constant):
            key = node.slice.value
            if isinstance(key, str) and key.isidentifier() and key not in taken:
                found[key] = None
    return list(found)


def _attributes(source: Source, function: Function, name: str) -> list[str]:
    """The attributes of an argument that are read, also by helpers it is handed to."""
    found: dict[str, None] = {}
    todo: list[tuple[ast.AST, str]] = [(function, name)]
    seen: set[tuple[int, str]] = set()
    while todo:
        node, called = todo.pop(0)
        if (id(node), called) in seen:
            continue
        seen.add((id(node), called))
        for part in ast.walk(node):
            if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == called:
                found[part.attr] = None
            if isinstance(part, ast.Call):
                todo += _handed(source, part, called)
    return list(found)


def _handed(source: Source, call: ast.Call, name: str) -> list[tuple[ast.AST, str]]:
    called = dotted(call.func)
    target: Function | None = source.functions.get(called)
    shift = 0
    if called in source.classes:
        body = source.classes[called].body
        target = next((s for s in body if isinstance(s, Function) and s.name == "__init__"), None)
        shift = 1
    if target is None:
        return []
    plain = [*target.args.posonlyargs, *target.args.args]
    result: list[tuple[ast.AST, str]] = []
    for i, given in enumerate(call.args):
        if isinstance(given, ast.Name) and given.id == name and i + shift < len(plain):
            result.append((target, plain[i + shift].arg))
    result += [(target, k.arg) for k in call.keywords if k.arg and isinstance(k.value, ast.Name) and k.value.id == name]
    return result
