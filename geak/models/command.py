"""`command:PROGRAM ARGS`: any program that reads a prompt on standard input and writes a reply on standard output."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import shutil
import signal
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from geak.errors import ModelError, Trouble, UsageError
from geak.models.base import Call, Message, Price, Reply
from geak.models.config import ModelSettings

if TYPE_CHECKING:
    from geak.models.endpoint import Watch

SECONDS = 1200.0
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TERM", "TMPDIR")
_LONGEST = 1 << 23
_TAIL = 400
_GRACE = 1.0
_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)")
_TRY_AGAIN = 75  # EX_TEMPFAIL, by an old custom of mail programs


class Command:
    """A program that answers."""

    paid = False

    def __init__(
        self, name: str, settings: ModelSettings, environment: Mapping[str, str], watch: Watch | None = None
    ) -> None:
        self.name = name
        self.price: Price | None = settings.price
        self.concurrency = settings.concurrency or 2
        self._argv = _words(settings.model, environment)
        self._program = os.path.basename(self._argv[0])
        self._environment = {
            key: value
            for key, value in environment.items()
            if key in _PASSED_ON or key.startswith("XDG_") or key in settings.env
        }
        self._watch = watch
        self._seconds = settings.timeout or SECONDS
        self.note = "" if self.price is not None else f"what {self._program} costs is not known to geak"

    def __repr__(self) -> str:
        return f"Command({self.name!r})"

    async def ask(self, call: Call) -> Reply:
        """Runs the program once."""
        text = prompt(call.messages)
        if self._watch is not None:
            self._watch({"program": self._argv, "environment": sorted(self._environment), "input": text})
        transport, talk = await self._started()
        try:
            tell = transport.get_pipe_transport(0)
            assert isinstance(tell, asyncio.WriteTransport)
            tell.write(text.encode("utf-8", "replace"))
            tell.close()  # when all is written
            async with asyncio.timeout(self._seconds):
                await talk.over
        except TimeoutError:
            raise ModelError(
                f"{self._program} was not done after {self._seconds:g} s and was ended; "
                "a table [models.NAME] in geak.toml can give it a longer timeout",
                Trouble.TIMEOUT,
            ) from None
        finally:
            await _end(transport, talk)
        if talk.too_long:
            sentence = f"{self._program} wrote more than {_LONGEST >> 20} MiB and was ended"
            raise ModelError(sentence, Trouble.REQUEST)
        code = transport.get_returncode()
        if code != 0:
            raise self._failed(code or 0, talk.complaint or bytes(talk.said))
        return Reply(text=_ESCAPE.sub("", talk.said.decode("utf-8", "replace")), model=self._program)

    async def close(self) -> None:
        """Nothing is held."""

    async def _started(self) -> tuple[asyncio.SubprocessTransport, _Talk]:
        try:
            return await asyncio.get_running_loop().subprocess_exec(
                _Talk, *self._argv, env=self._environment, start_new_session=True
            )
        except OSError as error:
            why = (error.strerror or "").lower()
            raise ModelError(f"{self._program} could not be started: {why}", Trouble.REQUEST) from None

    def _failed(self, code: int, words: bytes) -> ModelError:
        text = _ESCAPE.sub("", words[-4 * _TAIL :].decode("utf-8", "replace"))
        said = " ".join("".join(c if c.isprintable() else " " for c in text).split())[-_TAIL:]
        how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        trouble = Trouble.BUSY if code < 0 or code == _TRY_AGAIN else Trouble.REQUEST
        return ModelError(f"{self._program} {how}{f': {said}' if said else ' and said nothing'}", trouble)


def prompt(messages: Iterable[Message]) -> str:
    """Messages as a text to be read: what is said to the system first, then the talk."""
    messages = tuple(messages)
    system = [m.text for m in messages if m.speaker == "system"]
    talk = [m for m in messages if m.speaker != "system"]
    if any(m.speaker == "assistant" for m in talk):
        names = {"user": "Asked", "assistant": "You answered"}
        return "\n\n".join([*system, *(f"{names[m.speaker]}:\n\n{m.text}" for m in talk)]) + "\n"
    return "\n\n".join([*system, *(m.text for m in talk)]) + "\n"


class _Talk(asyncio.SubprocessProtocol):
    """What a program says until it is over, or says too much."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.said = bytearray()
        self.complaint = b""
        self.too_long = False
        self.exited: asyncio.Future[None] = loop.create_future()
        self.over: asyncio.Future[None] = loop.create_future()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 2:
            self.complaint = (self.complaint + data)[-4 * _TAIL :]
        elif not self.too_long:
            self.said += data
            self.too_long = len(self.said) > _LONGEST
            if self.too_long:
                _settle(self.over)

    def process_exited(self) -> None:
        _settle(self.exited)
        # What it said is in the pipe by now; a helper that it left behind may hold the pipe open for ever.
        asyncio.get_running_loop().call_later(_GRACE, _settle, self.over)

    def connection_lost(self, exc: Exception | None) -> None:
        _settle(self.exited)
        _settle(self.over)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _end(transport: asyncio.SubprocessTransport, talk: _Talk) -> None:
    """Leaves nothing running of the group that was started, if the program did not end by itself."""
    if not talk.exited.done():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(transport.get_pid(), signal.SIGKILL)
    transport.close()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_GRACE):
            await asyncio.shield(talk.exited)


def _words(line: str, environment: Mapping[str, str]) -> list[str]:
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise UsageError(f"command:{line}: {str(error).lower()}") from None
    if not words:
        raise UsageError("command: says no program; command:PROGRAM ARGS is wanted")
    if shutil.which(words[0], path=environment.get("PATH")) is None:
        raise UsageError(f"command:{line}: there is no program {words[0]!r} on the PATH")
    return words
