"""The statements of a body in runs without branches: each run is taped once for every set of types that it meets."""

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from geak_evaluator.device.tape import Recording, Tape

_SIMPLE = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr)
_MAX_KEYS = 64
"""A run that meets more sets of types and constants is not going to meet them again."""


class Segment:
    """Statements that always run one after the other."""

    def __init__(self, statements: Sequence[ast.stmt]) -> None:
        self._statements = statements
        self._reads, self._binds = _names(statements)
        self._tapes: dict[Any, Tape | None] = {}
        self._halves: tuple[Segment, ...] = ()
        self._plain = False

    def run(self, frame: Any) -> None:
        """Run them in a frame: from a tape, or by walking them, or walking and taping."""
        if self._halves:
            for half in self._halves:
                half.run(frame)
            return
        handles: list[Any] = []
        key = None if self._plain else self._key(frame, handles)
        if key is None:
            self._walk(frame)
        elif key not in self._tapes:  # most are met once only: taping begins with the second time
            self._plain = len(self._tapes) == _MAX_KEYS
            self._tapes[key] = None
            self._walk(frame)
        elif (tape := self._tapes[key]) is not None:
            tape.play(frame.builder, handles, frame.lscope)
        else:
            self._tapes[key] = self._taped(frame, handles)

    def _walk(self, frame: Any) -> None:
        for statement in self._statements:
            frame.visit(statement)

    def _key(self, frame: Any, handles: list[Any]) -> Any:
        parts = []
        scope, types = frame.lscope, frame.builder.types
        for name in self._reads:
            if name in scope:
                part = types.key(scope[name], handles)
                if part is None:
                    return None
                parts.append(part)
            else:
                parts.append("")
        return tuple(parts)

    def _taped(self, frame: Any, handles: list[Any]) -> Tape | None:
        recording = Recording(handles)
        with frame.builder.recorded(recording):
            self._walk(frame)
        tape = recording.tape({name: frame.lscope[name] for name in self._binds if name in frame.lscope})
        if tape is None:
            middle = len(self._statements) // 2
            if middle:
                self._halves = (Segment(self._statements[:middle]), Segment(self._statements[middle:]))
            self._plain = True
            self._tapes.clear()
        return tape


def parts(body: Sequence[ast.stmt]) -> Iterator[Segment | ast.stmt]:
    """A body as runs of simple statements and the other statements between them."""
    simple: list[ast.stmt] = []
    for statement in body:
        if isinstance(statement, _SIMPLE):
            simple.append(statement)
            continue
        if simple:
            yield Segment(simple)
            simple = []
        yield statement
    if simple:
        yield Segment(simple)


def _names(statements: Sequence[ast.stmt]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names that are read before they are bound, and those that are bound."""
    reads: dict[str, None] = {}
    binds: dict[str, None] = {}
    for statement in statements:
        names = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
        read = [name.id for name in names if isinstance(name.ctx, ast.Load)]
        if isinstance(statement, ast.AugAssign):
            read += [name.id for name in names if isinstance(name.ctx, ast.Store)]
        reads.update(dict.fromkeys(name for name in read if name not in binds))
        binds.update(dict.fromkeys(name.id for name in names if isinstance(name.ctx, ast.Store)))
    return tuple(reads), tuple(binds)
