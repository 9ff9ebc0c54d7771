"""What `geak.toml` says of models: a table `[models.NAME]` each, read strictly and kept without a secret's value."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, get_args

from geak.errors import UsageError
from geak.hiding import in_address, is_secret, is_secret_header, worth_hiding
from geak.models.base import Price

Kind = Literal["anthropic", "openai", "openai-compatible", "command", "replay", "scripted", "compiler"]
Client = Literal["", "azure", "bedrock", "vertex"]
T = TypeVar("T")

KINDS: tuple[Kind, ...] = get_args(Kind)
_CLIENTS: tuple[Client, ...] = get_args(Client)
KEYS: Mapping[Kind | Client, tuple[str, ...]] = {
    "anthropic": ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
    "openai": ("OPENAI_API_KEY",),
    "openai-compatible": ("OPENAI_COMPATIBLE_API_KEY",),
    "azure": ("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN"),
    "bedrock": ("AWS_BEARER_TOKEN_BEDROCK",),
    "vertex": (),
}
"""Where a key is looked up, for each kind and each cloud that wants one."""
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True)
class ModelSettings:
    """One table `[models.NAME]`."""

    kind: Kind
    model: str
    """The provider's name for it; the line of a command; a run's folder; a script's file."""
    base_url: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """As written: `${NAME}` stands for a variable of the environment until the model is opened."""
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca_bundle: str = ""
    proxy: str = field(default="", repr=False)
    timeout: float | None = None
    """Seconds that a whole reply may take."""
    max_tokens: int | None = None
    """How much one reply may hold at the most."""
    extra_body: Mapping[str, Any] = field(default_factory=dict, repr=False)
    price: Price | None = None
    concurrency: int | None = None
    api_key_env: str = ""
    client: Client = ""
    """Whose cloud it is asked in."""
    region: str = ""
    project: str = ""
    resource: str = ""
    api_version: str = ""
    env: tuple[str, ...] = ()
    """Variables of the environment that a command may see."""


_ANY = frozenset({"kind", "model", "price", "concurrency"})
_NET = frozenset(
    {*("base_url", "headers", "query", "ca_bundle", "proxy", "timeout", "max_tokens", "extra_body", "api_key_env")}
)
_MEANT: Mapping[str, frozenset[str]] = {
    "anthropic": _ANY | _NET | {"client", "region", "project"},
    "openai": _ANY | _NET | {"client", "resource", "api_version"},
    "openai-compatible": _ANY | _NET,
    "command": _ANY | {"timeout", "env"},
    "replay": _ANY,
    "scripted": _ANY,
    "compiler": _ANY - {"price", "concurrency"},
}
_KEYS = tuple(ModelSettings.__dataclass_fields__)


def tables_from(toml: Mapping[str, Any]) -> dict[str, ModelSettings]:
    """Every table `[models.NAME]` of a geak.toml."""
    models = toml.get("models", {})
    if not isinstance(models, Mapping):
        raise UsageError("geak.toml: models is no table; a model is written as [models.NAME]")
    return {name: read(name, table) for name, table in models.items()}


def read(name: str, table: Any) -> ModelSettings:
    """One table `[models.NAME]`, or UsageError with what is wrong about it."""
    where = f"[models.{name}]"
    if ":" in name or not name.strip():
        raise UsageError(f"{where}: a model's own name is a word without a colon")
    if not isinstance(table, Mapping):
        raise UsageError(f"{where} is no table; it says kind and model")
    for key in table:
        if key not in _KEYS:
            raise UsageError(f"{where} has no key {key!r}{near(key, _KEYS)}")
    fields = _Fields(where, table)
    kind = fields.one_of("kind", KINDS)
    for key in table:
        if key not in _MEANT[kind]:
            raise UsageError(f"{where}: {key} means nothing to a model of the kind {kind!r}; leave it out")
    settings = ModelSettings(
        kind=kind,
        model=fields.text("model", needed=True),
        base_url=fields.url("base_url"),
        headers=fields.texts("headers"),
        query=fields.texts("query"),
        ca_bundle=fields.text("ca_bundle"),
        proxy=fields.url("proxy"),
        timeout=fields.number("timeout", "seconds"),
        max_tokens=fields.whole("max_tokens", "tokens"),
        extra_body=fields.table("extra_body"),
        price=fields.price("price"),
        concurrency=fields.whole("concurrency", "calls at a time"),
        api_key_env=fields.variable("api_key_env"),
        client=fields.one_of("client", _CLIENTS) if "client" in table else "",
        **{key: fields.text(key) for key in ("region", "project", "resource", "api_version")},
        env=fields.variables("env"),
    )
    _fit(where, settings)
    return settings


def expand(text: str, environment: Mapping[str, str], where: str) -> str:
    """A text with each `${NAME}` replaced; a variable that is not set is named, a value never is."""

    def value(match: re.Match[str]) -> str:
        variable = match[1]
        if not environment.get(variable):
            raise UsageError(f"{where} asks for the variable {variable}, which is not set; set it, or leave that out")
        return environment[variable]

    return _REFERENCE.sub(value, text)


def secrets(tables: Iterable[ModelSettings], environment: Mapping[str, str]) -> frozenset[str]:
    """The values that nobody else should see: of variables that are called so, and of all that a table names."""
    names = {name for name in environment if is_secret(name)}
    values: set[str] = set()
    for table in tables:
        texts = (*table.headers.values(), *table.query.values(), table.base_url, table.proxy)
        names.update(name for text in texts for name in _REFERENCE.findall(text))
        names.update({table.api_key_env, *table.env})
        values |= in_address(table.base_url) | in_address(table.proxy)
        # Written out rather than named by a variable: a key all the same.
        values |= {v.split()[-1] for n, v in table.headers.items() if is_secret_header(n) and v.split()}
    return worth_hiding(values | {environment.get(name, "").strip() for name in names})


