"""New memory in a call that is carried out at once: filled as a replay's is, so that what nobody wrote is equal."""

from __future__ import annotations

from typing import Any

import torch

from geak_evaluator.children.modes import Mode

_aten = torch.ops.aten
_UNFILLED = frozenset(
    (
        _aten.empty.memory_format,
        _aten.empty_strided.default,
        _aten.empty_like.default,
        _aten.new_empty.default,
        _aten.new_empty_strided.default,
    )
)


class Poisoned(Mode):
    """Within, a tensor that torch makes without values holds poison, whatever its format."""

    def __init__(self, poison: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._poison = poison

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Carries out the operation, and fills what it left as it was."""
        made = func(*args, **(kwargs or {}))
        if func in _UNFILLED and not made.is_meta:
            torch.empty(0, dtype=torch.uint8).set_(made.untyped_storage()).fill_(self._poison)
        return made
