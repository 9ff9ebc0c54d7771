"""What Triton's front end has against a kernel: why, and where in its file; Triton counts from `def`."""

from __future__ import annotations

import traceback
from collections.abc import Iterator

from triton.compiler.code_generator import CodeGenerator
from triton.compiler.errors import CompilationError, CompileTimeAssertionFailure

_MESSAGE = 1000


def refusal(error: BaseException, file: str) -> tuple[str, int]:
    """The innermost reason with the line of this file that led to it, and that line's number; 0 where it is not known.

    What is called in another file, Triton's own library above all, is told by the line that calls it.
    """
    chain = list(_chain(error))
    refused = [one for one in reversed(chain) if isinstance(one, CompilationError)]
    bare = type(chain[-1]).__name__ if chain[-1] in refused else f"{type(chain[-1]).__name__}: {chain[-1]}"
    words = next((one.error_message for one in refused if one.error_message), bare)[:_MESSAGE]
    for one in refused:
        generator = _generator(one)
        if generator is not None and generator.file_name == file:
            number = getattr(one.node, "lineno", 0)
            lines = generator.jit_fn.src.split("\n")
            if 1 <= number <= len(lines):
                return f"{words}, in `{lines[number - 1].strip()[:_MESSAGE]}`", generator.begin_line + number
    return words, 0


def asserted(error: BaseException) -> bool:
    """Whether it is a static assertion of the kernel's own that does not hold."""
    return any(isinstance(one, CompileTimeAssertionFailure) for one in _chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _generator(error: BaseException) -> CodeGenerator | None:
    """Whose turn it was: a CompilationError does not say in which function it was raised."""
    seen = [frame.f_locals.get("self") for frame, _ in traceback.walk_tb(error.__traceback__)]
    return next((one for one in reversed(seen) if isinstance(one, CodeGenerator)), None)
