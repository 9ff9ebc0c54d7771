"""Reading a person's or a model's file: bounded, and with a sentence for each way in which it is no kernel."""

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from pathlib import Path

LIMIT = 1 << 20


class SourceError(ValueError):
    """A file that cannot be used; the message says which and why."""


def read(path: str | Path, what: str) -> bytes:
    """The bytes of a Python file, or a SourceError."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = file.read(LIMIT + 1)
    except IsADirectoryError:
        raise SourceError(f"{path} is a folder; {what} is a Python file") from None
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror or error}") from None
    check(data, str(path), what)
    return data


def check(data: bytes, name: str, what: str) -> None:
    """Refuses what is too large, empty or not Python, before anything is started for it."""
    if len(data) > LIMIT:
        raise SourceError(f"{name} is over {LIMIT >> 20} MiB; {what} is a Python file of a few hundred lines")
    if not data.strip():
        raise SourceError(f"{name} is empty; {what} is a Python file")
    _check_text(data, name, what)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(data)
    except SyntaxError as error:
        raise SourceError(f"{name}, line {error.lineno or 0}: {error.msg}: {what} must be Python") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise SourceError(f"{name} is not Python: {str(error)[:200]}") from None


def _check_text(data: bytes, name: str, what: str) -> None:
    """A byte that is no character may hide in a comment from Python, and still Triton could not read the file."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    except SyntaxError:
        encoding = "utf-8"  # what is wrong with the declaration is told by the parser
    try:
        data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SourceError(f"{name}, line {line}: it is not {error.encoding} text: {what} must be Python") from None
    except (LookupError, UnicodeError) as error:
        raise SourceError(f"{name} is not Python: {str(error)[:200]}") from None


def names_attribute(data: bytes, prefix: str) -> bool:
    """Whether a Python source names an attribute that begins so; read, not run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nodes = ast.walk(ast.parse(data))
    return any(isinstance(node, ast.Attribute) and node.attr.startswith(prefix) for node in nodes)
