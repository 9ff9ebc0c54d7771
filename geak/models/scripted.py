"""`scripted:FILE`: replies that somebody wrote beforehand, in a TOML file; no model is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args

import tomllib

from geak.errors import ModelError, Trouble, UsageError
from geak.models.base import Call, Finish, Price, Reply, Role, Usage
from geak.models.config import near
from geak.models.counting import counted
from geak.resources import data_dir

_KEYS = ("role", "text", "lineage", "finish", "tokens")
_ROLES: tuple[Role, ...] = get_args(Role)
_FINISHES: tuple[Finish, ...] = get_args(Finish)
_TOKENS = tuple(f.name for f in fields(Usage))


@dataclass(frozen=True)
class Line:
    """One `[[reply]]`."""

    role: Role
    text: str
    lineage: int | None = None
    finish: Finish = "stop"
    usage: Usage | None = None


def find(file: str) -> Path:
    """A script by its path, or by the name of a spec that ships with one."""
    path = Path(file).expanduser()
    ships = data_dir("datasets") / "starter" / "replies" / f"{file}.toml"
    return ships if "/" not in file and not path.exists() and ships.is_file() else path


class Scripted:
    """Replies from a file, in the order in which each role asks for them."""

    paid = False
    concurrency = 64

    def __init__(self, name: str, file: str, price: Price | None = None) -> None:
        self.name = name
        self.price: Price | None = price or Price(0.0, 0.0, source="scripted")
        self.note = f"scripted replies from {file}: no model is asked"
        self._file = file
        self._lines = read(find(file))

    async def ask(self, call: Call) -> Reply:
        """The reply whose turn it is."""
        lines = [line for line in self._lines if line.role == call.role]
        if any(line.lineage is not None for line in lines):
            lines = [line for line in lines if line.lineage == call.lineage]
        if call.turn >= len(lines):
            whose = f"the {call.role} of lineage {call.lineage}" if lines != self._of(call.role) else f"the {call.role}"
            raise ModelError(
                f"the script {self._file} has no reply number {call.turn + 1} for {whose}", Trouble.REQUEST
            )
        line = lines[call.turn]
        return Reply(line.text, line.finish, counted(call, line.text) if line.usage is None else line.usage, "scripted")

    async def close(self) -> None:
        """Nothing is held."""

    def _of(self, role: Role) -> list[Line]:
        return [line for line in self._lines if line.role == role]


def read(file: Path) -> list[Line]:
    """A script's replies, or UsageError with what is wrong about it."""
    try:
        with file.open("rb") as opened:
            script = tomllib.load(opened)
    except OSError as error:
        raise UsageError(f"the script {file}: {(error.strerror or str(error)).lower()}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"the script {file} is not TOML: {str(error)[:200]}") from None
    replies = script.pop("reply", None)
    if script or not isinstance(replies, list) or not all(isinstance(reply, dict) for reply in replies):
        raise UsageError(f"the script {file} should hold tables [[reply]] and nothing else")
    return [_line(f"the script {file}, reply {number}", reply) for number, reply in enumerate(replies, 1)]


def _line(where: str, reply: Mapping[str, Any]) -> Line:
    for key in reply:
        if key not in _KEYS:
            raise UsageError(f"{where} has no key {key!r}{near(key, _KEYS)}")
    text, lineage = reply.get("text"), reply.get("lineage")
    if not isinstance(text, str):
        raise UsageError(f"{where} needs text: what is replied, best between ''' and '''")
    if lineage is not None and (isinstance(lineage, bool) or not isinstance(lineage, int) or lineage < 1):
        raise UsageError(f"{where}: lineage should be a number, 1 or more")
    return Line(
        role=_one_of(where, "role", reply.get("role"), _ROLES),
        text=text,
        lineage=lineage,
        finish=_one_of(where, "finish", reply.get("finish", "stop"), _FINISHES),
        usage=_usage(where, reply["tokens"]) if "tokens" in reply else None,
    )


def _one_of(where: str, key: str, value: object, words: tuple[Any, ...]) -> Any:
    if value not in words:
        shown = near(value, words) if isinstance(value, str) else f"; there are {', '.join(words)}"
        raise UsageError(
            f"{where}: {value!r} is no {key}{shown}" if value is not None else f"{where} needs {key}{shown}"
        )
    return value


def _usage(where: str, tokens: object) -> Usage:
    if not isinstance(tokens, dict):
        raise UsageError(f"{where}: tokens should be a table, such as {{input = 900, output = 400}}")
    for key, number in tokens.items():
        if key not in _TOKENS:
            raise UsageError(f"{where}: tokens has no key {key!r}{near(key, _TOKENS)}")
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise UsageError(f"{where}: tokens.{key} should be a whole number, 0 or more")
    return Usage(**tokens)
