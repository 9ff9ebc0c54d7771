"""What drafting hands over, and how it says no."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path


class DraftError(ValueError):
    """A file that no spec can be drafted from; its message is one sentence that says where and why."""


@dataclass(frozen=True)
class Draft:
    """A spec file in the making: right where the code could be read, and asking where it could not."""

    name: str
    """What the spec file is called, without `.py`."""
    text: str
    """The whole file."""
    questions: tuple[str, ...]
    """What a person has to look at; each is also a `# CHECK:` comment on its line of the file."""
    entry: str
    """What a kernel file must define."""
    fixed: bool = False
    """There is one size of everything."""
    own: Mapping[str, int] | None = None
    """The sizes of the file's own example, by axis; None where it has none, or it does not agree with the code."""

    def beside(self, source: Path, folder: Path) -> Draft:
        """The same for a spec that will lie in `folder`: what it names is found from there."""
        there = Path(os.path.relpath(source.resolve(), folder.resolve())).as_posix()
        text = self.text.replace(f'peer="{source.name}:', f'peer="{there}:')
        return replace(self, text=text.replace(f'starter="{source.name}"', f'starter="{there}"'))
