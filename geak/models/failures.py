"""What went wrong between us and a provider, as one sentence for a person and a trouble for the policy."""

from __future__ import annotations

import datetime
import email.utils
import json
import os
import ssl
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2

from geak.errors import ModelError, Trouble
from geak.models.endpoint import Endpoint, shown

_SAID = 300
_LONGER = "a table [models.NAME] in geak.toml can give it a longer timeout"

_STATUS_OF = {
    # What Anthropic names its errors, also in the middle of a stream that began with 200.
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
    # And OpenAI, in a response that ends as failed.
    "invalid_prompt": 400,
    "context_length_exceeded": 413,
    "model_not_found": 404,
    "rate_limit_exceeded": 429,
    "server_error": 500,
}
_EMPTY = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "billing_error"})
_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.WriteError, httpx2.WriteTimeout)


class Said(Exception):
    """The provider said in its reply that it cannot go on."""

    def __init__(self, code: object, message: object) -> None:
        super().__init__()
        self.body = {"code": code, "message": message}


class Cut(Exception):
    """The reply came to an end that is not its own; it may not have been a model's reply at all."""

    def __init__(self, began: bool, headers: Mapping[str, str]) -> None:
        super().__init__()
        self.began = began
        self.kind = headers.get("content-type", "").partition(";")[0].strip()
        self.strange = not began and self.kind != "text/event-stream"


def failure(endpoint: Endpoint, error: Exception, began: bool) -> ModelError:
    """What happened, for a person; `began` is whether any of the reply had come."""
    if isinstance(error, ModelError):
        return error
    status, body = getattr(error, "status_code", None), getattr(error, "body", None)
    if status is not None or body is not None:
        return _refused(endpoint, error, status, body, began)
    if isinstance(error, Cut):
        return _foreign(endpoint, error) if error.strange else _cut(endpoint, error.began)
    if isinstance(error, TimeoutError):
        sentence = f"{endpoint.who} was not done after {endpoint.seconds:g} s; {_LONGER}"
        return ModelError(sentence, Trouble.TIMEOUT, charged=True)
    causes = tuple(_chain(error))
    for cause in causes:
        if isinstance(cause, httpx2.TransportError | ssl.SSLError | httpx2.InvalidURL):
            return _broken(endpoint, cause, causes, began)
    if began or isinstance(error, json.JSONDecodeError | UnicodeDecodeError | httpx2.DecodingError):
        return _cut(endpoint, began, "held something that cannot be read")
    why = _told(endpoint, str(error)) or f": {type(error).__name__}"
    return ModelError(f"{endpoint.who} could not be asked{why}", Trouble.REQUEST)


def _refused(endpoint: Endpoint, error: Exception, status: int | None, body: object, began: bool) -> ModelError:
    codes, words = _read(body)
    if status is None or status < 300:
        status = next((_STATUS_OF[code] for code in codes if code in _STATUS_OF), 0)
    said = _told(endpoint, words)
    response = getattr(error, "response", None)
    headers: Mapping[str, str] = getattr(response, "headers", {})
    trouble, sentence = _sentence(endpoint, status, codes, words.lower(), headers)
    shown_status = f" ({status})" if status else ""
    begin, _, do = sentence.partition("; ")
    return ModelError(
        f"{begin}{shown_status}{said}; {do}",
        trouble,
        retry_after=_retry_after(headers) if trouble in (Trouble.LIMIT, Trouble.BUSY) else None,
        charged=began,
    )


def _sentence(
    endpoint: Endpoint, status: int, codes: frozenset[str], words: str, headers: Mapping[str, str]
) -> tuple[Trouble, str]:
    who, model = endpoint.who, endpoint.settings.model
    key = f"the key in {endpoint.key_name}" if endpoint.key_name else "who asks"
    if status == 402 or codes & _EMPTY or (status < 500 and "credit balance" in words):
        return (
            Trouble.BALANCE,
            f"{who} says that the account has nothing left to spend; add credit there, or name another model",
        )
    if status == 401 and not endpoint.key_name:
        return Trouble.KEY, f"{who} wants a key; a table [models.NAME] in geak.toml names its variable as api_key_env"
    if status == 401:
        return Trouble.KEY, f"{who} does not accept {key}; put one that it knows there"
    if status == 403:
        return Trouble.KEY, f"{who} does not let {key} use {model!r}; ask for access, or name another model"
    if status == 404 or "model_not_found" in codes:
        where = endpoint.where
        return Trouble.UNKNOWN_MODEL, f"{who} knows no model {model!r} at {where}; check the name and base_url"
    if status == 413 or "context_length_exceeded" in codes or "context length" in words or "too long" in words:
        return Trouble.REQUEST, f"the prompt is too long for {who}; give it a shorter kernel, spec or hint"
    if status == 429:
        wait = _retry_after(headers)
        asked = "" if wait is None else f" for {wait:g} s"
        return Trouble.LIMIT, f"{who} asks to wait{asked}; ask fewer at a time with concurrency in geak.toml"
    if status == 529 or "overloaded_error" in codes:
        return Trouble.BUSY, f"{who} has too much to do just now; try again later"
    if status == 408:
        return Trouble.TIMEOUT, f"{who} gave up waiting; try again later"
    if status >= 500 or status == 409:
        return Trouble.BUSY, f"{who} has a fault of its own; try again later"
    if 300 <= status < 400:
        there = shown(headers.get("location", "")) or "another address"
        return Trouble.REQUEST, f"{who} sends its callers to {there}; put that in base_url if you trust it"
    if status:
        return Trouble.REQUEST, f"{who} does not take the request as it is; check effort, max_tokens and extra_body"
    return Trouble.BUSY, f"{who} stopped in the middle of its reply; try again later"


