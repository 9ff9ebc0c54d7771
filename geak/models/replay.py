"""`replay:RUN`: the replies that a run's journal holds, given again to the same prompts; no model is asked."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from geak.errors import ModelError, RunError, Trouble
from geak.models.base import Call, Finish, Price, Reply, Usage, prompt_text

# The journal stands above the models, so its two kinds of lines that matter here are read as plain JSON.
_EVENTS, _BLOBS = "events.jsonl", "blobs"


@dataclass(frozen=True)
class _Recorded:
    lineage: str
    blob: str
    finish: Finish
    usage: Usage
    model: str


class Replay:
    """A run's replies, by the prompt and the role that they were given to."""

    paid = False
    concurrency = 64

    def __init__(self, name: str, folder: str, price: Price | None = None) -> None:
        self.name = name
        self.price: Price | None = price or Price(0.0, 0.0, source="recorded")
        self.note = f"replies recorded in {folder}: no model is asked"
        self._folder = Path(folder).expanduser()
        self._recorded = _read(self._folder)

    async def ask(self, call: Call) -> Reply:
        """The next reply to this prompt, of the same lineage if it had one."""
        prompt = hashlib.sha256(prompt_text(call.messages).encode()).hexdigest()
        replies = self._recorded.get((prompt, call.role))
        if replies is None:
            raise ModelError(
                f"{self._folder} holds no reply to this prompt of the {call.role}: the run that is replayed asked "
                "otherwise, with another spec, options or GEAK",
                Trouble.REQUEST,
            )
        if not replies:
            raise ModelError(
                f"{self._folder} holds no further reply to this prompt of the {call.role}", Trouble.REQUEST
            )
        own = [reply for reply in replies if reply.lineage == str(call.lineage)]
        chosen = (own or replies)[0]
        replies.remove(chosen)
        return Reply(self._text(chosen.blob), chosen.finish, chosen.usage, chosen.model)

    async def close(self) -> None:
        """Nothing is held."""

    def _text(self, blob: str) -> str:
        try:
            data = (self._folder / _BLOBS / blob).read_bytes()
        except OSError as error:
            raise RunError(
                f"{self._folder}: {_BLOBS}/{blob} cannot be read: {(error.strerror or '').lower()}"
            ) from None
        if hashlib.sha256(data).hexdigest() != blob:
            raise RunError(f"{self._folder}: {_BLOBS}/{blob} is not what was written")
        return data.decode("utf-8", "surrogateescape")


def _read(folder: Path) -> dict[tuple[str, str], list[_Recorded]]:
    try:
        lines = (folder / _EVENTS).read_bytes().split(b"\n")[:-1]
    except OSError:
        raise RunError(f"{folder} holds no run: there is no {_EVENTS} in it") from None
    asked: dict[int, dict[str, Any]] = {}
    found: dict[tuple[str, str], list[_Recorded]] = {}
    for number, line in enumerate(lines, 1):
        try:
            event = json.loads(line)
            if event["event"] == "announced":
                asked[event["call"]] = event
            elif event["event"] == "received":
                question = asked[event["call"]]
                key = (str(question["prompt"]), str(question["role"]))
                found.setdefault(key, []).append(_recorded(question, event))
        except (ValueError, KeyError, TypeError, RecursionError):
            raise RunError(f"{folder / _EVENTS}, line {number} cannot be read, or is another GEAK's") from None
    return found


def _recorded(question: dict[str, Any], event: dict[str, Any]) -> _Recorded:
    counts = {f.name: int(event["usage"].get(f.name, 0)) for f in fields(Usage)}
    blob = str(event["reply"])
    if not blob.isalnum():
        raise ValueError("no hash")
    lineage = str(question["candidate"]).partition(".")[0]
    return _Recorded(lineage, blob, event["finish"], Usage(**counts), str(event["model"]))
