"""Kernels that no language model wrote: what a compiler emits for a spec's reference."""

from __future__ import annotations

from dataclasses import dataclass

NEXT = "draft the kernel with a model, or begin from one of your own"
"""What is left to do where a compiler writes nothing."""


@dataclass(frozen=True)
class Seed:
    """A whole kernel file to begin from; nothing is known of it yet."""

    name: str
    """Its variant: "inductor", "inductor-looped"."""
    about: str
    """What it is and what wrote it, in a sentence."""
    source: str


@dataclass(frozen=True)
class Seeds:
    """What there is to begin from, the most promising first."""

    seeds: tuple[Seed, ...] = ()
    trouble: str = ""
    """Why there are none, or fewer than there could be, and what to do."""
