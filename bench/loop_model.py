"""A model on loopback for the benches of loop and batch: streamed completions of a set latency, a kernel in each."""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

JUDGEMENT = {"cause": "loads are narrow", "advice": "widen them", "tried": "a plain kernel", "outcome": "neutral"}
PLAN = {"change": "take more elements for each program", "why": "the loads are narrow"}


def waits(latency: float, jitter: float, number: int) -> float:
    """How long the answer to the question of that number takes: the same questions, the same time in all."""
    return latency + jitter * (2 * random.Random(number).random() - 1)


@contextmanager
def serving(kernel: str, latency: float, jitter: float = 0.0) -> Iterator[str]:
    """A server that answers each question after `latency` seconds, give or take the jitter; its base URL."""
    numbers = itertools.count()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            until = time.monotonic() + waits(latency, jitter, next(numbers))
            prompt = "\n".join(_text(message["content"]) for message in asked["messages"])
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            for chunk in _chunks(asked["model"], prompt, kernel):
                if "usage" in chunk:
                    time.sleep(max(until - time.monotonic(), 0))
                self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.write(b"data: [DONE]\n\n")
            self.close_connection = True

        def log_message(self, *arguments: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 128  # as many may knock at once

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def serving_apart(kernel: str, latency: float, jitter: float = 0.0) -> Iterator[str]:
    """The same in a process of its own, so that it takes no time of the one that asks."""
    line = [sys.executable, __file__, kernel, str(latency), str(jitter)]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _chunks(model: str, prompt: str, kernel: str) -> Iterator[dict[str, Any]]:
    role = model.removeprefix("loopback-")
    answer = {
        "generator": f"The same, once more.\n\n```python\n{kernel}\n# {time.monotonic_ns()}\n```\n",
        "reflector": json.dumps(JUDGEMENT),
        "optimizer": json.dumps(PLAN),
    }[role]
    first: dict[str, Any] = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": model}
    yield first | {"choices": [{"index": 0, "delta": {"role": "assistant", "content": answer}, "finish_reason": None}]}
    yield first | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    tokens = {"prompt_tokens": len(prompt) // 4, "completion_tokens": len(answer) // 4}
    yield first | {"choices": [], "usage": tokens | {"total_tokens": sum(tokens.values())}}


if __name__ == "__main__":
    with serving(sys.argv[1], float(sys.argv[2]), float(sys.argv[3])) as url:
        print(url, flush=True)
        sys.stdin.read()
