"""A mode that sees torch's operations and does not load torch's compiler for it."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

from torch._compile import _disable_dynamo
from torch.utils._python_dispatch import TorchDispatchMode


class Mode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """What torch's own class does, without importing its compiler at the first operation: half of a judge's start.

    The compiler is kept off a mode's code so that it does not compile it along with what the mode looks at. Nobody has
    to be kept off while it is not loaded.
    """

    def __init_subclass__(cls) -> None:
        """Keeps a compiler that somebody else loads off the operations' handler."""
        cls.__torch_dispatch__ = _kept_off(cls.__torch_dispatch__)  # type: ignore[method-assign]
        super().__init_subclass__()  # type: ignore[no-untyped-call]

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False


def _kept_off(handler: Callable[..., Any]) -> Callable[..., Any]:
    away = _disable_dynamo(handler)

    @functools.wraps(handler)
    def handled(*args: Any, **kwargs: Any) -> Any:
        # While it is being imported, it has no such function yet.
        loaded = hasattr(sys.modules.get("torch._dynamo"), "disable")
        return (away if loaded else handler)(*args, **kwargs)

    return handled
