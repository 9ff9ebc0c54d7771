"""Frames between the judge and a child: a nonce, a status, a length, a body. No pickle, and nothing is parsed here."""

from __future__ import annotations

import socket
import struct

HEADER = struct.Struct("<16sBI")

OK, RAISED, REFUSED, CALLS = 0, 1, 2, 3
"""A child's own word on how it went: done, an exception, a request it could not serve, a call that it needs made."""


class Channel:
    """The child's end: reads a request, answers it with the request's own nonce."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._nonce = bytes(16)

    def receive(self) -> bytes | None:
        """The next request, or None when the judge is done."""
        header = self._exactly(HEADER.size)
        if header is None:
            return None
        self._nonce, _, length = HEADER.unpack(header)
        return self._exactly(length)

    def reply(self, body: bytes = b"", status: int = OK) -> None:
        """Answers the last request."""
        self._socket.sendall(HEADER.pack(self._nonce, status, len(body)) + body)

    def _exactly(self, size: int) -> bytes | None:
        parts = bytearray()
        while len(parts) < size:
            part = self._socket.recv(min(size - len(parts), 1 << 20))
            if not part:
                return None
            parts += part
        return bytes(parts)