def near(word: str, words: Collection[str]) -> str:
    """The end of a sentence about a word that does not exist."""
    found = difflib.get_close_matches(word, words, 1)
    return f"; did you mean {found[0]}?" if found else f"; there are {', '.join(words)}"


def _fit(where: str, settings: ModelSettings) -> None:
    if settings.client == "azure" and settings.kind != "openai":
        raise UsageError(f"{where}: the client azure goes with the kind openai")
    if settings.client in ("bedrock", "vertex") and settings.kind != "anthropic":
        raise UsageError(f"{where}: the client {settings.client} goes with the kind anthropic")
    price = settings.price
    if settings.kind == "command" and price is not None and (price.input or price.output):
        raise UsageError(f"{where}: the tokens of a command are not counted; its price can only be 0, or left out")


@dataclass(frozen=True)
class _Fields:
    """A table, asked for one key after the other."""

    where: str
    given: Mapping[str, Any]

    def _wrong(self, key: str, wanted: str) -> UsageError:
        # The value itself may be a secret in the wrong place.
        return UsageError(f"{self.where}: {key} should be {wanted}, and is {_kind_of(self.given.get(key))}")

    def _read(self, key: str, kind: type[T], wanted: str, nothing: T) -> T:
        value = self.given.get(key, nothing)
        if not isinstance(value, kind):
            raise self._wrong(key, wanted)
        return value

    def text(self, key: str, *, needed: bool = False) -> str:
        value = self._read(key, str, "a text", "")
        if needed and not value.strip():
            raise UsageError(f"{self.where} needs {key}: what is asked, such as a provider's name for it")
        _balanced(f"{self.where}: {key}", value)
        return value.strip()

    def url(self, key: str) -> str:
        value = self.text(key)
        if value and not value.startswith(("http://", "https://", "${")):
            raise UsageError(f"{self.where}: {key} should begin with http:// or https://")
        return value

    def one_of(self, key: str, words: tuple[T, ...]) -> T:
        value = self.given.get(key)
        for word in words:
            if value == word:
                return word
        shown = [str(word) for word in words if word]
        if not isinstance(value, str):
            raise UsageError(f"{self.where} needs {key}: one of {', '.join(shown)}")
        raise UsageError(f"{self.where}: there is no {key} {value[:40]!r}{near(value, shown)}")

    def number(self, key: str, wanted: str) -> float | None:
        if key not in self.given:
            return None
        value = self.given[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            raise self._wrong(key, f"a number of {wanted} above 0")
        return float(value)

    def whole(self, key: str, wanted: str) -> int | None:
        if key not in self.given:
            return None
        value = self.given[key]
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise self._wrong(key, f"a whole number of {wanted}, 1 or more")
        return value

    def table(self, key: str, wanted: str = "a table") -> Mapping[str, Any]:
        return self._read(key, dict, wanted, {})

    def texts(self, key: str) -> Mapping[str, str]:
        found = self.table(key, "a table of texts")
        for name, value in found.items():
            if not isinstance(value, str):
                raise UsageError(f"{self.where}: {key}.{name} should be a text, and is {_kind_of(value)}")
            _balanced(f"{self.where}: {key}.{name}", value)
        return found

    def variable(self, key: str) -> str:
        return _variable(f"{self.where}: {key}", self.text(key))

    def variables(self, key: str) -> tuple[str, ...]:
        found = self._read(key, list, "a list of names", [])
        if not all(isinstance(name, str) and name for name in found):
            raise self._wrong(key, "a list of names of variables")
        return tuple(_variable(f"{self.where}: {key}", name) for name in found)

    def price(self, key: str) -> Price | None:
        if key not in self.given:
            return None
        rates = self.table(key, "a table of dollars for a million tokens, such as {input = 3, output = 15}")
        words = ("input", "output", "cached", "cache_written")
        for word, rate in rates.items():
            if word not in words:
                raise UsageError(f"{self.where}: price has no key {word!r}{near(word, words)}")
            if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate < math.inf:
                raise UsageError(f"{self.where}: price.{word} should be dollars for a million tokens, 0 or more")
        if not {"input", "output"} <= set(rates):
            raise UsageError(f"{self.where}: price needs input and output, in dollars for a million tokens")
        given = float(rates["input"])
        # What is not said is not free: it is read like everything else.
        cached, written = (float(rates.get(word, given)) for word in ("cached", "cache_written"))
        return Price(given, float(rates["output"]), cached, written, source="geak.toml")


def _balanced(where: str, text: str) -> None:
    if "${" in _REFERENCE.sub("", text):
        raise UsageError(f"{where}: a variable is written as ${{NAME}}, with letters, digits and underscores")


def _variable(where: str, name: str) -> str:
    if name and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        # It may be the key itself.
        raise UsageError(f"{where} should name a variable of the environment, such as MY_KEY; the value stays there")
    return name


def _kind_of(value: object) -> str:
    kinds: dict[type, str] = {str: "a text", bool: "true or false", int: "a number", float: "a number", list: "a list"}
    return kinds.get(type(value), "a table" if isinstance(value, Mapping) else "missing")
