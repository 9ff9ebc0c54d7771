"""Whether a process that was killed is gone: a signal is sent at once, how soon it is taken is the machine's affair."""

from __future__ import annotations

import os
import select

SECONDS = 60.0


def gone(process: int) -> bool:
    """Waits for its end; false if it lives on."""
    try:
        watch = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([watch], [], [], SECONDS)[0])  # readable from its end on, fetched or not
    finally:
        os.close(watch)
