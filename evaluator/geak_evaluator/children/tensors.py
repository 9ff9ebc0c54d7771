"""Tensors over shared memory, inside a child."""

from __future__ import annotations

import mmap
import os
from typing import Any

import torch

from geak_evaluator.schema import dtypes
from geak_evaluator.schema.layout import Slot


def dtype_of(format: str) -> torch.dtype:
    """Torch's name for one of our formats."""
    found: torch.dtype = getattr(torch, dtypes.resolve(format).torch)
    return found


def format_of(dtype: torch.dtype) -> str | None:
    """Our name for one of torch's dtypes, if we know it."""
    found = dtypes.of_torch(str(dtype).removeprefix("torch."))
    return found.name if found else None


class Arena:
    """One of the memories that this child was given, by its descriptor."""

    def __init__(self, fd: int) -> None:
        self.size = os.fstat(fd).st_size
        self._map = mmap.mmap(fd, self.size)
        self._bytes: torch.Tensor = torch.frombuffer(self._map, dtype=torch.uint8)

    def tensor(self, slot: Slot) -> torch.Tensor:
        """The tensor that lies at a slot; writing to it writes to the memory."""
        dtype = dtype_of(slot.format)
        if slot.elements == 0:
            with torch._C.DisableTorchFunction():  # what the judge lays out is the device's
                return torch.empty_strided(slot.shape, slot.strides, dtype=dtype)
        # Each tensor has a storage of its own, so that reaching past one does not silently reach into the next.
        flat = torch.frombuffer(self._map, dtype=dtype, count=slot.elements, offset=slot.offset)
        return torch.as_strided(flat, slot.shape, slot.strides)

    def bytes_of(self, slot: Slot) -> torch.Tensor:
        """The bytes of a slot, gaps included."""
        return self._bytes[slot.offset : slot.end]


def leaves(value: Any) -> list[tuple[str, Any]]:
    """What a kernel or a reference returned, flattened: paths and leaves; None leaves are dropped."""
    from geak_evaluator.schema import spec

    return [(path or "0", leaf) for path, leaf in spec.leaves(value) if leaf is not None]
