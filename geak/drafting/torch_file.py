"""Drafts a spec from a PyTorch function or module."""

from __future__ import annotations

import ast
import builtins
import itertools
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from geak.drafting import source as files
from geak.drafting.arguments import Argument, arguments
from geak.drafting.declaring import sketch
from geak.drafting.draft import Draft, DraftError
from geak.drafting.example import follow, own_sizes
from geak.drafting.infer import read
from geak.drafting.layers import find
from geak.drafting.render import spec_text, tuple_text, uses
from geak.drafting.shapes import Reader
from geak.drafting.sketch import USUAL, Sketch, Wanted
from geak.drafting.source import Definition, Function, Source, dotted

NOT_MEANT = re.compile(r"^(test_|bench|main$|get_inputs$|get_init_inputs$|_|run_|check_|setup|plot|profile)")
_HEAVY = ("torch", "math", "numpy", "functools", "typing", "dataclasses", "collections", "itertools", "enum", "types",
          "__future__", "operator", "abc", "typing_extensions")  # fmt: skip


def from_torch(
    path: Path, function: str | None = None, entry: str = "", *, wanted: Wanted = USUAL, text: str = ""
) -> Draft:
    """Drafts a spec from a function or an `nn.Module` class of a Python file, which is parsed and never run.

    `entry` is what a kernel file must define, where it is called otherwise than the function; `text` stands for what
    the file holds.
    """
    source = files.read_text(Path(path), text) if text else files.read(Path(path))
    target = pick(source, function, _candidates(source))
    if isinstance(target, ast.AsyncFunctionDef):
        raise DraftError(f"{path}:{target.lineno}: {target.name} is asynchronous; a reference is an ordinary function")
    draft = _module if isinstance(target, ast.ClassDef) else _function
    return draft(source, target, entry, wanted)  # type: ignore[arg-type]


def is_module(source: Source, node: ast.ClassDef) -> bool:
    """Whether a class is an `nn.Module`, directly or through a base in its file."""
    for base in node.bases:
        name = dotted(base)
        if name.rsplit(".", 1)[-1] in ("Module", "LightningModule"):
            return True
        inner = source.classes.get(name)
        if inner is not None and inner is not node and is_module(source, inner):
            return True
    return False


def _candidates(source: Source) -> list[Definition]:
    modules = [c for c in source.classes.values() if is_module(source, c)]
    return [*source.functions.values(), *modules]


def pick(source: Source, name: str | None, candidates: list[Definition]) -> Definition:
    """The definition that is asked for, or the only one that can be meant."""
    public = [c for c in candidates if not NOT_MEANT.match(c.name)]
    listed = ", ".join(c.name for c in sorted(public or candidates, key=lambda c: c.lineno)) or "none"
    if name is not None:
        found = next((c for c in candidates if c.name == name), None)
        if found is None:
            raise DraftError(f"{source.path} has no {name!r} to draft from; it has {listed}")
        return found
    inner = {n for c in public for n in files.used(c) if n != c.name}
    top = [c for c in public if c.name not in inner]
    modules = [c for c in top if isinstance(c, ast.ClassDef)]
    if len(modules) == 1 and any(f in source.functions for f in ("get_inputs", "get_init_inputs")):
        return modules[0]
    for chosen in (public, top):
        if len(chosen) == 1:
            return chosen[0]
    if not candidates:
        raise DraftError(f"{source.path} defines no function and no torch.nn.Module to draft from")
    if not public:
        raise DraftError(f"{source.path}: nothing in it looks like the operation; name one of {listed}")
    raise DraftError(f"{source.path} has several to draft from: {listed}; name one")


def _function(source: Source, node: ast.FunctionDef, entry: str, wanted: Wanted) -> Draft:
    given = arguments(source, node, also=(source.tree,))
    follow(source, [], given)
    reading = read(source, node, given, None, [])
    made = sketch(reading, given, [], wanted, own_sizes(source, [], given) if wanted.by_example else {})
    strange = _strange(node)
    simple = all(a.kind not in ("bound", "bundle") for a in given) and not node.args.posonlyargs and not strange
    body, imports, missing = _needed(source, node, given)
    texts = [_definition(source, s, node if simple else None, "reference") for s in body]
    changed = [n for n in made.inputs if n in reading.stores]
    more = [f"changes={tuple_text(changed)}"] if changed else []
    if wanted.wrt:
        more += ['contract="gradient"', f"wrt={tuple_text(list(wanted.wrt))}"]
    if not simple:
        texts.append(_wrapper(node.name, given, made))
    if any(_generator(s) for s in node.body):
        made.ask("inputs", f"{node.name} yields; a reference returns its outputs")
    return _draft(source, node, made, imports, missing, texts, more, entry)


