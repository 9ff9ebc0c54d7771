"""The spec child: reads a spec file, describes it, and makes inputs and expected values; it never sees a candidate."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import inspect
import re
import types
from collections.abc import Callable
from typing import Any

from geak_evaluator.children.loading import load, raised
from geak_evaluator.sandbox.channel import RAISED, REFUSED, Channel
from geak_evaluator.schema import codec
from geak_evaluator.schema.exchange import CaseRequest, Trouble
from geak_evaluator.schema.spec import Axis, Case, Description, Scalar, Spec, Tensor


class Refusal(Exception):
    """The spec does not do what it declares; the message is for its author."""


def main(channel: Channel, job: dict[str, Any]) -> None:
    """The first request is the file's bytes, answered by its description; then cases, until the judge is done."""
    source = channel.receive()
    if source is None:
        return
    name: str = job["name"]
    try:
        module = load(source, name, job.get("project", ""))
        about = describe(module, name, source)
    except Refusal as error:
        _refuse(channel, Trouble("spec", str(error)))
        return
    except BaseException as error:
        told = raised(error, name)
        _refuse(channel, Trouble("raised", told.text + _meant(told.message), told.line, told.trace))
        return
    channel.reply(codec.dumps(about).encode())
    from geak_evaluator.children import oracle  # torch, only once it is needed

    while (body := channel.receive()) is not None:
        try:
            request = codec.from_json(CaseRequest, codec.loads(body))
            channel.reply(codec.dumps(oracle.case(module, about, request)).encode())
        except Refusal as error:
            channel.reply(codec.dumps(Trouble("spec", str(error))).encode(), RAISED)
        except BaseException as error:
            told = raised(error, name)
            trouble = Trouble("raised", told.text, told.line, told.trace)
            channel.reply(codec.dumps(trouble).encode(), RAISED)


def _meant(message: str) -> str:
    """What was probably meant by a field that there is not."""
    found = re.search(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'", message)
    kinds = {kind.__name__: kind for kind in (Axis, Case, Scalar, Spec, Tensor)}
    if found is None or found[1] not in kinds:
        return ""
    fields = [field.name for field in dataclasses.fields(kinds[found[1]])]
    near = difflib.get_close_matches(found[2], fields, 1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(fields)}"


def _refuse(channel: Channel, trouble: Trouble) -> None:
    channel.reply(codec.dumps(trouble).encode(), REFUSED)


def describe(module: types.ModuleType, name: str, source: bytes) -> Description:
    """The declaration that a spec module holds; Refusal where it holds none."""
    spec = getattr(module, "spec", None)
    if not isinstance(spec, Spec):
        found = "it defines no `spec`" if spec is None else f"its `spec` is a {type(spec).__name__}"
        raise Refusal(f"{found}; a spec file says spec = Spec(axes=..., inputs=..., cases=...)")
    arguments: tuple[str, ...] = ()
    if spec.oracle not in ("peer", "tests"):
        arguments = _arguments(reference(module, spec))
    if spec.contract == "module":
        _check_init(reference(module, spec), spec)
    return Description(
        name=name,
        doc=(module.__doc__ or "").strip(),
        spec=spec,
        arguments=arguments,
        makes_inputs=callable(getattr(module, "make_inputs", None)),
        sha256=hashlib.sha256(source).hexdigest(),
        library=callable(getattr(module, "library", None)),
    )


def reference(module: types.ModuleType, spec: Spec) -> Callable[..., Any]:
    """What the file offers as the truth: a function, or a class for a module."""
    name = "Reference" if spec.contract == "module" else "reference"
    found = getattr(module, name, None)
    if not callable(found):
        raise Refusal(f"it defines no `{name}`, which says what is right")
    function: Callable[..., Any] = found
    return function


def _check_init(function: Callable[..., Any], spec: Spec) -> None:
    """A kernel's class is given `init` by its order, and so it must be the order of the reference's constructor."""
    taken = list(inspect.signature(function).parameters.values())
    names = [parameter.name for parameter in taken if parameter.kind is not parameter.VAR_KEYWORD]
    if len(names) == len(taken) and (unknown := [name for name in spec.init if name not in names]):
        raise Refusal(f"Reference takes no {', '.join(unknown)}, which init declares; it takes {', '.join(names)}")
    order = sorted(spec.init, key=lambda name: names.index(name) if name in names else len(names))
    if order != list(spec.init):
        raise Refusal(f"init is in the order of Reference's arguments: {', '.join(order)}")


def _arguments(function: Callable[..., Any]) -> tuple[str, ...]:
    target = getattr(function, "forward", function) if inspect.isclass(function) else function
    parameters = list(inspect.signature(target).parameters.values())
    if inspect.isclass(function):
        parameters = parameters[1:]
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise Refusal(f"`reference` takes *{parameter.name}; it must name its arguments")
    return tuple(parameter.name for parameter in parameters)


def prepare() -> None:
    """Called once in the warm process: what every spec child would otherwise load for itself."""
    from geak_evaluator.children import oracle

    oracle.warm()
