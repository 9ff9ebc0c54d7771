"""A provider on the loopback that speaks the wire protocols of Anthropic's and OpenAI's SDKs, and misbehaves on demand.

    with Provider(Status(429, headers={"retry-after": "7"}), Says("hello")) as provider:
        ... # ask at provider.url (Anthropic) or provider.url + "/v1" (OpenAI, chat completions)

Each request takes the next behaviour; a function of the request stands for as many as are wanted.
"""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import struct
import threading
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

from geak.models.base import Finish, Usage

USUAL = Usage(input=11, output=7)


@dataclass(frozen=True)
class Says:
    """A whole reply, streamed in two pieces."""

    text: str
    finish: Finish = "stop"
    usage: Usage = USUAL
    counts: bool = True
    """Whether it says its usage; some servers of chat completions do not."""


@dataclass(frozen=True)
class Breaks:
    """A reply that begins and does not end as it should."""

    how: str
    """"cut": the connection is closed; "ends": the stream ends cleanly too early; "garbled": broken JSON;
    "silent": nothing more comes; "pings": nothing but signs of life."""
    text: str = "half of a rep"


@dataclass(frozen=True)
class Complains:
    """An error in a stream that began with 200."""

    code: str
    message: str = "so it is"
    after: str = ""
    """What was said before it; nothing is not even a beginning."""


@dataclass(frozen=True)
class Status:
    """A plain HTTP answer."""

    code: int
    body: object = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Drops:
    """The connection is closed before a word."""


@dataclass(frozen=True)
class Holds:
    """The connection is kept, and nothing is ever said."""


@dataclass(frozen=True)
class Request:
    """What was asked."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    """By their names in small letters."""
    body: dict[str, Any]


Behaviour = Says | Breaks | Complains | Status | Drops | Holds
Events = list[tuple[str, Any]]


def error(kind: str, message: str) -> dict[str, Any]:
    """An error's body as Anthropic and OpenAI both can read it."""
    return {"type": "error", "error": {"type": kind, "code": kind, "message": message, "param": None}}


class Provider:
    """The server; `requests` is what it was asked so far."""

    def __init__(self, *behaviours: Behaviour | Callable[[Request], Behaviour]) -> None:
        self.requests: list[Request] = []
        self._behaviours = list(behaviours)
        self._lock = threading.Lock()
        self.stopping = threading.Event()

    def __enter__(self) -> Provider:
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Its address, as Anthropic's SDK wants it."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def v1(self) -> str:
        """Its address, as OpenAI's SDK wants it."""
        return f"{self.url}/v1"

    def take(self, request: Request) -> Behaviour:
        """What to do with a request."""
        with self._lock:
            self.requests.append(request)
            if not self._behaviours:
                return Status(500, error("server_error", "this test asks more often than it said"))
            first = self._behaviours[0]
            if not callable(first):
                return self._behaviours.pop(0)  # type: ignore[return-value]
        return first(request)


