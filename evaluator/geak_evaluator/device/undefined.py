"""What Triton leaves undefined: numbers that nobody can foresee, as in memory that was never written."""

from random import SystemRandom
from typing import Any

import numpy as np
from numpy.typing import NDArray

_CHANCE = SystemRandom()


def undefined(made: Any, lanes: NDArray[np.bool_]) -> Any:
    """The handle with anything at all in those lanes."""
    if not lanes.any():
        return made
    data = np.array(made.data)
    lanes = np.broadcast_to(lanes, data.shape)
    if data.dtype == np.bool_:
        data[lanes] ^= True
    else:
        count = int(lanes.sum())
        data[lanes] = np.frombuffer(_CHANCE.randbytes(count * data.itemsize), data.dtype)
    return type(made)(data, made.dtype.scalar)
