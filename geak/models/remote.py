"""Models behind an endpoint: where they are asked, with which key, and what they cost."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from geak.errors import MissingKey, ModelError, Trouble, UsageError
from geak.models.base import Model, Price
from geak.models.config import KEYS, ModelSettings, expand
from geak.models.endpoint import Endpoint, Watch
from geak.models.prices import dearer_above, price_of

CONCURRENCY = 8
WITHOUT_A_KEY = (
    "without one, scripted:FILE gives replies from a file, command:PROGRAM asks a program of yours, and "
    "openai-compatible:NAME a server of yours"
)
_AT = {"anthropic": "https://api.anthropic.com", "openai": "https://api.openai.com/v1"}
_BASE_URL = {
    "anthropic": "ANTHROPIC_BASE_URL",
    "openai": "OPENAI_BASE_URL",
    "openai-compatible": "OPENAI_COMPATIBLE_BASE_URL",
}
_LIBRARY = {"bedrock": "aws", "vertex": "google"}
_AUTHORITY = frozenset({"authorization", "x-api-key", "api-key"})


def remote(name: str, settings: ModelSettings, environment: Mapping[str, str], watch: Watch | None = None) -> Model:
    """The model that these settings mean, ready to be asked; or an error about what is missing."""
    endpoint = _endpoint(name, settings, environment, watch)
    concurrency = settings.concurrency or CONCURRENCY
    price, above = _price(endpoint)
    endpoint = replace(endpoint, dearer_above=above)
    if settings.kind == "anthropic":
        from geak.models.anthropic import Anthropic

        return Anthropic(endpoint, price, concurrency)
    if settings.kind == "openai":
        from geak.models.openai import OpenAI

        return OpenAI(endpoint, price, concurrency)
    from geak.models.compatible import Compatible

    here = price is not None and price.source == _HERE
    return Compatible(endpoint, price, concurrency, "a server on this machine, taken to cost nothing" if here else "")


_HERE = "a server on this machine"


def _price(endpoint: Endpoint) -> tuple[Price | None, int | None]:
    settings = endpoint.settings
    if settings.price is not None:
        return settings.price, None
    if settings.client == "azure":  # a deployment is named by its owner
        return None, None
    if settings.kind == "openai-compatible" and _is_here(endpoint.base_url):
        return Price(0.0, 0.0, source=_HERE), None
    where = endpoint.base_url if settings.kind == "openai-compatible" else ""
    provider = _LIBRARY.get(settings.client, settings.kind)
    price = price_of(provider, settings.model, base_url=where, asked=settings.extra_body)
    return price, dearer_above(provider, settings.model, base_url=where)


def _is_here(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _endpoint(name: str, settings: ModelSettings, environment: Mapping[str, str], watch: Watch | None) -> Endpoint:
    where = f"[models.{name}]"
    headers = {key: _header(text, environment, f"{where} headers.{key}") for key, text in settings.headers.items()}
    query = {key: expand(text, environment, f"{where} query.{key}") for key, text in settings.query.items()}
    settings = _in_a_cloud(name, settings, environment)
    base_url = expand(settings.base_url, environment, f"{where} base_url") or _address(name, settings, environment)
    key_name, key = _key(name, settings, environment, signed=bool(_AUTHORITY & {h.lower() for h in headers}))
    return Endpoint(
        name=name,
        who=_who(settings, base_url),
        settings=settings,
        environment=environment,
        base_url=base_url,
        key=key,
        key_name=key_name,
        headers=headers,
        query=query,
        proxy=expand(settings.proxy, environment, f"{where} proxy"),
        watch=watch,
    )


def _header(text: str, environment: Mapping[str, str], where: str) -> str:
    value = expand(text, environment, where).strip()
    if not value.isascii() or not value.isprintable():
        raise UsageError(f"{where} holds characters that a header cannot carry")
    return value


def _who(settings: ModelSettings, base_url: str) -> str:
    if settings.kind == "openai-compatible":
        return f"the server at {urlsplit(base_url).netloc.rpartition('@')[2]}"
    return f"{settings.kind} on {settings.client}" if settings.client else settings.kind


def _address(name: str, settings: ModelSettings, environment: Mapping[str, str]) -> str:
    if settings.client == "azure":
        return f"https://{settings.resource}.openai.azure.com"
    if settings.client == "bedrock":
        return f"https://bedrock-runtime.{settings.region}.amazonaws.com"
    if settings.client == "vertex":
        return ""  # the SDK knows the address of each region
    variable = _BASE_URL[settings.kind]
    found = environment.get(variable, "").strip() or _AT.get(settings.kind, "")
    if not found:
        raise UsageError(
            f"{name} needs the address of its server: set {variable} (vLLM's is http://localhost:8000/v1, Ollama's "
            "http://localhost:11434/v1), or base_url in a table [models.NAME]"
        )
    if not found.startswith(("http://", "https://")):
        raise UsageError(f"{variable} should begin with http:// or https://")
    return found


def _in_a_cloud(name: str, settings: ModelSettings, environment: Mapping[str, str]) -> ModelSettings:
    """The settings with what the cloud's own variables say, and a sentence about what they do not."""
    needed: dict[str, tuple[tuple[str, ...], str]] = {}
    if settings.client == "azure":
        needed["api_version"] = ("OPENAI_API_VERSION",), "the version of its interface"
        if not settings.base_url:
            if endpoint := environment.get("AZURE_OPENAI_ENDPOINT"):
                settings = replace(settings, base_url=endpoint)
            else:
                needed["resource"] = (), "the name of its resource"
    elif settings.client == "bedrock":
        needed["region"] = ("AWS_REGION", "AWS_DEFAULT_REGION"), "the region that it is asked in"
    elif settings.client == "vertex":
        needed["region"] = ("CLOUD_ML_REGION",), "the region that it is asked in"
        project = settings.project or environment.get("ANTHROPIC_VERTEX_PROJECT_ID", "")
        settings = replace(settings, project=project)
    for key, (variables, what) in needed.items():
        value = getattr(settings, key) or next((environment[v] for v in variables if environment.get(v)), "")
        if not value:
            instead = "".join(f", or set {variable}" for variable in variables[:1])
            raise UsageError(f"[models.{name}] needs {key}, {what}{instead}")
        changed: dict[str, Any] = {key: value}
        settings = replace(settings, **changed)
    return settings


def _key(name: str, settings: ModelSettings, environment: Mapping[str, str], *, signed: bool) -> tuple[str, str]:
    """The variable that holds the key, and the key."""
    if signed and not settings.api_key_env:
        return "", ""  # the headers say who asks; a key that was meant for somebody else stays here
    names = (settings.api_key_env,) if settings.api_key_env else KEYS[settings.client or settings.kind]
    for variable in names:
        key = environment.get(variable, "").strip()
        if key and (not key.isascii() or not key.isprintable()):
            raise ModelError(f"{variable} holds characters that no key has; copy the key there again", Trouble.KEY)
        if key:
            return variable, key
    optional = settings.kind == "openai-compatible" or settings.client in ("bedrock", "vertex")
    if optional and not settings.api_key_env:
        return "", ""
    raise MissingKey(
        f"{names[0]} is not set, and {name} cannot be asked without a key; set it in the environment or in .env; "
        f"{WITHOUT_A_KEY}",
    )