def _broken(endpoint: Endpoint, cause: Exception, causes: tuple[BaseException, ...], began: bool) -> ModelError:
    where = endpoint.where
    if isinstance(cause, httpx2.ReadTimeout):
        sentence = f"{endpoint.who} said nothing for {endpoint.silence:g} s; {_LONGER}"
        return ModelError(sentence, Trouble.TIMEOUT, charged=True)
    if isinstance(cause, httpx2.UnsupportedProtocol | httpx2.InvalidURL | httpx2.LocalProtocolError):
        sentence = f"nothing can be sent to {where} as it is; check base_url, headers and query"
        return ModelError(sentence, Trouble.REQUEST)
    if any(isinstance(c, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY" in str(c) for c in causes):
        sentence = (
            f"the certificate at {where} is not trusted here; name its authority's file as ca_bundle in geak.toml"
        )
        return ModelError(sentence, Trouble.REQUEST)
    if isinstance(cause, httpx2.ProxyError):
        sentence = f"the proxy between here and {where} does not let it through; check proxy in geak.toml"
        return ModelError(sentence, Trouble.CONNECTION)
    if isinstance(cause, _NEVER_SENT):
        sentence = f"{endpoint.who} could not be reached at {where}: {_reason(cause, causes)}; check the network"
        return ModelError(f"{sentence}, base_url and proxy", Trouble.CONNECTION)
    return _cut(endpoint, began)


def _foreign(endpoint: Endpoint, error: Cut) -> ModelError:
    sentence = f"what answers at {endpoint.where} sent {error.kind or 'something'} and not a model's reply"
    return ModelError(f"{sentence}; check base_url", Trouble.REQUEST, charged="json" in error.kind)


def _cut(endpoint: Endpoint, began: bool, how: str = "") -> ModelError:
    if began or how:
        sentence = f"the reply of {endpoint.who} {how or 'ended in the middle'}; what had come is lost and may have to"
    else:
        sentence = f"{endpoint.who} closed the connection before its reply, which may have to"
    return ModelError(f"{sentence} be paid for", Trouble.CUT, charged=True)


def _reason(cause: Exception, causes: tuple[BaseException, ...]) -> str:
    # What the system says: the words of other errors may hold what was sent.
    for error in reversed(causes):
        if isinstance(error, OSError) and (error.errno or error.strerror):
            # asyncio puts words of its own, and an address, where the system's belong.
            system = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
            return str(system).lower()
    return "no answer in time" if isinstance(cause, httpx2.TimeoutException) else "no connection"


def _read(body: object) -> tuple[frozenset[str], str]:
    """The codes and the words of an error as the providers write it, or as something between them does."""
    inner: Any = body.get("error", body) if isinstance(body, Mapping) else body
    if not isinstance(inner, Mapping):
        return frozenset(), inner if isinstance(inner, str) else ""
    words = next((inner[key] for key in ("message", "detail", "error") if isinstance(inner.get(key), str)), "")
    return frozenset(str(inner[key]) for key in ("type", "code") if inner.get(key)), words


def _told(endpoint: Endpoint, words: str) -> str:
    text = " ".join(endpoint.scrubbed(words).split())
    if not text or text.startswith("<"):  # a page for a browser says nothing here
        return ""
    short = text if len(text) <= _SAID else text[: _SAID - 3] + "..."
    return f": {short.rstrip('.')}"


def _retry_after(headers: Mapping[str, str]) -> float | None:
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit)
        except (KeyError, ValueError):
            continue
    try:
        then = email.utils.parsedate_to_datetime(headers["retry-after"])
    except (KeyError, ValueError):
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=datetime.UTC)
    return max(0.0, (then - datetime.datetime.now(datetime.UTC)).total_seconds())


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__
