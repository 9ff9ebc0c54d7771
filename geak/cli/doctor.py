"""`geak doctor`: what this machine has, what is missing, and how to get it."""

from __future__ import annotations

import platform
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from geak.cli.display import document, say
from geak.cli.options import AsJson, Flags, judge_of, settles
from geak.errors import JudgeError
from geak.sources import load
from geak.version import __version__

if TYPE_CHECKING:
    from geak_evaluator.schema.device import Launched
    from geak_evaluator.schema.wire import Hello

_GET = {
    "torch": "pip install 'geak[cpu]' for a machine with no GPU; with one, install the vendor's own build",
    "triton": "it comes with the vendor's torch; for a machine with no GPU: pip install 'geak[cpu]'",
    "numpy": "pip install numpy",
}
_LEVELS = {
    "isolated": "foreign code runs confined, in namespaces of its own",
    "confined": "foreign code runs confined; private namespaces are not available here",
    "base": "foreign code is not confined here: GEAK refuses to run it without --allow-weak-sandbox",
}


@settles("judge")
def doctor(json: AsJson = False, *, flags: Flags) -> None:
    """Say what this machine has and what it lacks. Exit code 3 if kernels cannot be judged here."""
    from geak.judge import Judge

    try:
        with Judge(judge_of(load({**flags, "allow_weak_sandbox": True}).settings)) as room:
            hello = room.hello
            if hello.measures and not hello.missing:
                hello = replace(hello, launched=room.launched())
    except JudgeError as error:
        say(f"judge      does not start: {error}", error=True)
        raise typer.Exit(3) from None
    fit = hello.sandbox != "base" and not hello.missing
    if json:
        document(hello)
    else:
        say("\n".join(report(hello)))
    raise typer.Exit(0 if fit else 3)


def _devices(hello: Hello) -> list[str]:
    """Each GPU by its name, its architecture and its UUID; what of it cannot be used, and how it could."""
    if not hello.gpus:
        return ["devices    none: kernels are proved by an interpreter and never timed"]
    lines = [f"{'devices' if not number else '':<10} {number}: {gpu}" for number, gpu in enumerate(hello.gpus)]
    for gpu in hello.gpus:
        if not gpu.target:
            lines.append(f"           {gpu.arch or gpu.name} is not described: kernels are not timed on it")
    if any(not gpu.usable for gpu in hello.gpus):
        lines.append("           get it: join the groups that own the device files (render, video), or start the")
        lines.append("           container with --device /dev/kfd --device /dev/dri --group-add render (docs/rocm.md)")
    return lines


def _launched(found: Launched) -> list[str]:
    """Whether a kernel ran in a confined child: nothing less shows that proofs and times can be native here."""
    if found.trouble:
        lines = [f"launch     no: {found.trouble}"]
        return [*lines, "           kernels are proved by an interpreter and never timed until that is mended"]
    lines = [f"launch     a kernel ran in a confined child on {found.device}"]
    if found.widened:
        lines.append(f"           its children may open other GPUs' files too: {found.widened}")
        lines.append("           to wall GPUs off from each other, give a container one of them (docs/security.md)")
    return lines


def report(hello: Hello) -> list[str]:
    """The page that a person reads."""
    lines = [f"geak       {__version__}, Python {platform.python_version()}"]
    for name, how in _GET.items():
        version = hello.packages.get(name)
        lines.append(f"{name:<10} {version or f'missing: {how}'}")
        if version and name in hello.missing:
            lines.append(f"           it does not load: {hello.missing[name]}")
    lines += [f"{name:<10} {version}" for name, version in hello.software.items()]
    lines += _devices(hello)
    if hello.launched is not None:
        lines += _launched(hello.launched)
    lines.append(f"sandbox    {hello.sandbox}: {_LEVELS.get(hello.sandbox, 'a level that this agent does not know')}")
    lines += [f"           leak: {leak}" for leak in hello.leaks]
    lines += [f"           broken: {broken}" for broken in hello.broken]
    if hello.sandbox == "base":
        lines.append(
            "           get it: Linux 5.13 or newer with Landlock, or a throw-away container (docs/security.md)"
        )
    return lines
