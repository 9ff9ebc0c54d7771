"""Launches to Triton's IR: the part that runs where the launches were made, in a foreign process.

Triton's own front end and its first stage (inlining and clean-up, no LLVM) turn a launch's specialisation for a target
into text; compiling the text gives the machine code that compiling the launch would have given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import triton.compiler
from triton._C.libtriton import ir

from geak_evaluator.device.driver import Launch, gpu_target
from geak_evaluator.device.refusals import asserted, refusal
from geak_evaluator.device.simulated import SETTLED, activate, chosen_options, plain
from geak_evaluator.schema.machine_code import (
    MAX_KERNELS,
    MAX_TEXT,
    OPTIONS,
    Failure,
    Handed,
    Lowered,
    Option,
    Why,
)
from geak_evaluator.schema.target import Target, find

MAX_TOTAL = 3 << 20
"""Characters of all texts together: they must fit into one reply."""

_IN_THE_IR = frozenset(["debug", "sanitize_overflow"])
"""Options that are of no account once the front end is through."""


def lower(launches: Iterable[Launch], targets: Sequence[str], file: str = "") -> Handed:
    """The IR of every launch for every target; launches of one specialisation count once.

    Lines that the front end refuses are told as they lie in `file`.

    Best of launches that were recorded without compiling: on sm_100 a compiled kernel that specialises its warps names
    their final number as if it had been asked for.
    """
    texts: dict[str, int] = {}
    kernels: list[Lowered] = []
    sources: dict[int, Launch] = {id(launch.source): launch for launch in launches}
    room = MAX_TOTAL
    for launch in sources.values():
        for target in targets:
            if len(kernels) == MAX_KERNELS:
                return Handed(tuple(texts), tuple(kernels))
            text, lowered = _lowered(launch, find(target), file)
            if text and text not in texts:
                if len(text) > min(MAX_TEXT, room):
                    message = f"its IR is {len(text)} characters long"
                    text, lowered = "", _failed(launch, lowered.target, Why.TOO_LARGE, message)
                else:
                    room -= len(text)
            number = texts.setdefault(text, len(texts)) if text else -1
            made = Lowered(lowered.kernel, lowered.target, lowered.options, number, lowered.failure)
            if made not in kernels:
                kernels.append(made)
    return Handed(tuple(texts), tuple(kernels))


def _lowered(launch: Launch, target: Target, file: str) -> tuple[str, Lowered]:
    try:
        # Uncompiled, so that binding and specialising is all that happens.
        with activate(target, compile=False, execute=False):
            backend = triton.compiler.make_backend(gpu_target(target))
            bound = launch.function.warmup(*launch.args, grid=launch.grid, **chosen_options(launch, target))
            options = backend.parse_options(bound.asked)
            if strange := _strange(backend, options):
                what = f"the option {strange} is not taken over by the judge's compiler"
                return "", _failed(launch, target.name, Why.UNSUPPORTED, what)
            text = _text(bound.src, target, backend, options)
            if text is None:
                return "", _failed(launch, target.name, Why.UNSUPPORTED, "it is not written in Triton but in Gluon")
    except Exception as error:  # the kernel's own code can raise anything
        words, line = refusal(error, file)
        return "", _failed(launch, target.name, Why.ASSERTED if asserted(error) else Why.FRONT_END, words, line)
    return text, Lowered(launch.kernel, target.name, _taken_over(options))


def _failed(launch: Launch, target: str, why: Why, message: str, line: int = 0) -> Lowered:
    return Lowered(launch.kernel, target, failure=Failure(why, message, line))


def _strange(backend: Any, options: Any) -> str:
    """An option that was asked for, changes the machine code, and is not in the closed list."""
    defaults = backend.parse_options({}).__dict__
    for name, value in options.__dict__.items():
        closed = name in OPTIONS or name in SETTLED or name in _IN_THE_IR
        if not closed and plain(value) != plain(defaults.get(name)):
            return str(name)
    return ""


def _taken_over(options: Any) -> dict[str, Option]:
    found: dict[str, Option] = {}
    for name, kind in OPTIONS.items():
        value = getattr(options, name, None)
        if name == "llvm_fn_attrs" and value is not None:
            pairs = [] if isinstance(value, str) else value
            value = ",".join(f"{key}={said}" if said else key for key, said in pairs) or ""
        if type(value) is kind:
            found[name] = value
    return found


def _text(source: Any, target: Target, backend: Any, options: Any) -> str | None:
    context = ir.context()
    ir.load_dialects(context)
    backend.load_dialects(context)
    stages: dict[str, Any] = {}
    backend.add_stages(stages, options, source.language)
    if "ttir" not in stages:
        return None
    code = backend.get_codegen_implementation(options)
    module = source.make_ir(gpu_target(target), options, code, backend.get_module_map(), context)
    return str(stages["ttir"](module, {}).str_nodebug())
