"""Where each setting is said: a flag, the environment, .env, geak.toml; and whose word counts."""

from __future__ import annotations

import difflib
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from geak.errors import UsageError
from geak.settings import TABLE, Setting, Settings


@dataclass(frozen=True)
class Resolved:
    """Settings, and who said each of them."""

    settings: Settings
    sources: dict[str, str]
    """By setting: "--model", "GEAK_MODEL", "GEAK_MODEL in .env", "model in geak.toml", "default"."""


def load(
    flags: Mapping[str, object], *, folder: Path | None = None, environ: Mapping[str, str] | None = None
) -> Resolved:
    """What counts: a flag, else the environment, else .env, else geak.toml, else the default."""
    folder, environ = folder or Path.cwd(), os.environ if environ is None else environ
    file = _dot_env(folder)
    toml = {name: _toml(folder / name) for name in ("geak.toml", "pyproject.toml")}
    layers = [
        ("{0.flag}", _known(flags)),
        ("{0.variable}", _variables(environ)),
        ("{0.variable} in .env", _variables(file)),
        *((f"{{0.name}} in {name}", table) for name, table in toml.items()),
    ]
    values: dict[str, Any] = {}
    sources = dict.fromkeys(TABLE, "default")
    for name, setting in TABLE.items():
        for label, layer in layers:
            if name in layer:
                sources[name] = label.format(setting)
                values[name] = _value(setting, layer[name], sources[name])
                break
    for name in reversed(toml):
        for model, table in _tables(toml[name].get("models", {}), name).items():
            values.setdefault("models", {})[model] = table
            sources[f"models.{model}"] = name
    return Resolved(Settings(**values, environment={**file, **environ}), sources)


def changed(settings: Settings, options: Mapping[str, object]) -> Settings:
    """The same but for these, each checked as a flag would be."""
    values = {name: _value(TABLE[name], raw, name) for name, raw in _known(options).items()}
    return replace(settings, **values)  # type: ignore[arg-type]


def _value(setting: Setting, raw: object, source: str) -> object:
    try:
        return setting.read(raw)
    except ValueError as error:
        raise UsageError(f"{source}: {error}") from None


def _variables(environ: Mapping[str, str]) -> dict[str, object]:
    """Settings among variables; an empty one says nothing."""
    return {name: text for name, setting in TABLE.items() if (text := environ.get(setting.variable))}


def _known(table: Mapping[str, object], where: str = "") -> Mapping[str, object]:
    names = [*TABLE, *["models"] * bool(where)]
    for name in table:
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            hint = f"did you mean {near[0]}?" if near else "geak config show lists those that there are"
            raise UsageError(f"{where}{where and ': '}there is no setting {name!r}; {hint}")
    return table


def _tables(raw: object, where: str) -> dict[str, Mapping[str, Any]]:
    if not isinstance(raw, dict) or not all(isinstance(table, dict) for table in raw.values()):
        raise UsageError(f"{where}: models holds tables, as in [models.NAME]")
    return raw


def _toml(path: Path) -> Mapping[str, object]:
    text = _read(path)
    ours = path.name == "geak.toml"
    if not ours and "tool.geak" not in text:
        return {}
    import tomllib

    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        raise UsageError(f"{path.name} is no TOML: {said[:1].lower()}{said[1:]}") from None
    if not ours:
        tool = data.get("tool")
        data = tool.get("geak", {}) if isinstance(tool, dict) else {}
    if not isinstance(data, dict):
        raise UsageError(f"{path.name}: tool.geak is a table of settings, as in [tool.geak]")
    return _known(data, path.name)


def _dot_env(folder: Path) -> dict[str, str]:
    text = _read(folder / ".env")
    if not text:
        return {}
    from dotenv.parser import parse_stream

    found: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            said = binding.original.string
            number = binding.original.line + said[: len(said) - len(said.lstrip())].count("\n")
            raise UsageError(f".env, line {number}: NAME=VALUE is wanted")  # without the line: it may be a key
        if binding.key is not None and binding.value is not None:
            found[binding.key] = binding.value
    return found


def _read(path: Path) -> str:
    """A settings file's text; one that is not there says nothing."""
    if not path.is_file():  # `.env` may be the folder of an environment
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{path.name} cannot be read: it is not UTF-8") from None
    except OSError as error:
        raise UsageError(f"{path.name} cannot be read: {(error.strerror or str(error)).lower()}") from None
