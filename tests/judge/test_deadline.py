"""How long a request may take: a busy machine's share of it is not its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from geak_evaluator.sandbox import child, watchdog


class Machine:
    """A clock that is put on by hand, and how long a process has waited for a processor."""

    def __init__(self) -> None:
        self.now, self.queued = 100.0, 7.0


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    made = Machine()
    monkeypatch.setattr(time, "monotonic", lambda: made.now)
    monkeypatch.setattr(watchdog, "queued", lambda pid: made.queued)
    yield made
    monkeypatch.undo()


def test_on_a_machine_with_room_it_is_the_clocks(machine: Machine) -> None:
    deadline = child.Deadline(1, 20.0)
    machine.now += 19.9
    assert not deadline.passed()
    machine.now += 0.1
    assert deadline.passed()


def test_what_is_waited_for_a_processor_is_added(machine: Machine) -> None:
    deadline = child.Deadline(1, 20.0)
    machine.now, machine.queued = machine.now + 20, machine.queued + 15
    assert not deadline.passed()
    assert deadline.at == 135.0
    machine.now = 135.0
    assert deadline.passed()  # once


def test_it_ends_however_long_is_waited(machine: Machine) -> None:
    deadline = child.Deadline(1, 20.0)
    for _ in range(3):
        machine.now, machine.queued = machine.now + 20, machine.queued + 20
        assert not deadline.passed()
    machine.now, machine.queued = machine.now + 20, machine.queued + 20
    assert deadline.passed()


BURN = """
import os, time
os.sched_setaffinity(0, {%d})
print("there", flush=True)
input()
while time.process_time() < 0.5: pass
print("done", flush=True)
input()
"""


def test_the_kernel_counts_what_is_waited() -> None:
    command = [sys.executable, "-c", BURN % min(os.sched_getaffinity(0))]
    pipe = subprocess.PIPE
    with (
        subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as one,
        subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as other,
    ):
        both = (one, other)
        for word in ("there", "done"):
            for process in both:
                assert process.stdout is not None
                assert process.stdin is not None
                assert process.stdout.readline().strip() == word
            waited = [watchdog.queued(process.pid) for process in both]
            for process in both:
                assert process.stdin is not None
                process.stdin.write("\n")
                process.stdin.flush()
    assert sum(waited) > 0.2  # each needs half a second of the one processor that both may use
    assert watchdog.queued(one.pid) == 0.0  # there is no such process any more
