"""Drafts a spec from a file of Triton kernels and the Python function that launches them."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path

from geak.drafting import source as files
from geak.drafting.arguments import Argument, arguments
from geak.drafting.declaring import sketch
from geak.drafting.dims import Dim, unify
from geak.drafting.draft import Draft, DraftError
from geak.drafting.handed import Use, handed
from geak.drafting.infer import Reading, flat, read
from geak.drafting.launches import apply_target, is_kernel, launches, written
from geak.drafting.render import spec_text, tuple_text
from geak.drafting.render import uses as imports
from geak.drafting.sketch import Sketch
from geak.drafting.source import Definition, Function, Source, dotted
from geak.drafting.torch_file import NOT_MEANT, docstring, is_module, pick, snake, title
from geak.drafting.values import Arr, Seq, Value


def from_kernel(path: Path, function: str | None = None, settings: Sequence[str] = ()) -> Draft:
    """Drafts a spec from a file of `@triton.jit` kernels and their wrapper.

    The original is the oracle, unless the further `settings` of the spec, as source, have another.
    """
    source = files.read(Path(path))
    kernels = {n: f for n, f in source.functions.items() if is_kernel(f)}
    if not kernels:
        raise DraftError(f"{path} has no @triton.jit kernel; a PyTorch function is drafted without a kernel")
    wrappers = _wrappers(source, kernels)
    if not wrappers and not function:
        modules = [c.name for c in source.classes.values() if is_module(source, c)]
        also = f"; {', '.join(modules)} would need a function around it" if modules else ""
        raise DraftError(f"{path} launches none of its kernels ({', '.join(kernels)}) from a function{also}")
    entry, node, skip = _chosen(source, function, wrappers, kernels)
    return _draft(source, entry, node, skip, kernels, settings)


def _wrappers(source: Source, kernels: dict[str, Function]) -> dict[str, tuple[Function, int]]:
    """Functions that launch, themselves or through others, and how many leading arguments are not the caller's."""
    found: dict[str, tuple[Function, int]] = {}
    for name, node in source.functions.items():
        if name not in kernels and _reaches(source, node, kernels, set()):
            found[name] = (node, 0)
    for name, statement in source.constants.items():
        value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
        forward = apply_target(source, value) if value is not None else None
        if forward is not None and isinstance(value, ast.Attribute):
            found[name] = (forward, 1)
    return found


def _reaches(source: Source, node: Function, kernels: dict[str, Function], seen: set[str]) -> bool:
    if launches(source, node):
        return True
    for part in ast.walk(node):
        if not isinstance(part, ast.Call):
            continue
        forward = apply_target(source, part.func)
        if forward is not None:
            return True
        called = files.dotted(part.func)
        if called in seen or called == node.name:
            continue
        inner = source.functions.get(called)
        if inner is not None and called not in kernels and _reaches(source, inner, kernels, seen | {called, node.name}):
            return True
        alias = source.constants.get(called)
        if isinstance(alias, ast.Assign) and apply_target(source, alias.value) is not None:
            return True
    return False


def _chosen(
    source: Source,
    name: str | None,
    wrappers: dict[str, tuple[Function, int]],
    kernels: dict[str, Function],
) -> tuple[str, Function, int]:
    if name is not None:
        if name in kernels:
            raise DraftError(f"{source.path}: {name} is a kernel; name the function that launches it")
        if name in wrappers:
            return (name, *wrappers[name])
        if name in source.functions:
            raise DraftError(f"{source.path}:{source.functions[name].lineno}: {name} launches no kernel of the file")
        listed = ", ".join(wrappers) or "none"
        raise DraftError(f"{source.path} has no {name!r} that launches a kernel; it has {listed}")
    plain: list[Definition] = [node for node, skip in wrappers.values() if not skip]
    meant = [node for node in plain if not NOT_MEANT.match(node.name)]
    plain = meant or ([] if len(wrappers) > len(plain) else plain)
    aliases = [n for n, (_, skip) in wrappers.items() if skip]
    inner = {n for node in plain for n in files.used(node)}
    aliases = [a for a in aliases if a not in inner]
    if len(aliases) == 1 and not plain:
        return (aliases[0], *wrappers[aliases[0]])
    if (aliases and plain) or len(aliases) > 1:
        raise DraftError(f"{source.path} has several that launch: {', '.join(wrappers)}; name one")
    node = pick(source, None, plain)
    return (node.name, *wrappers[node.name])