def nobody() -> str:
    """An address on the loopback where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # with the usual 5, callers that come together are turned away

    def __init__(self, provider: Provider) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.provider = provider

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that leaves early is what some tests are about


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    _framed = False

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", 0))
        url = urlsplit(self.path)
        request = Request(
            url.path,
            dict(parse_qsl(url.query)),
            {name.lower(): value for name, value in self.headers.items()},
            json.loads(self.rfile.read(length) or b"{}"),
        )
        behaviour = self.server.provider.take(request)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._behave(request, behaviour)

    def _behave(self, request: Request, behaviour: Behaviour) -> None:
        if isinstance(behaviour, Status):
            self._plain(behaviour)
        elif isinstance(behaviour, Drops):
            self.close_connection = True
        elif isinstance(behaviour, Holds):
            self.server.provider.stopping.wait()
            self.close_connection = True
        else:
            self._framed = request.path.startswith("/model/")  # Amazon's Bedrock, which has frames of its own
            self._begin()
            self._stream(_speak(request), behaviour)

    def _plain(self, status: Status) -> None:
        text = status.body if isinstance(status.body, str) else json.dumps(status.body)
        self.send_response(status.code)
        kind = {} if "content-type" in status.headers else {"content-type": "application/json"}
        for name, value in {**kind, **status.headers, "content-length": str(len(text.encode()))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def _begin(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/vnd.amazon.eventstream" if self._framed else "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def _stream(self, speak: _Speech, behaviour: Says | Breaks | Complains) -> None:
        if isinstance(behaviour, Says):
            events = [*speak.begin(), *speak.text(behaviour.text), *speak.end(behaviour)]
            self._send(*events)
            self._end()
            return
        text = behaviour.text if isinstance(behaviour, Breaks) else behaviour.after
        if text:
            self._send(*speak.begin(), *speak.text(text))
        if isinstance(behaviour, Complains):
            self._send(*speak.complaint(behaviour))
            self._end()
        elif behaviour.how == "ends":
            self._end()
        elif behaviour.how == "garbled":
            self._chunk(b'event: content_block_delta\ndata: {"type": "content_bl\n\n')
            self._end()
        elif behaviour.how == "silent":
            self.server.provider.stopping.wait()
        elif behaviour.how == "pings":
            while not self.server.provider.stopping.wait(0.02):
                self._chunk(speak.ping)
        self.close_connection = True

    def _send(self, *events: tuple[str, Any]) -> None:
        for name, data in events:
            text = data if isinstance(data, str) else json.dumps(data)
            if self._framed:
                self._chunk(_frame(name, text))
                continue
            self._chunk((f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode())

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def _end(self) -> None:
        self.wfile.write(b"0\r\n\r\n")


def _frame(name: str, text: str) -> bytes:
    """An event in Amazon's frame: lengths, headers, payload, two checksums; an error is an exception."""
    headers = {":content-type": "application/json"}
    if name == "error":
        told = json.loads(text)["error"]
        payload = json.dumps({"message": told["message"]}).encode()
        headers |= {":message-type": "exception", ":exception-type": told["type"]}
    else:
        payload = json.dumps({"bytes": base64.b64encode(text.encode()).decode()}).encode()
        headers |= {":message-type": "event", ":event-type": "chunk"}
    packed = b"".join(
        struct.pack("!B", len(key)) + key.encode() + struct.pack("!BH", 7, len(value)) + value.encode()
        for key, value in headers.items()
    )
    prelude = struct.pack("!II", len(packed) + len(payload) + 16, len(packed))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + packed + payload
    return message + struct.pack("!I", zlib.crc32(message))


