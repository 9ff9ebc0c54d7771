"""`geak models`: which models can be asked with the keys at hand, and one tiny call to try one."""

from __future__ import annotations

import json as jsonlib
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geak.cli.display import document, say
from geak.cli.options import AsJson
from geak.errors import ModelError
from geak.sources import load

if TYPE_CHECKING:
    from geak.models.base import Model, Price, Reply
    from geak.models.config import ModelSettings
    from geak.models.standing import Standing

app = typer.Typer(help="List the models that can be asked, and try one.", rich_markup_mode=None)

_TRIAL = "Answer with one word: ready"
_TOKENS = 256


@app.callback(invoke_without_command=True)
def _default(context: typer.Context, json: AsJson = False) -> None:
    if context.invoked_subcommand is None:
        list_(json)


@app.command("list")
def list_(json: AsJson = False) -> None:
    """Say what can be asked with the keys at hand; nobody is asked."""
    from geak.models.standing import standings

    found = standings(*_at_hand())
    if json:
        document({"models": found})
    else:
        say("\n".join(_line(standing) for standing in found))


@app.command("test")
def try_(
    name: Annotated[
        str, typer.Argument(help="A model: anthropic:NAME and the like, or a table [models.NAME] of geak.toml.")
    ],
    json: AsJson = False,
) -> None:
    """Ask a model one word. What was sent is shown without its secrets, then what came back."""
    import asyncio

    from geak.models.registry import open_model

    tables, environment = _at_hand()
    sent: list[Any] = []
    model = open_model(name, tables, environment, watch=sent.append)
    began = time.monotonic()
    try:
        reply = asyncio.run(_ask(model))
    except ModelError as error:
        if not json:
            _show_sent(sent)
            raise
        said = {"message": str(error), "exit_code": error.exit_code, "trouble": error.trouble.value}
        document({"model": name, "sent": sent, "error": said})
        raise typer.Exit(error.exit_code) from None
    seconds = time.monotonic() - began
    usd = None if model.price is None else model.price.of(reply.usage)
    if json:
        came = {"model": name, "sent": sent, "reply": reply, "usd": usd, "seconds": round(seconds, 3)}
        document(came | ({"note": model.note} if model.note else {}))
        return
    _show_sent(sent)
    say("\n".join(_came(reply, usd, seconds, model.note)))


async def _ask(model: Model) -> Reply:
    from geak.models.base import Call, Message

    try:
        return await model.ask(Call((Message("user", _TRIAL),), max_tokens=_TOKENS))
    finally:
        await model.close()


def _at_hand() -> tuple[dict[str, ModelSettings], Mapping[str, str]]:
    """The tables of geak.toml, and where keys are looked up."""
    from geak.models.config import read

    settings = load({}).settings
    return {name: read(name, table) for name, table in settings.models.items()}, settings.environment


def _line(standing: Standing) -> str:
    what = [standing.asks] if standing.asks else []
    if standing.ready and standing.asks:
        what.append(_price(standing.price))
    if standing.why:
        what.append(standing.why)
    return f"{standing.name:<24} {'ready' if standing.ready else 'not ready':<10} {'; '.join(what)}"


def _price(price: Price | None) -> str:
    if price is None:
        return "price unknown"
    if not (price.input or price.output):
        return "costs nothing"
    return f"${price.input:g} in, ${price.output:g} out for a million tokens ({price.source})"


def _show_sent(sent: list[Any]) -> None:
    for one in sent:
        if "url" in one:
            say(f"sent       {one['method']} {one['url']}")
            say("\n".join(f"           {name}: {value}" for name, value in one["headers"].items()))
            say(f"           {jsonlib.dumps(one['body'])}")
        else:
            say(f"ran        {' '.join(one['program'])}")
            say(f"           it sees {', '.join(one['environment']) or 'no variables'}")
            say("\n".join(f"           {line}" for line in one["input"].splitlines()))


def _came(reply: Reply, usd: float | None, seconds: float, note: str) -> list[str]:
    from geak.models.base import Usage

    usage = reply.usage
    counts = {"in": usage.input, "out": usage.output, "cached": usage.cached, "kept": usage.cache_written}
    tokens = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
    lines = [
        f"came back  {reply.text.strip() or '(nothing)'}",
        f"           {reply.finish}, from {reply.model or 'a model without a name'}, in {seconds:.1f} s",
        f"tokens     {'not counted' if usage == Usage() else tokens}",
        f"cost       {'unknown' if usd is None else f'${usd:.6f}' if usd else 'nothing'}",
    ]
    return [*lines, f"note       {note}"] if note else lines
