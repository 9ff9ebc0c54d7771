"""What a kernel file defines for its spec's contract: a function, an autograd function behind one, or a module."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from geak_evaluator.schema import domain
from geak_evaluator.schema.spec import Description, Numbers, Spec
from geak_evaluator.seeds.branches import CannotSeed
from geak_evaluator.seeds.graph import Graph


def signature(about: Description, part: str, graph: Graph) -> tuple[str, list[str]]:
    """The name of a part's function, and its parameters."""
    spec = about.spec
    handed = domain.destinations(spec) if spec.contract == "destination" else []
    parameters = [*spec.inputs, *handed]
    if not part:
        return about.entry, parameters
    return f"_{part}", [*parameters, *(name for name in graph.shapes if name not in parameters)]


def function(name: str, parameters: Iterable[str], lines: Iterable[str], doc: str = "") -> str:
    """The text of a function."""
    body = [f'"""{_sentence(doc)}"""'] if doc else []
    body += list(lines) or ["return None"]
    return f"def {name}({', '.join(parameters)}):\n" + _indented(body)


def _sentence(text: str) -> str:
    return text.rstrip(".").replace('"""', "'''").replace("\\", "/") + "."


def _indented(lines: Iterable[str]) -> str:
    return "\n".join(f"    {line}" if line else "" for text in lines for line in text.split("\n"))


def entry(about: Description, graphs: Mapping[str, Graph]) -> list[str]:
    """What stands behind the parts of a contract that is more than a function."""
    if about.spec.contract == "gradient":
        return _gradient(about, graphs["backward"])
    if about.spec.contract == "module":
        return [_module(about, graphs["forward"])]
    return []


def _gradient(about: Description, backward: Graph) -> list[str]:
    spec = about.spec
    inputs, tensors = list(spec.inputs), list(spec.tensors)
    others = [name for name in inputs if name not in tensors]
    incoming = [name for name in backward.shapes if name not in spec.inputs]
    grads = [f"grad_{name}" if name in spec.wrt else "None" for name in inputs]
    computed = [f"grad_{name}" for name in backward_names(backward)]
    name = "_" + "".join(word.capitalize() for word in about.entry.split("_"))
    lines = [
        f"class {name}(torch.autograd.Function):",
        "    @staticmethod",
        f"    def forward(ctx, {', '.join(inputs)}):",
        f"        ctx.save_for_backward({', '.join(tensors)})",
        *([f"        ctx.others = ({', '.join(others)},)"] if others else []),
        f"        return _forward({', '.join(inputs)})",
        "",
        "    @staticmethod",
        f"    def backward(ctx, {', '.join(incoming)}):",
        f"        {', '.join(tensors)}{',' if len(tensors) == 1 else ''} = ctx.saved_tensors",
        *([f"        {', '.join(others)}{',' if len(others) == 1 else ''} = ctx.others"] if others else []),
        f"        {', '.join(computed)}{',' if len(computed) == 1 else ''} = "
        f"_backward({', '.join([*inputs, *(f'{name}.contiguous()' for name in incoming)])})",
        f"        return {', '.join(grads)}",
    ]
    return ["\n".join(lines), function(about.entry, inputs, [f"return {name}.apply({', '.join(inputs)})"], about.title)]


def backward_names(backward: Graph) -> list[str]:
    """The inputs whose gradients a backward pass returns, in its order."""
    return [path.removeprefix("grad_") for path in backward.outputs]


def _module(about: Description, forward: Graph) -> str:
    spec = about.spec
    lines = ["super().__init__()"]
    for name, value in _sizes(spec, forward).items():
        lines.append(f"{name} = {value}")
    made = {""}
    for path, (argument, dtype, trained) in forward.state.items():
        *owners, last = path.split(".")
        for depth in range(1, len(owners) + 1):
            if (owner := ".".join(owners[:depth])) not in made:
                made.add(owner)
                lines.append(f"{_place(owners[: depth - 1])}.add_module({owners[depth - 1]!r}, torch.nn.Module())")
        shape = ", ".join(forward.shapes[argument])
        tensor = f"torch.empty(({shape}{',' if len(forward.shapes[argument]) == 1 else ''}), dtype={dtype})"
        kind = "register_parameter" if trained else "register_buffer"
        value = (
            f"torch.nn.Parameter({tensor}{'' if _is_float(dtype) else ', requires_grad=False'})" if trained else tensor
        )
        lines.append(f"{_place(owners)}.{kind}({last!r}, {value})")
    inputs = list(spec.inputs)
    held = [_place(path.split(".")) for path in forward.state]
    init = ", ".join(["self", *spec.init])
    return "\n".join(
        [
            f"class {about.entry}(torch.nn.Module):",
            f'    """{_sentence(about.title)}"""',
            "",
            f"    def __init__({init}):",
            _indented([f"    {line}" for line in lines]),
            "",
            f"    def forward(self, {', '.join(inputs)}):",
            f"        return _forward({', '.join([*inputs, *held])})",
        ]
    )


def _is_float(dtype: str) -> bool:
    return "float" in dtype


def _place(path: list[str]) -> str:
    """An attribute below self, whatever the names on the way are."""
    text = "self"
    for part in path:
        text = f"{text}.{part}" if part.isidentifier() else f"getattr({text}, {part!r})"
    return text


def _sizes(spec: Spec, forward: Graph) -> dict[str, str]:
    """The sizes of a module's tensors in terms of what it is made with."""
    texts = [text for argument, _, _ in forward.state.values() for text in forward.shapes[argument]]
    used = {word for text in texts for word in re.findall(r"[A-Za-z_]\w*", text)}
    given = [
        (text, f"{name}[{place}]" if isinstance(item, Numbers) else name)
        for name, item in spec.init.items()
        for place, text in enumerate(item.items if isinstance(item, Numbers) else (item.value,))
    ]
    known = {str(text): argument for text, argument in reversed(given) if isinstance(text, str)}
    found: dict[str, str] = {}
    for variable in sorted(used & set(forward.sizes.values())):
        axis, _, step = variable.rpartition("_") if variable not in spec.axes else (variable, "", "")
        if axis not in known:
            raise CannotSeed(
                f"a parameter's size follows {axis or variable}, which its init is not given; add it to init"
            )
        found[variable] = f"{known[axis]} // {step}" if step else known[axis]
    return found
