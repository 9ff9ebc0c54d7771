"""What the threads of one program do to memory between two meetings: a device lets each of them go on by itself.

What one lane stores and another loads is there in time only if the threads have met in between: by `tl.debug_barrier`,
or in an operation that brings lanes together.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MOST = 64
"""Accesses of a kind that are remembered for one region; older ones are let go."""

_Access = tuple[NDArray[np.uint64], NDArray[np.bool_]]


class Threads:
    """The accesses of the program that runs since its threads last met, by region."""

    def __init__(self) -> None:
        self._loads: dict[int, list[_Access]] = {}
        self._stores: dict[int, list[_Access]] = {}

    def meet(self) -> None:
        """They meet, or another program begins."""
        if self._loads or self._stores:
            self._loads, self._stores = {}, {}

    def load(self, number: int, pointers: NDArray[np.uint64], lanes: NDArray[np.bool_]) -> int | None:
        """Note a load; an address that another lane has stored to meanwhile."""
        _keep(self._loads, number, (pointers, lanes))
        return next(_met(self._stores.get(number, ()), pointers, lanes), None)

    def store(self, number: int, pointers: NDArray[np.uint64], lanes: NDArray[np.bool_]) -> int | None:
        """Note a store; an address that another lane has loaded meanwhile, and should have before."""
        _keep(self._stores, number, (pointers, lanes))
        return next(_met(self._loads.get(number, ()), pointers, lanes), None)


def _keep(accesses: dict[int, list[_Access]], number: int, access: _Access) -> None:
    known = accesses.setdefault(number, [])
    known.append(access)
    if len(known) > _MOST:
        del known[0]


def _met(earlier: Any, pointers: NDArray[np.uint64], lanes: NDArray[np.bool_]) -> Iterator[int]:
    if not earlier or not lanes.any():
        return
    now = pointers[lanes]
    low, high = now.min(), now.max()
    own = np.flatnonzero(lanes)
    for before, active in earlier:
        if before is pointers or not active.any():
            continue
        then = before[active]
        if then.max() < low or then.min() > high:
            continue
        # The lanes that have touched each address: the first and the last of them, which are one where it is one.
        order = np.argsort(then, kind="stable")
        ordered, lane = then[order], np.flatnonzero(active)[order]
        first = np.searchsorted(ordered, now)
        last = np.searchsorted(ordered, now, side="right") - 1
        touched = last >= first
        first, last = first[touched], last[touched]
        apart = (lane[first] != own[touched]) | (lane[last] != own[touched])
        if apart.any():
            yield int(now[touched][apart][0])
