"""Which memory a launch may touch, and a check of every active lane against it before anything is read or written."""

import gc
from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from geak_evaluator.device.errors import OutOfBounds, Unsupported
from geak_evaluator.device.threads import Threads

Program = tuple[int, int, int]
Place = NDArray[np.int64] | int
"""The number of each lane's region, or of the one that all active lanes lie in."""

_MOST_FLAGS = 16
"""An atomic on more lanes is arithmetic; no lock is."""
_MOST_CONFLICTS = 10
"""A hundred tell no more."""
MAX_STRAYS = 10
"""How many accesses out of bounds are kept of one launch that goes on after them."""


@dataclass(frozen=True)
class Conflict:
    """Two programs stored different values at one address, without an atomic: the result depends on their order."""

    argument: str
    offset: int  # in elements of the stored type, from the start of the argument's memory
    lanes: int  # how many lanes of that store disagreed
    programs: tuple[int, int]  # linear numbers of an earlier and the later program, or one and the same
    update: bool = False  # one has read there what the other stores, and nothing made it wait for that


@dataclass
class _Region:
    start: int
    end: int
    name: str
    # Which program wrote each element, by element size; 0 is nobody. Made on the first store.
    writers: dict[int, NDArray[np.int32]]
    # By element size too: which program last read there what another had written.
    readers: dict[int, NDArray[np.int32]]
    # The first storage is kept alive for the launch; so are storages found through tables of pointers.
    owner: Any


