"""Which programs of a large grid are looked at, and what follows from them for all."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PROGRAMS = 8
"""How many programs of a launch are looked at."""
_GOLDEN = 0.6180339887498949

Sectors = NDArray[np.uint64]


@dataclass(frozen=True)
class Sample:
    """What one program asked for."""

    number: int
    counts: Counter[str]
    read: Sectors
    """The sectors that it reads, each once, in order."""
    written: Sectors


def chosen(count: int, most: int = PROGRAMS) -> Iterator[int]:
    """All programs of a small grid; else the first, the last, and some spread evenly between, none in step."""
    if count <= most:
        yield from range(count)
        return
    seen = {0, count - 1}
    yield from (0, count - 1)
    number = 0
    while len(seen) < most:
        number += 1
        place = 1 + int((number * _GOLDEN % 1.0) * (count - 2))
        if place not in seen:
            seen.add(place)
            yield place


def weights(samples: int, count: int) -> list[float]:
    """How many programs each sample stands for: the first and the last for themselves, the others for all between."""
    if samples < 3 or samples == count:
        return [count / samples] * samples
    return [1.0, 1.0, *[(count - 2) / (samples - 2)] * (samples - 2)]


def scaled(samples: Sequence[Counter[str]], count: int) -> dict[str, float]:
    """Sums over the whole grid."""
    groups: dict[float, Counter[str]] = defaultdict(Counter)
    for sample, weight in zip(samples, weights(len(samples), count), strict=True):
        groups[weight].update(sample)
    total: dict[str, float] = defaultdict(float)
    for weight, group in groups.items():
        for name, value in group.items():
            total[name] += value if weight == 1 else round(value * weight, 3)
    return total


def unique(touched: Sequence[Sectors], regions: Sequence[tuple[int, int]], count: int) -> float:
    """How many different sectors a grid touches of which these programs touch these, region by region."""
    found = 0.0
    for start, end in regions:
        low, high = np.uint64(start >> 5), np.uint64((end - 1 >> 5) + 1)
        found += _unique([one[slice(*np.searchsorted(one, (low, high)))] for one in touched], count)
    return found


def _unique(touched: Sequence[Sectors], count: int) -> float:
    """Within one region.

    Programs that share nothing touch as many as all of them together, and no more than lie between the first and the
    last that were seen. How much they share is seen in pairs: where two programs have a share s in common on average,
    each sector is touched by 1 + s (count - 1) of them. Few pairs that meet by chance are no evidence of that.
    """
    sizes = [len(one) for one in touched]
    if not sum(sizes):
        return 0.0
    together, times = np.unique(np.concatenate(touched), return_counts=True)
    if count <= len(touched):
        return float(len(together))
    own = sum(size * weight for size, weight in zip(sizes, weights(len(sizes), count), strict=True))
    alike = float((times * (times - 1) / 2).sum()) / (sum(sizes) / len(sizes))
    surely = max(alike - 2 * alike**0.5, 0.0) / (len(sizes) * (len(sizes) - 1) / 2)
    sharing = 1 + min(surely, 1.0) * (count - 1)
    between = int(together[-1] - together[0]) + 1
    return float(min(max(own / sharing, len(together)), between))
