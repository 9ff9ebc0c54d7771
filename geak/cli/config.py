"""`geak config`: what is settled, and who said it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import typer

from geak.cli.display import document, say
from geak.cli.options import AsJson
from geak.settings import TABLE, written
from geak.sources import Resolved, load

app = typer.Typer(help="See what is settled.", no_args_is_help=True, rich_markup_mode=None)

_REFERENCE = re.compile(r"\$\{(\w+)\}")
_SECRET = re.compile(r"key|token|secret|password|header|query|auth|cookie", re.IGNORECASE)
_OPEN = ("max_tokens", "api_key_env")


@app.callback()
def _group() -> None:
    pass


@app.command()
def show(json: AsJson = False) -> None:
    """Show each setting and who said it. Flags come before GEAK_NAME, .env, geak.toml and defaults; keys are hidden."""
    resolved = load({})
    values = {name: getattr(resolved.settings, name) for name in TABLE}
    tables = {name: _tame(table) for name, table in resolved.settings.models.items()}
    keys = {name: "set" if resolved.settings.environment.get(name) else "not set" for name in _names(resolved)}
    if json:
        rows: dict[str, Any] = {
            name: {"value": value if isinstance(value, int | float | tuple | None) else written(value)}
            | {"source": resolved.sources[name]}
            for name, value in values.items()
        }
        document({"settings": rows, "models": tables, "keys": keys})
        return
    for name, value in values.items():
        source = resolved.sources[name]
        shown = (TABLE[name].shown if source == "default" else written(value)) or "-"
        say(f"{name:<19} {shown:<44} {source}")
    for name, table in tables.items():
        say(f"[models.{name}]  {resolved.sources[f'models.{name}']}")
        for key, item in table.items():
            say(f"  {key:<17} {item}")
    for name, state in keys.items():
        say(f"{name:<19} {state}")


def _names(resolved: Resolved) -> list[str]:
    """Variables that may hold a key: those that providers read, and those that a model's table names."""
    from geak.models.config import KEYS, read

    tables = resolved.settings.models
    own = [read(name, table).api_key_env for name, table in tables.items()]
    known = [*(names[0] for names in KEYS.values() if names), *own, *_REFERENCE.findall(repr([*tables.values()]))]
    return [name for name in dict.fromkeys(known) if name]


def _tame(table: Mapping[str, Any], secret: bool = False) -> dict[str, Any]:
    """A model's table without what may be secret in it: of headers and the like, only which variables they refer to."""
    return {key: _tamed(value, secret or _secret(key)) for key, value in table.items()}


def _tamed(value: Any, secret: bool) -> Any:
    if isinstance(value, Mapping):
        return _tame(value, secret)
    if isinstance(value, list):
        return [_tamed(item, secret) for item in value]
    if isinstance(value, str) and secret:
        return " ".join(f"${{{name}}}" for name in _REFERENCE.findall(value)) or "set, not shown"
    if isinstance(value, str) and "://" in value:
        return re.sub(r"//[^/@]*@", "//...@", re.sub(r"[?#].*", "?...", value))
    return "set, not shown" if secret and not isinstance(value, bool) else value


def _secret(key: str) -> bool:
    return _SECRET.search(key) is not None and key not in _OPEN
