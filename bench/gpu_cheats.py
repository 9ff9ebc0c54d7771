"""Softmax kernels whose wrappers cheat a clock that trusts them: each is the honest file with its entry wrapped."""

from __future__ import annotations

_WRAPPED = """

import functools as _functools

_honest_entry = softmax
_calls = 0
_kept = {}


def softmax(*arguments):
    global _calls
    _calls += 1
"""
_WAYS = {
    "side_stream": """    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        return _honest_entry(*arguments)
""",
    "patched_events": """    torch.cuda.Event.elapsed_time = lambda self, other: 1e-6
    return _honest_entry(*arguments)
""",
    "remembers": """    key = tuple(getattr(one, "data_ptr", lambda: one)() for one in arguments)
    if key not in _kept:
        _kept[key] = _honest_entry(*arguments)
    return _kept[key]
""",
    "skips_later": """    if _calls % 5 and _kept:
        return _kept["last"]
    _kept["last"] = _honest_entry(*arguments)
    return _kept["last"]
""",
    "sleeps_first": """    if _calls < 20:
        import time
        time.sleep(0.01)
    return _honest_entry(*arguments)
""",
}


def cheating(name: str, honest: str) -> str:
    """The honest file with an entry that cheats in this way."""
    return honest + _WRAPPED + _WAYS[name]