def _generator(node: ast.AST) -> bool:
    return any(isinstance(n, ast.Yield | ast.YieldFrom) for n in ast.walk(node))


def _strange(node: Definition) -> bool:
    """Whether a decorator of theirs may change what the function takes."""
    plain = ("torch.no_grad", "torch.inference_mode", *files._COMPILERS)
    return any(dotted(d) not in plain for d in node.decorator_list)


def _module(source: Source, node: ast.ClassDef, entry: str, wanted: Wanted) -> Draft:
    reader = Reader(source)
    forward, init = find(reader, node, "forward"), find(reader, node, "__init__")
    if forward is None:
        raise DraftError(f"{source.path}:{node.lineno}: {node.name} has no forward")
    if wanted is USUAL and init is not None:  # its parameters are made as fp32, and most layers mix no formats
        wanted = replace(wanted, formats=("fp32",))
    given = arguments(source, forward, skip=1, also=(node,))
    if init is not None and "get_init_inputs" in source.functions:  # it passes nothing beyond the arguments with names
        init.args.vararg = init.args.kwarg = None
    built = arguments(source, init, skip=1) if init is not None else []
    follow(source, built, given)
    for argument in built:
        if argument.kind == "tensor":
            argument.kind, argument.passed = "bound", "None" if argument.default is None else ""
            argument.question = f"the constructor's {argument.name} is nothing that a spec can pass"
    own = own_sizes(source, built, given)
    for argument in given if wanted.by_example else ():
        if argument.kind == "tensor" and argument.optional and argument.name not in own:
            argument.kind, argument.passed, argument.question = "bound", "", ""  # the example leaves it out
    made = sketch(read(source, forward, given, node, built), given, built, wanted, own)
    plain = all(a.kind not in ("bound", "bundle") for a in given) and not any(map(_settled, built))
    simple = plain and not _strange(node)
    body, imports, missing = _needed(source, node, [*given, *built])
    texts = [_definition(source, s, node if simple else None, "Reference") for s in body]
    if not simple:
        texts.append(_subclass(node.name, given, built, made))
    return _draft(source, node, made, imports, missing, texts, ['contract="module"'], entry)


def _settled(argument: Argument) -> bool:
    """Whether an argument of the constructor has a value that no spec can pass."""
    return argument.kind == "bundle" or (argument.kind == "bound" and bool(argument.passed))


def _needed(source: Source, node: Definition, given: list[Argument]) -> tuple[list[ast.stmt], list[str], set[str]]:
    makers = [a.passed.split("(")[0] for a in given if a.kind == "bundle" and a.passed[:1].isalpha()]
    known = [m for m in makers if m in source.classes]
    exprs = [ast.parse(a.passed) for a in given if a.kind == "bound" and a.passed]
    body, imports, missing = files.needs(source, [node.name, *known, *(n for e in exprs for n in files.used(e))])
    if "SimpleNamespace" in makers and "SimpleNamespace" not in source.imports:
        imports.append("from types import SimpleNamespace")
    if any(a.passed.startswith("torch.") for a in given) and "import torch" not in imports:
        imports.append("import torch")
    return body, imports, missing


def _definition(source: Source, statement: ast.stmt, target: Definition | None, name: str) -> str:
    return files.renamed(source, statement, target.name, name) if target is not None else source.segment(statement)


def _call(given: list[Argument]) -> str:
    parts = []
    for a in given:
        if a.kind == "bound":
            parts += [f"{a.name}={a.passed}"] if a.passed else []
        else:
            parts.append(f"{a.name}={a.passed if a.kind == 'bundle' else a.name}")
    return ", ".join(parts)


def _wrapper(name: str, given: list[Argument], made: Sketch) -> str:
    call = _call(given)
    positional = [a.passed or a.name for a in given if a.kind != "bound"]
    if all(a.kind != "bound" and not a.keyword_only for a in given):
        call = ", ".join(positional)  # also reaches a function whose arguments have no names
    return f"def reference({', '.join(made.inputs)}):\n    return {name}({call})"


