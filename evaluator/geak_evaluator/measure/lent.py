"""A device as the judge has it: which it is, how a child reaches it, and whether it can still be believed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from geak_evaluator.measure.lease import Busy, Seat, Unfit, lease, suspect
from geak_evaluator.replies import FAULTS, read
from geak_evaluator.sandbox import driver
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.child import Child, Fault
from geak_evaluator.sandbox.policy import GIB, Limits
from geak_evaluator.schema import codec
from geak_evaluator.schema.device import Gpu
from geak_evaluator.schema.exchange import Trouble
from geak_evaluator.schema.measuring import Asked, Identity, Metal, Tested

_ROLE = "geak_evaluator.measure.metal.child"
LOG = "GEAK_DEVICE_LOG"
_PRINTED = 800
"""Characters of what the test's child printed that are told; the last say why."""
_WAIT_S = 600.0
"""How long a device that another process holds is waited for."""


class DeviceLost(Exception):
    """A device that does not do what it is asked; the message says what it did instead."""


class Lent:
    """One device. It is shown to work before its first use, and again after a child on it went wrong."""

    def __init__(self, box: Sandbox, metal: Metal, limits: Limits, seat: Seat | None = None) -> None:
        """With a `seat`, which is kept as long as this is: other judges take other devices meanwhile."""
        self._box, self.metal, self._seat = box, metal, seat
        # A runtime reserves more addresses than there are, pins memory, and waits by turning round.
        self.limits = replace(
            limits, wall_s=max(limits.wall_s, 120.0), cpu_s=1800, address_space=False, memory=16 * GIB, open_files=4096
        )
        self.suspect = True
        self._spawned = 0
        self.widened = ""
        """Why children may open more of its vendor's files than its own; nothing where its own do."""
        self._identity: Identity | None = None

    @property
    def identity(self) -> Identity:
        """Which device it is; DeviceLost where it does not work."""
        if self._identity is None or self.suspect:
            self._identity = self._tested()
            self.suspect = False
        return self._identity

    @property
    def known(self) -> Identity | None:
        """The same without a test: which it was when it last worked."""
        return self._identity

    @contextlib.contextmanager
    def leased(self, wait_s: float = _WAIT_S) -> Iterator[None]:
        """Nobody else who asks for a lease has the device meanwhile; DeviceLost where somebody has it all the time."""
        if self.metal.kind == "simulated":
            yield
            return
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(lease([self._named], wait_s=wait_s, test=self._fault))
            except (Busy, Unfit) as error:
                raise DeviceLost(str(error)) from None
            yield

    def doubt(self, why: str) -> None:
        """It hung, or lost a process: it is tested before anybody on this machine uses it again."""
        self.suspect = True
        if self.metal.kind != "simulated":
            suspect(self._named, why)

    @property
    def _named(self) -> Gpu:
        return Gpu("amd", self.metal.uuid or self.metal.visible)  # by its UUID alone

    def _fault(self, gpu: Gpu) -> str:
        try:
            self._identity, self.suspect = self._tested(), False
        except DeviceLost as error:
            return str(error)
        return ""

    def spawn(
        self, *, shared: Sequence[int] = (), project: str = "", role: str = _ROLE, job: dict[str, Any] | None = None
    ) -> Child:
        """A child that will open this device, and can open no other."""
        given = {"kind": self.metal.kind, "visible": self.metal.visible, "settings": dict(self.metal.settings)}
        if self.metal.kind == "simulated":  # two processes do not meet the same noise
            self._spawned += 1
            given["settings"] |= {"seed": int(self.metal.settings.get("seed", 0)) + self._spawned}  # type: ignore[operator]
        return self._box.spawn(
            role,
            {**given, "project": project, **(job or {})},
            limits=self.limits,
            read=(project,) if project else (),
            shared=shared,
            devices=self.metal.nodes,
        )

    def _tested(self) -> Identity:
        """By its own files, and where it never worked by those alone, by all that its vendor's driver has."""
        try:
            return self._launched()
        except DeviceLost as error:
            if self._identity is not None or not self.metal.more:
                raise
            narrow, self.metal = self.metal, replace(self.metal, nodes=self.metal.nodes + self.metal.more, more=())
            try:
                found = self._launched()
            except DeviceLost:
                self.metal = narrow
                raise error from None
            self.widened = f"{error}; with {', '.join(narrow.more)} it does"
            return found

    def _launched(self) -> Identity:
        with self.spawn() as child:
            reply = child.ask(b"")
            if reply.ok:
                reply = child.ask(codec.dumps(Asked(test=True)).encode(), wall_s=60)
            said = read(Tested, reply) if reply.ok else None
            trouble = read(Trouble, reply) if said is None else said.trouble
        if said is not None and said.identity is not None:
            return said.identity
        where = ", ".join(self.metal.nodes) or self.metal.kind
        why = trouble.message if trouble else FAULTS[reply.fault] if reply.fault else "it does not say which it is"
        if self.metal.kind != "simulated" and (lacking := driver.lacking(self.metal.nodes)):
            why = f"{lacking} ({why})"
        ended = child.end().status
        if reply.fault is Fault.DIED and ended is not None:
            why += f", by signal {-ended}" if ended < 0 else f", with exit code {ended}"
        self.keep(child, why)
        # Nothing foreign runs in a test: what a compiler, a loader or a driver printed is for a person.
        printed = " ".join(child.log.split())[-_PRINTED:]
        raise DeviceLost(f"the device at {where} does not pass its test: {why}{f' [{printed}]' if printed else ''}")

    def keep(self, child: Child, why: str) -> None:
        """What a child that went wrong has printed, and how it ended, goes into the file that GEAK_DEVICE_LOG names.

        Never into a verdict: a kernel prints what it likes, such as the shapes that nobody is to learn.
        """
        if not (path := os.environ.get(LOG)):
            return
        ended = child.end()
        with contextlib.suppress(OSError), open(path, "a") as file:
            file.write(f"--- a child on the device: {why}; it ended with {ended.status}\n{child.log.rstrip()}\n")