class Memory:
    """The storages that the arguments of one launch reach."""

    def __init__(
        self,
        kernel: str,
        arguments: dict[str, Any],
        programs: int,
        *,
        strict: bool = True,
        tables: bool = True,
        led: Sequence[torch.Tensor] = (),
        earlier: Collection[int] = (),
    ) -> None:
        """With `tables` an argument of whole numbers may hold addresses: whatever tensor lives there may be touched.

        Without, only those that the arguments are known to lead to. `earlier` says where memory begins that was written
        before this launch.
        """
        self.kernel = kernel
        self.conflicts: list[Conflict] = []
        self.strays: list[OutOfBounds] = []
        self.waits = False
        self.reordered = ""
        self.early = ""
        self.written: set[int] = set()
        self._earlier = earlier
        self._strict = strict
        self._track = programs > 1
        self._tables, self._holds_addresses = tables, False
        self._regions: list[_Region] = []
        # Where each program has touched memory in a way that others wait for, and where it did so since it last stored.
        self._acquired: dict[int, set[int]] = {}
        self._released: dict[int, set[int]] = {}
        self.threads = Threads()
        for name, value in arguments.items():
            self._add(name, value)
        for tensor in led:
            self._add("a tensor reached through a table of addresses", tensor)
        self._index()

    def _add(self, name: str, value: Any) -> None:
        if isinstance(value, (tuple, list)):
            for place, item in enumerate(value):
                self._add(f"{name}[{place}]", item)
            return
        # A tensor descriptor and a reinterpreted tensor both keep the tensor that they describe in `base`.
        if not isinstance(value, torch.Tensor) and hasattr(value, "base"):
            self._add(name, value.base)
            return
        if isinstance(value, torch.Tensor):
            self._holds_addresses |= value.dtype in (torch.int64, torch.uint64)
            storage = value.untyped_storage()
            self._put(name, storage.data_ptr(), storage.nbytes(), storage)
        elif hasattr(value, "data_ptr"):
            if not (hasattr(value, "numel") and hasattr(value, "element_size")):
                raise Unsupported(f"argument '{name}' of kernel {self.kernel} has an address but no known extent")
            self._put(name, value.data_ptr(), value.numel() * value.element_size(), value)

    @property
    def extents(self) -> list[tuple[int, int]]:
        """Where each storage begins and ends."""
        return [(region.start, region.end) for region in self._regions]

    def _put(self, name: str, start: int, nbytes: int, owner: Any) -> None:
        # One on the device `meta` has an extent and no memory: whatever it is asked for is out of bounds.
        if nbytes and start and all(region.start != start for region in self._regions):
            self._regions.append(_Region(start, start + nbytes, name, {}, {}, owner))

    def _index(self) -> None:
        self._regions.sort(key=lambda region: region.start)
        self._lowest = [region.start for region in self._regions]
        self._starts = np.array([region.start for region in self._regions], dtype=np.uint64)
        self._ends = np.array([region.end for region in self._regions], dtype=np.uint64)

    def _only(self, pointers: NDArray[np.uint64], mask: NDArray[np.bool_], size: int) -> int | None:
        # Nearly always all lanes lie in one region, and their lowest and highest are enough to know it.
        for lanes in (pointers, None):
            if lanes is None:
                lanes = pointers[mask]
                if not lanes.size:
                    return 0
            low, high = int(lanes.min()), int(lanes.max())
            number = bisect_right(self._lowest, low) - 1
            if number >= 0 and high + size <= self._regions[number].end:
                return number
        return None

    def _find(self, pointers: NDArray[np.uint64], mask: NDArray[np.bool_], size: int) -> tuple[Any, Any]:
        place = np.searchsorted(self._starts, pointers, side="right").astype(np.int64) - 1
        if not len(self._regions):
            return place, mask.copy()
        # Pointers are unsigned: what lies before the first region has place -1, and an end can not wrap round
        # because no real storage ends near the top of the address space.
        ends = self._ends[np.maximum(place, 0)]
        bad = mask & ((place < 0) | (pointers >= ends) | (ends - np.minimum(pointers, ends) < np.uint64(size)))
        return place, bad

    def check(
        self, action: str, pointers: NDArray[np.uint64], mask: NDArray[np.bool_], size: int, program: Program
    ) -> tuple[Place, NDArray[np.bool_]]:
        """The region of each lane, and the lanes that may go on: all the active ones, or it raises OutOfBounds.

        Unless the memory is strict, which it is for every judgement: then what is out of bounds is noted and left out.
        """
        only = self._only(pointers, mask, size)
        if only is not None:
            return only, mask
        place, bad = self._find(pointers, mask, size)
        if bad.any() and self._tables and self._holds_addresses and self._adopt(pointers[bad]):
            place, bad = self._find(pointers, mask, size)
        if bad.any():
            address = int(pointers[bad].reshape(-1)[0])
            region = self._nearest(address)
            stray = OutOfBounds(
                kernel=self.kernel,
                action=action,
                argument=region.name if region else "none",
                program=program,
                offset=(address - (region.start if region else 0)) // size,
                holds=(region.end - region.start) // size if region else 0,
                lanes=int(bad.sum()),
                line=0,
            )
            if self._strict:
                raise stray
            if len(self.strays) < MAX_STRAYS:
                self.strays.append(stray)
            mask = mask & ~bad
        return np.asarray(place), mask

    def _nearest(self, address: int) -> _Region | None:
        def distance(region: _Region) -> int:
            return max(region.start - address, address - region.end + 1, 0)

        return min(self._regions, key=distance, default=None)

    def _adopt(self, addresses: NDArray[np.uint64]) -> bool:
        # A table of pointers (a grouped matmul) reaches tensors that are no arguments. Searching the living
        # tensors is slow, so it is done only for such a launch, and only when an address is not yet known.
        found = False
        wanted = np.unique(addresses)
        for thing in gc.get_objects():
            if not (issubclass(type(thing), torch.Tensor) and thing.device.type in ("cpu", "cuda")):
                continue
            try:
                storage = thing.untyped_storage()
                start, end = storage.data_ptr(), storage.data_ptr() + storage.nbytes()
            except (RuntimeError, NotImplementedError):
                continue
            if ((wanted >= np.uint64(start)) & (wanted < np.uint64(end))).any():
                before = len(self._regions)
                self._put("a tensor reached through a table of pointers", start, end - start, storage)
                found |= len(self._regions) > before
        if found:
            self._index()
        return found

    def note_store(
        self,
        pointers: NDArray[np.uint64],
        values: NDArray[Any],
        mask: NDArray[np.bool_],
        place: Place,
        program: int,
        read: Callable[[NDArray[np.uint64]], NDArray[Any]],
    ) -> None:
        """Remember who stores where, and record a conflict if another program has stored something else there.

        To be called before the store; `read` gives what is there now.
        """
        size = values.itemsize
        for number in [place] if isinstance(place, int) else np.unique(place[mask]):
            region = self._regions[int(number)]
            lanes = mask if isinstance(place, int) else mask & (place == number)
            offsets = (pointers[lanes].astype(np.int64) - region.start) // size
            if size not in region.writers:
                region.writers[size] = np.zeros((region.end - region.start) // size + 1, dtype=np.int32)
            writers = region.writers[size]
            before = writers[offsets]
            if not before.any():  # nearly always
                writers[offsets] = program + 1
                continue
            others = (before != 0) & (before != program + 1)
            if others.any():
                new, was = values[lanes][others], read(pointers[lanes][others])
                differ = (new.view(np.uint8).reshape(len(new), -1) != was.view(np.uint8).reshape(len(was), -1)).any(1)
                if differ.any():
                    read_before = self._updates(region, size, offsets[others], before[others], program) & differ
                    lanes_of = np.flatnonzero(others)
                    first = int(lanes_of[np.argmax(read_before if read_before.any() else differ)])
                    pair = int(before[first]) - 1, program
                    count, update = int(differ.sum()), bool(read_before.any())
                    self.conflicts.append(Conflict(region.name, int(offsets[first]), count, pair, update))
            writers[offsets] = program + 1
        self._released.pop(program, None)

    def _updates(
        self, region: _Region, size: int, offsets: NDArray[np.int64], before: NDArray[np.int32], program: int
    ) -> NDArray[np.bool_]:
        """Where the program has read what another stored, and neither waited for the other."""
        if size not in region.readers:
            return np.zeros(offsets.shape, np.bool_)
        found: NDArray[np.bool_] = region.readers[size][offsets] == program + 1
        mine = self._acquired.get(program, set())
        for other in np.unique(before[found]):
            if mine & self._released.get(int(other) - 1, set()):
                found &= before != other
        return found

    def note_load(
        self, pointers: NDArray[np.uint64], mask: NDArray[np.bool_], place: Place, size: int, program: int
    ) -> None:
        """Remember who has read what another program stored."""
        for number in [place] if isinstance(place, int) else np.unique(place[mask]):
            region = self._regions[int(number)]
            writers = region.writers.get(size)
            if writers is None:
                continue
            lanes = mask if isinstance(place, int) else mask & (place == number)
            offsets = (pointers[lanes].astype(np.int64) - region.start) // size
            before = writers[offsets]
            foreign = offsets[(before != 0) & (before != program + 1)]
            if foreign.size:
                readers = region.readers.setdefault(size, np.zeros(len(writers), dtype=np.int32))
                readers[foreign] = program + 1

    def note_wait(
        self, pointers: NDArray[np.uint64], mask: NDArray[np.bool_], program: int, sem: str = "ACQUIRE_RELEASE"
    ) -> None:
        """Remember where a program did what others may wait for: an atomic that orders memory, or a volatile load."""
        if not self._track or pointers.size > _MOST_FLAGS:
            return
        touched = set(pointers[mask].tolist())
        if "ACQUIRE" in sem:
            self._acquired.setdefault(program, set()).update(touched)
        if "RELEASE" in sem:
            self._released.setdefault(program, set()).update(touched)

    def note_threads(
        self, action: str, pointers: NDArray[np.uint64], mask: NDArray[np.bool_], place: Place, size: int, program: int
    ) -> None:
        """Record a conflict where lanes of one program load and store one element, and nothing makes them wait."""
        for number in [place] if isinstance(place, int) else np.unique(place[mask]):
            lanes = mask if isinstance(place, int) else mask & (place == number)
            address = getattr(self.threads, action)(int(number), pointers, lanes)
            if address is not None and len(self.conflicts) < _MOST_CONFLICTS:
                region = self._regions[int(number)]
                found = Conflict(region.name, (address - region.start) // size, 1, (program, program), True)
                self.conflicts.append(found)

    def note_clash(self, pointers: NDArray[np.uint64], lanes: NDArray[np.bool_], size: int, program: int) -> None:
        """Record that lanes of one store, these and others, have put different values into one element."""
        if len(self.conflicts) < _MOST_CONFLICTS:
            address = int(pointers[lanes].reshape(-1)[0])
            region = self._regions[bisect_right(self._lowest, address) - 1]
            place = (address - region.start) // size
            self.conflicts.append(Conflict(region.name, place, int(lanes.sum()), (program, program)))

    def note_written(self, lanes: NDArray[np.bool_], place: Place) -> None:
        """Remember which memory is not as it was."""
        for number in [place] if isinstance(place, int) else np.unique(place[lanes]):
            self.written.add(self._regions[int(number)].start)

    def note_early(self, action: str, lanes: NDArray[np.bool_], place: Place) -> None:
        """Record what is touched while the launches before may be at work: by a store, or where they have written."""
        if self.early or not lanes.any():
            return
        for number in [place] if isinstance(place, int) else np.unique(place[lanes]):
            region = self._regions[int(number)]
            if action != "load" or region.start in self._earlier:
                self.early = f"{action}s {'from' if action == 'load' else 'to'} {region.name}"

    @property
    def tracks_stores(self) -> bool:
        """Is it worth remembering stores: with one program there is nobody to conflict with."""
        return self._track and len(self.conflicts) < _MOST_CONFLICTS
