"""The compiler child: Triton's IR for one target in, figures of the machine code out. It loads no foreign Python.

A text may be made to break Triton's parser or LLVM, and so to own this process. So each child gets one text, the judge
files its answer under that very text, and whatever it has taken over ends here.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import io
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from geak_evaluator.machine_code import amd, nvidia, reading
from geak_evaluator.sandbox.channel import OK, Channel
from geak_evaluator.schema import codec
from geak_evaluator.schema.machine_code import CompileReply, CompileRequest, Failure, Figures, Option, Why
from geak_evaluator.schema.target import TARGETS, Target, find

MAX_ASSEMBLY = 8 << 20
_MESSAGE = 2000
_KERNEL = re.compile(r"\btt\.func\s+public\b")
_PRODUCT = re.compile(r"\btt\.dot(?:_scaled)?\b")
_MAX_THREADS = 1024
"""Of one program, on every target here."""
_MAX_TENSOR_MEMORY = 512


def main(channel: Channel, job: dict[str, Any]) -> None:
    """An empty request asks which compiler this is; the other kind is one CompileRequest."""
    body = channel.receive()
    if body is None:
        return
    if not body:
        channel.reply(codec.dumps(identity()).encode(), OK)
        return
    request = codec.from_json(CompileRequest, codec.loads(body))
    channel.reply(codec.dumps(answer(request)).encode(), OK)


def identity() -> dict[str, str]:
    """What the machine code of each target depends on beside the IR and its options: Triton itself and its tools."""
    import triton

    key = _triton_key()
    hashes = {name: _backend(target).hash() for name, target in TARGETS.items()}
    # By way of their loaders, which know where they are, also in a zip file.
    own = hashlib.sha256("".join(module.__spec__.loader.get_source(module.__name__) for module in _readers()).encode())
    return {
        name: hashlib.sha256(f"{triton.__version__}-{key}-{tools}-{own.hexdigest()}".encode()).hexdigest()
        for name, tools in hashes.items()
    }


def answer(request: CompileRequest) -> CompileReply:
    """Compiles one text; everything that can go wrong is in the answer."""
    target = find(request.target)
    path = Path.cwd() / "kernel.ttir"
    if (kernels := len(_KERNEL.findall(request.text))) > 1:  # an older Triton takes one of them for all
        return CompileReply(failure=Failure(Why.INVALID, f"its IR holds {kernels} kernels; there must be one"))
    try:
        path.write_text(request.text)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            kernel = _compile(path, target, request.options)
    except Exception as error:
        return CompileReply(failure=_failure(error))
    try:
        figures, assembly = _read(kernel, target, printed.getvalue())
    except reading.Unreadable as error:
        return CompileReply(failure=Failure(Why.REJECTED, f"the machine code cannot be read: {error}"))
    if len(assembly) > MAX_ASSEMBLY:
        return CompileReply(failure=Failure(Why.TOO_LARGE, f"its machine code is {len(assembly)} characters long"))
    figures = replace(figures, products=len(_PRODUCT.findall(request.text)))
    return CompileReply(figures, _misfit(figures, target), assembly)


def _compile(path: Path, target: Target, options: dict[str, Option]) -> Any:
    from triton import knobs
    from triton.compiler import compile

    from geak_evaluator.device.driver import gpu_target

    # Lines of the IR file would be all the line information that there is.
    knobs.compilation.disable_line_info = True
    if hasattr(knobs.nvidia, "dump_ptxas_log"):
        knobs.nvidia.dump_ptxas_log = True
    return compile(str(path), target=gpu_target(target), options=dict(options))


def _read(kernel: Any, target: Target, printed: str) -> tuple[Figures, str]:
    metadata = kernel.metadata
    built = reading.Built(
        kernel=metadata.name,
        num_warps=metadata.num_warps,
        num_stages=metadata.num_stages,
        shared=metadata.shared,
        tensor_memory=getattr(metadata, "tmem_size", 0) or 0,
    )
    if target.backend == "hip":
        assembly: str = kernel.asm["amdgcn"]
        return amd.figures(target, assembly, built), assembly
    cubin: bytes = kernel.asm["cubin"]
    report = printed if "registers" in printed else _usage(cubin)
    return nvidia.figures(target, kernel.asm["ptx"], cubin, report, built), kernel.asm["ptx"]


def _usage(cubin: bytes) -> str:
    """For a Triton that keeps ptxas's report to itself."""
    from triton import knobs

    path = Path.cwd() / "kernel.cubin"
    path.write_bytes(cubin)
    command = [knobs.nvidia.cuobjdump.path, "--dump-resource-usage", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout


def _misfit(figures: Figures, target: Target) -> Failure | None:
    """Why no such device could launch it: what Triton finds out when it loads a kernel, in Triton's words."""
    threads = figures.num_warps * target.warp_size
    for name, needed, limit in (
        ("shared memory", figures.shared_bytes, target.max_shared),
        ("tensor memory", figures.tensor_memory or 0, _MAX_TENSOR_MEMORY),
        ("threads", threads, _MAX_THREADS),
    ):
        if needed > limit:
            message = f"out of resource: {name}, Required: {needed}, Hardware limit: {limit}"
            return Failure(Why.OUT_OF_RESOURCES, message)
    return None


def _failure(error: Exception) -> Failure:
    """What Triton raised; why, its C++ has written to standard error, which the judge reads."""
    told = f"{type(error).__name__}: {error}"
    why = Why.INVALID if "Parse MLIR" in told or isinstance(error, UnicodeError) else Why.REJECTED
    return Failure(why, told[:_MESSAGE])


def _backend(target: Target) -> Any:
    from triton.compiler import make_backend

    from geak_evaluator.device.driver import gpu_target

    return make_backend(gpu_target(target))


def _triton_key() -> str:
    """Triton's hash of its own files; it moved between versions."""
    for place in ("triton.runtime.cache", "triton.compiler.compiler"):
        key = getattr(importlib.import_module(place), "triton_key", None)
        if key is not None:
            return str(key())
    raise RuntimeError("this Triton has no triton_key")


def _readers() -> tuple[Any, ...]:
    """The modules that decide how machine code is read: figures made by others are not taken for theirs."""
    from geak_evaluator.machine_code import amd_loops, cores, loops, nvidia_loops, occupancy
    from geak_evaluator.schema import machine_code, target

    played = (loops, cores, amd_loops, nvidia_loops)
    return sys.modules[__name__], amd, nvidia, reading, occupancy, machine_code, target, *played


def prepare() -> None:
    """Called once in the warm process: what every compiler child would otherwise load or hash for itself."""
    identity()
    for target in TARGETS.values():
        _backend(target).get_module_map()
