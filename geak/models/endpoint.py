"""A provider's address with all that it takes to ask there: the key, the headers, the connection; none of it shown."""

from __future__ import annotations

import json
import os
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import httpx2

from geak.errors import ModelError, Trouble, UsageError
from geak.hiding import HIDDEN, in_address, is_secret, without, worth_hiding
from geak.models.base import Call, Message, Price
from geak.models.config import ModelSettings
from geak.models.prices import most_tokens

Watch = Callable[[Mapping[str, Any]], None]
"""Told of each request as it is sent, with what is secret in it left out."""

SECONDS = 1200.0
_CONNECT = 10.0
_SILENCE = 300.0
_SHOWN = frozenset({"accept", "content-type", "user-agent", "anthropic-version", "anthropic-beta"})
_KEYLIKE = re.compile(r"\b(?:sk|gsk|xai)-[\w*.-]{4,}|\bBearer\s+\S+", re.IGNORECASE)


@dataclass(frozen=True, repr=False)
class Endpoint:
    """Where a model is asked, resolved: no variable is left in it, and nothing of it is read from elsewhere."""

    name: str
    """As a person named the model."""
    who: str
    """Who answers, in sentences."""
    settings: ModelSettings
    environment: Mapping[str, str]
    base_url: str = ""
    key: str = ""
    key_name: str = ""
    """The variable that the key is from."""
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    proxy: str = ""
    dearer_above: int | None = None
    """Prompts of more tokens would cost more than the model's price says."""
    watch: Watch | None = None

    def __repr__(self) -> str:
        return f"Endpoint({self.name!r})"

    @property
    def where(self) -> str:
        """Its address as it may be shown."""
        return shown(self.base_url) or "its own address"

    @property
    def seconds(self) -> float:
        """How long a whole reply may take."""
        return self.settings.timeout or SECONDS

    @property
    def silence(self) -> float:
        """How long nothing at all may come; a model that thinks is silent for minutes."""
        return min(self.seconds, max(_SILENCE, self.seconds / 4))

    def timeout(self) -> httpx2.Timeout:
        """How long each step may take: to connect, and to hear anything more."""
        return httpx2.Timeout(self.silence, connect=min(_CONNECT, self.seconds), pool=None)

    def http(self) -> httpx2.AsyncClient:
        """A connection of its own, by the settings' certificates and proxy."""
        return httpx2.AsyncClient(
            verify=_authorities(self.settings) if self.settings.ca_bundle else _usual_authorities(),
            proxy=self.proxy or None,
            timeout=self.timeout(),
            follow_redirects=False,  # a header with a key would go where nobody sent it
            event_hooks={"request": [self._seen]},
        )

    def default_headers(self, ambient: str, omit: Any) -> dict[str, Any]:
        """The headers of every request; those that an SDK would take from the variable `ambient` are ours alone."""
        own = {**_lines(self.environment.get(ambient, "")), **self.headers}
        here = {name.lower() for name in own}
        foreign = {name: omit for name in _lines(os.environ.get(ambient, "")) if name.lower() not in here}
        if self.key and not self.settings.client:  # a header that is left out leaves out the key's as well
            foreign |= {name: f"Bearer {self.key}" for name in foreign if name.lower() == "authorization"}
        return {**foreign, **own}

    def request(self, omit: Any) -> dict[str, Any]:
        """What every request takes beside its body: the table's own fields, and no key where there is none."""
        extra: dict[str, Any] = {}
        if self.settings.extra_body:
            extra["extra_body"] = dict(self.settings.extra_body)
        if not self.key and "authorization" not in {name.lower() for name in self.headers}:
            extra["extra_headers"] = {"Authorization": omit}
        return extra

    def most(self, call: Call) -> int:
        """How much a reply to this call may hold."""
        return min(call.max_tokens, self.settings.max_tokens or call.max_tokens)

    def check(self, call: Call) -> None:
        """Refuses a prompt that would cost more than anybody reckoned with."""
        most = most_tokens(call.messages)
        if self.dearer_above is not None and most > self.dearer_above:
            raise ModelError(
                f"the prompt may hold {most} tokens, and above {self.dearer_above} {self.name} costs more than "
                "its price says; give it less, or say the higher price in geak.toml",
                Trouble.REQUEST,
            )

    def scrubbed(self, text: str) -> str:
        """A text that somebody else wrote, without our secrets and without control characters."""
        text = _KEYLIKE.sub(HIDDEN, without(text, self._secrets()))
        return "".join(c if c.isprintable() else " " for c in text)

    def _secrets(self) -> frozenset[str]:
        found = {self.key, *self.query.values()} | {value.removeprefix("Bearer ") for value in self.headers.values()}
        found |= in_address(self.base_url) | in_address(self.proxy)
        return worth_hiding(found | {value for name, value in self.environment.items() if is_secret(name)})

    async def _seen(self, request: httpx2.Request) -> None:
        if self.watch is None:
            return
        text = (await request.aread()).decode("utf-8", "replace")
        self.watch(
            {
                "method": request.method,
                "url": shown(str(request.url)),
                "headers": {name: v if name.lower() in _SHOWN else HIDDEN for name, v in request.headers.items()},
                "body": json.loads(self.scrubbed(text)) if text else None,
            }
        )


class Remote:
    """What every model behind an endpoint has in common."""

    def __init__(self, endpoint: Endpoint, price: Price | None, concurrency: int, note: str = "") -> None:
        self.name = endpoint.name
        self.price = price
        self.paid = price is None or bool(price.input or price.output)
        self.note = note
        self.concurrency = concurrency
        self.endpoint = endpoint

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def no_temperature(self, asked: float) -> None:
        """Notes that this model was asked for a temperature, which it does not take."""
        self.note = f"{self.name} takes no temperature here; {asked:g} was left out"


def shown(url: str) -> str:
    """An address without a name, a password or a value that may be secret."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = "&".join(f"{name}={value if name == 'api-version' else HIDDEN}" for name, value in pairs)
    return urlunsplit((parts.scheme, host, parts.path, query, ""))


def words(message: Message) -> str:
    """A message's text as JSON can carry it: half a character, which a file may hold, becomes a question mark."""
    return message.text.encode("utf-8", "replace").decode("utf-8")


@cache
def _usual_authorities() -> ssl.SSLContext:
    # A tenth of a second each time; one does for all.
    return httpx2.create_ssl_context()


def _authorities(settings: ModelSettings) -> ssl.SSLContext:
    path = Path(settings.ca_bundle).expanduser()
    try:
        return ssl.create_default_context(cafile=str(path))
    except (OSError, ssl.SSLError) as error:
        why = (error.strerror or "it holds no certificate").lower() if not isinstance(error, ssl.SSLError) else ""
        raise UsageError(f"ca_bundle {path}: {why or 'it holds no certificate that can be read'}") from None


def _lines(headers: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in headers.splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}
