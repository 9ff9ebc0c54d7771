"""A child that runs a Python source as it is given; what lint, tests and probes use for code of any kind."""

from __future__ import annotations

from typing import Any

from geak_evaluator.sandbox.channel import OK, RAISED, Channel


def main(channel: Channel, job: dict[str, Any]) -> None:
    """Each request is a source; `answer` in its namespace is what is replied."""
    while (source := channel.receive()) is not None:
        space: dict[str, Any] = {"__name__": "script", "answer": b"", "job": job, "channel": channel}
        try:
            exec(compile(source, "script.py", "exec"), space)
        except Exception as error:
            channel.reply(f"{type(error).__name__}: {error}"[:4000].encode(), RAISED)
        else:
            channel.reply(bytes(space["answer"]), OK)
