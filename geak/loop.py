"""One kernel: candidates are begun as the strategy wants them, and each is developed to its lesson."""

from __future__ import annotations

import asyncio

from geak.journal.events import Ended
from geak.workshop import Workshop


async def run(shop: Workshop) -> Ended:
    """Goes on until the goal is reached, the rounds are over, or nothing more may be begun."""
    working = {asyncio.create_task(develop(shop, name)) for name in shop.unfinished()}
    try:
        while True:
            for name in await shop.moves():
                working.add(asyncio.create_task(develop(shop, name)))
            if not working:
                return await shop.ending()
            done, working = await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                shop.note(task.exception())
    finally:
        for task in working:  # left at once: models and judges are let go of by those who asked them
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)


async def develop(shop: Workshop, name: str) -> None:
    """A candidate from its move to its lesson; what the journal holds already is not done again."""
    await shop.write(name)
    await shop.judge(name)
    await shop.explain(name)
