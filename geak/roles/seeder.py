"""The seeder is a compiler: it is told which kernel is wanted, and answers with one or says why it cannot."""

from __future__ import annotations

from geak.models.base import Message
from geak.roles import answers
from geak.roles.brief import Ask, Brief, NoAnswer
from geak.roles.generator import Draft
from geak.roles.quoting import inline


async def seed(ask: Ask, brief: Brief, number: int) -> Draft:
    """The compiler's kernel of that number for the spec."""
    about = brief.about
    wanted = f"kernel {number} for {about.name} (sha256 {about.sha256}) on {brief.targets[0].name}"
    reply = await ask("seeder", (Message("user", wanted),))
    if reply.finish == "refusal":
        raise NoAnswer(inline(reply.text, 400))
    return Draft(answers.kernel(reply.text, about.entry), answers.plan(reply.text))