def _halves(text: str) -> Iterator[str]:
    yield from (text[: len(text) // 2], text[len(text) // 2 :])


class _Speech(ABC):
    """One protocol: the events of a reply's beginning, of its text and of its end."""

    ping = b": ping\n\n"

    def __init__(self, request: Request) -> None:
        self.model = request.body.get("model", "unnamed") + "-20260101"

    @abstractmethod
    def begin(self) -> Events: ...

    @abstractmethod
    def text(self, text: str) -> Events: ...

    @abstractmethod
    def end(self, says: Says) -> Events: ...

    @abstractmethod
    def complaint(self, complains: Complains) -> Events: ...


class _Messages(_Speech):
    """Anthropic's Messages."""

    ping = b'event: ping\ndata: {"type": "ping"}\n\n'
    _STOP: ClassVar = {"stop": "end_turn", "length": "max_tokens", "refusal": "refusal"}

    def begin(self) -> Events:
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": self.model, "content": []}
        counts = {"input_tokens": 1, "output_tokens": 1}
        start = {**message, "stop_reason": None, "stop_sequence": None, "usage": counts}
        return [_typed("message_start", message=start), _typed("ping")]

    def text(self, text: str) -> Events:
        # What a model thinks comes first, and is no text.
        thought = {"type": "thinking", "thinking": "", "signature": ""}
        if not text:
            return []
        return [
            _typed("content_block_start", index=0, content_block=thought),
            _typed("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "let me see"}),
            _typed("content_block_stop", index=0),
            _typed("content_block_start", index=1, content_block={"type": "text", "text": ""}),
            *(
                _typed("content_block_delta", index=1, delta={"type": "text_delta", "text": half})
                for half in _halves(text)
            ),
        ]

    def end(self, says: Says) -> Events:
        usage = says.usage
        counts = {
            "input_tokens": usage.input,
            "output_tokens": usage.output,
            "cache_read_input_tokens": usage.cached,
            "cache_creation_input_tokens": usage.cache_written,
            "output_tokens_details": {"thinking_tokens": usage.reasoning},
        }
        delta = {"stop_reason": self._STOP[says.finish], "stop_sequence": None}
        stop = [_typed("content_block_stop", index=1)] if says.text else []
        return [*stop, _typed("message_delta", delta=delta, usage=counts), _typed("message_stop")]

    def complaint(self, complains: Complains) -> Events:
        return [("error", error(complains.code, complains.message))]


class _Responses(_Speech):
    """OpenAI's Responses."""

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self._said = ""

    def _response(self, status: str, **more: Any) -> dict[str, Any]:
        base = {"id": "resp_1", "object": "response", "created_at": 1, "model": self.model, "output": []}
        rest = {"parallel_tool_calls": False, "tool_choice": "auto", "tools": [], "error": None}
        return {**base, **rest, "status": status, "incomplete_details": None, "usage": None, **more}

    def begin(self) -> Events:
        response = self._response("in_progress")
        return [
            _typed("response.created", sequence_number=0, response=response),
            _typed("response.in_progress", sequence_number=1, response=response),
        ]

    def text(self, text: str) -> Events:
        self._said = text
        where = {"item_id": "msg_1", "output_index": 0, "content_index": 0, "logprobs": []}
        return [_typed("response.output_text.delta", sequence_number=2, delta=half, **where) for half in _halves(text)]

    def end(self, says: Says) -> Events:
        part = {"type": "output_text", "text": self._said, "annotations": []}
        if says.finish == "refusal":
            part = {"type": "refusal", "refusal": self._said}
        item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
        thought = {"id": "rs_1", "type": "reasoning", "summary": []}
        usage = _counts(says.usage, "input_tokens", "output_tokens")
        kind, why = ("incomplete", {"reason": "max_output_tokens"}) if says.finish == "length" else ("completed", None)
        output = [thought, item] if self._said else [thought]
        response = self._response(kind, output=output, usage=usage, incomplete_details=why)
        return [_typed(f"response.{kind}", sequence_number=9, response=response)]

    def complaint(self, complains: Complains) -> Events:
        said = {"code": complains.code, "message": complains.message}
        if complains.after:
            return [_typed("response.failed", sequence_number=9, response=self._response("failed", error=said))]
        return [_typed("error", sequence_number=0, param=None, **said)]


class _Chat(_Speech):
    """Chat completions."""

    def _chunk(self, delta: dict[str, Any] | None, finish: str | None = None, usage: Any = None) -> tuple[str, Any]:
        choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
        base = {"id": "chat_1", "object": "chat.completion.chunk", "created": 1, "model": self.model}
        return "", {**base, "choices": choices, "usage": usage}

    def begin(self) -> Events:
        return [self._chunk({"role": "assistant", "content": ""})]

    def text(self, text: str) -> Events:
        return [self._chunk({"reasoning_content": "hm"}), *(self._chunk({"content": half}) for half in _halves(text))]

    def end(self, says: Says) -> Events:
        finish = {"stop": "stop", "length": "length", "refusal": "content_filter"}[says.finish]
        usage = [self._chunk(None, usage=_counts(says.usage, "prompt_tokens", "completion_tokens"))]
        last = self._chunk({}, finish)
        last[1]["choices"][0]["delta"] = None  # as some servers end
        return [last, *(usage if says.counts else []), ("", "[DONE]")]

    def complaint(self, complains: Complains) -> Events:
        return [("", error(complains.code, complains.message))]


def _typed(kind: str, **fields: Any) -> tuple[str, Any]:
    return kind, {"type": kind, **fields}


def _counts(usage: Usage, given: str, written: str) -> dict[str, Any]:
    whole = usage.input + usage.cached + usage.cache_written
    return {
        given: whole,
        f"{given}_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_written},
        written: usage.output,
        f"{written}_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": whole + usage.output,
    }


def _speak(request: Request) -> _Speech:
    if request.path.endswith(("/messages", ":streamRawPredict", "/invoke-with-response-stream")):
        return _Messages(request)
    return _Responses(request) if request.path.endswith("/responses") else _Chat(request)