def _draft(
    source: Source, entry: str, node: Function, skip: int, kernels: dict[str, Function], settings: Sequence[str]
) -> Draft:
    given = arguments(source, node, skip=skip, also=(source.tree,))
    uses = handed(source, node)
    for argument in given:
        _as_used(argument, uses.get(argument.name, Use()))
    dropped = _dropped(source, given)
    reading = read(source, node, given, None, [])
    if any(dotted(part) == "tl.dot" for kernel, _ in launches(source, node) for part in ast.walk(kernel)):
        _contract(reading)
    made = sketch(reading, given, [])
    changes = [n for n in written(source, node, kernels) if n in made.inputs and made.inputs[n].startswith("Tensor")]
    filled = {a.name: made.inputs.pop(a.name) for a in given if a.keyword_only and not a.default and a.name in changes}
    changes = [n for n in changes if n not in filled]
    for name in dropped:
        made.ask("inputs", name)
    _keep_order(made, given)
    more = [f"changes={tuple_text(changes)}"] if changes else []
    if filled:
        outputs = ", ".join(f"{repr_(n)}: {text}" for n, text in filled.items())
        more += ['contract="destination"', f"outputs={{{outputs}}}"]
    elif made.outputs:
        more.append(f"outputs={made.outputs}")
    elif any(isinstance(n, ast.Return) and n.value is not None for n in ast.walk(node)):
        made.ask("outputs", "the outputs are whatever the original returns")
    file = source.path.name
    if not any(text.startswith("oracle=") for text in settings):
        more += ['oracle="peer"', f"peer={repr_(f'{file}:{entry}')}"]
    more += [*settings, f"starter={repr_(file)}"]
    name = snake(entry)
    if name == source.path.stem:
        name += "_spec"  # beside the kernel's file, whose name is taken
    more.append(f"entry={repr_(entry)}")
    body = spec_text(made, more)
    head = docstring(title(node, snake(entry)), f"Drafted from {file}:{entry}; look at what is marked CHECK.")
    return Draft(name, "\n".join([head, "", imports(body), "", body, ""]), made.questions, entry)


def _as_used(argument: Argument, use: Use) -> None:
    """What a kernel does with an argument says more than its name."""
    if argument.kind in ("bound", "bundle"):
        return
    doubtful = argument.kind == "tensor" or bool(argument.question)
    if use.kind == "tensor":
        argument.kind, argument.question = "tensor", ""
        argument.optional |= use.optional
        argument.rank, argument.twins, argument.extent, argument.like = use.rank, use.twins, use.extent, use.like
        if use.role and argument.hint.dtype in ("", "int32", "int64"):
            argument.role, argument.into = use.role, (use.into, use.along) if use.into else None
    elif use.kind and doubtful and argument.hint.shape is None:
        argument.kind, argument.question = use.kind, ""


def _contract(reading: Reading) -> None:
    """Of a product's two operands, the one size each that nothing else has is the same: it is summed over."""
    every = [v for a in reading.tensors.values() for d in a.dims or [] for v in d.variables()]
    kept = [v for value in reading.returned for a in _arrays(value) for d in a.dims or [] for v in d.variables()]
    shared = [id(v) for v in [*every, *kept]]
    lonely: list[Dim] = []
    for array in reading.tensors.values():
        own = [d for d in array.dims or [] if d.free and shared.count(id(d.root())) == 1]
        lonely += own if len(own) == 1 else []
    if len(lonely) == 2:
        unify(*lonely)


def _arrays(value: Value) -> list[Arr]:
    if isinstance(value, Seq):
        return [a for item in value.items for a in _arrays(item)]
    return [value] if isinstance(value, Arr) else []


def _dropped(source: Source, given: list[Argument]) -> list[str]:
    """Arguments that a spec cannot pass: fine at the end, where their defaults hold; a question before others."""
    asked = []
    for i, argument in enumerate(given):
        later = [a.name for a in given[i + 1 :] if a.kind != "bound" and not a.keyword_only]
        if argument.kind == "bound" and later:
            asked.append(f"{argument.name} stands before {', '.join(later)} and cannot be passed")
        elif argument.kind == "bound" and argument.passed:
            asked.append(f"{argument.name} has no default and cannot be passed")
        elif argument.kind == "bundle":
            inner = ", ".join(a.name for a in flat([argument]))
            asked.append(f"{argument.name} bundles {inner}; the original needs a function that takes them one by one")
    return asked


def _keep_order(made: Sketch, given: list[Argument]) -> None:
    order = [a.name for a in flat(given)]
    made.inputs = {n: made.inputs[n] for n in order if n in made.inputs}


def repr_(text: str) -> str:
    """A string literal with double quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