def _subclass(name: str, given: list[Argument], built: list[Argument], made: Sketch) -> str:
    taken = "".join(f", {n}" for n in made.init)
    lines = [f"class Reference({name}):"]
    if any(map(_settled, built)):
        lines += [f"    def __init__(self{taken}):", f"        super().__init__({_call(built)})", ""]
    if any(a.kind in ("bound", "bundle") for a in given):
        inputs = "".join(f", {n}" for n in made.inputs)
        lines += [f"    def forward(self{inputs}):", f"        return super().forward({_call(given)})", ""]
    if len(lines) == 1:
        lines.append("    pass")
    return "\n".join(lines).rstrip()


def _draft(
    source: Source,
    node: Definition,
    made: Sketch,
    imports: list[str],
    missing: set[str],
    texts: list[str],
    more: list[str],
    entry: str,
) -> Draft:
    late = _postponed(source, texts, imports)
    if missing:
        made.ask("inputs", f"{', '.join(sorted(missing))} was not found in {source.path.name}")
    strangers = [line for line in imports if _module_of(line).split(".")[0] not in _HEAVY]
    if strangers:
        made.ask("inputs", f"needs {'; '.join(strangers)}, which the judge may not have")
    name = snake(entry or node.name)
    settings = [*more, f'entry="{entry or node.name}"'] if entry or node.name != name else more
    body = spec_text(made, settings)
    origin = made.wanted.origin or f"Drafted from {source.path.name}:{node.name}; look at what is marked CHECK."
    head = docstring(title(node, name), origin)
    parts = [head, *import_blocks([*imports, *(["from __future__ import annotations"] if late else [])]), uses(body)]
    text = "\n\n".join([*parts, body]) + "\n" + "".join(_spaced(texts))
    fixed = all(axis.axis.min == axis.axis.max or len(axis.choices) == 1 for axis in made.axes)
    return Draft(name, text, made.questions, entry or node.name, fixed, made.own)


def _postponed(source: Source, texts: list[str], imports: list[str]) -> bool:
    """Whether annotations name what the drafted file does not have, and so must not be evaluated."""
    trees = [files.parsed(t) for t in texts]
    known = {d.name for t in trees for d in t.body if isinstance(d, Definition)} | set(dir(builtins))
    known |= {line.split()[-1].split(".")[0] for line in imports}
    earlier = any(line.startswith("from __future__ import annotations") for line in source.lines)
    return earlier or bool({n for t in trees for n in files.annotated(t)} - known)


def import_blocks(lines: list[str]) -> list[str]:
    """Imports in the usual order: the future, the standard library, everybody else."""

    def place(line: str) -> int:
        root = _module_of(line).split(".")[0]
        return 0 if root == "__future__" else 1 if root in sys.stdlib_module_names else 2

    ordered = sorted(set(lines), key=lambda line: (place(line), line.startswith("from"), line))
    return ["\n".join(group) for _, group in itertools.groupby(ordered, place)]


def _spaced(texts: list[str]) -> Iterator[str]:
    """Definitions two lines apart; assignments that follow one another stay together."""
    before = True
    for text in texts:
        defines = isinstance(files.parsed(text).body[0], Definition)
        yield ("\n\n" if defines or before else "") + text + "\n"
        before = defines


def _module_of(line: str) -> str:
    return line.split()[1]


def snake(name: str) -> str:
    """`RMSNorm` as `rms_norm`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return re.sub(r"_+", "_", spaced).lower().strip("_") or name


def title(node: Definition | Function, name: str) -> str:
    """The first sentence of its docstring, or its name in words."""
    doc = (ast.get_docstring(node) or "").strip()
    first = doc.split("\n\n")[0].strip() if doc else ""
    if re.match(r"(?i)(args?|arguments|parameters|inputs?|returns?)\s*:|\w+(, \w+)*\s*[:(]", first):
        first = ""  # it tells of arguments, not of what is wanted
    plain = node.name if isinstance(node, ast.ClassDef) else name.replace("_", " ").capitalize()
    return " ".join(first.split())[:200].rstrip(" .:") or plain


def docstring(first: str, rest: str) -> str:
    """A module's docstring, whatever it holds."""
    text = f"{first}.\n\n{rest}\n".replace("\\", "\\\\").replace('"""', "'''")
    return f'"""{text}"""'
