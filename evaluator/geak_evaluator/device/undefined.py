"""What Triton leaves undefined: numbers that nobody can foresee, as in memory that was never written."""

from random import SystemRandom
from typing import Any

import numpy as np
from numpy.typing import NDArray

_CHANCE = SystemRandom()
_made = 0


def made() -> int:
    """How many of them this process has made so far."""
    return _made


def undefined(handle: Any, lanes: NDArray[np.bool_]) -> Any:
    """The handle with anything at all in those lanes."""
    global _made
    if not lanes.any():
        return handle
    data = np.array(handle.data)
    lanes = np.broadcast_to(lanes, data.shape)
    _made += int(lanes.sum())
    if data.dtype == np.bool_:
        data[lanes] ^= True
    else:
        count = int(lanes.sum())
        data[lanes] = np.frombuffer(_CHANCE.randbytes(count * data.itemsize), data.dtype)
    return type(handle)(data, handle.dtype.scalar)
