"""The seed child: has Inductor compile a spec's reference, and answers with whole kernel files."""

from __future__ import annotations

from typing import Any

from geak_evaluator.children.loading import load
from geak_evaluator.sandbox.channel import Channel
from geak_evaluator.schema import codec
from geak_evaluator.schema.seed import Seeds
from geak_evaluator.seeds.trouble import sentence


def main(channel: Channel, job: dict[str, Any]) -> None:
    """The one request is the spec's bytes; the answer says what there is, and never that something broke."""
    source = channel.receive()
    if source is None:
        return
    name: str = job["name"]
    try:
        from geak_evaluator.children.spec import describe

        module = load(source, name, job.get("project", ""))
        about = describe(module, name, source)
        from geak_evaluator.seeds.compiler import seeds  # Inductor takes seconds to load

        found = seeds(module, about, job["target"], job["cpu_s"] / 2)
    except BaseException as error:
        found = Seeds(trouble=sentence(error, name))
    channel.reply(codec.dumps(found).encode())
