"""A run's folder: nothing that was written is lost, and whatever else lies there is told in a sentence."""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from geak.errors import GeakError, MachineError, RunError, UsageError
from geak.journal.events import KINDS, VERSION, Ended, Event, Written
from geak.journal.store import Journal, hand_out, has_run, read, read_blob, write
from tests.journal.samples import begun, developed

EVENTS: list[Event] = [begun(), *developed("1.1", 0), Ended("goal", "done", 0)]


def filled(folder: Path) -> Path:
    with Journal.create(folder) as journal:
        for event in EVENTS:
            journal.append(event)
    return folder


def test_what_is_written_is_read(tmp_path: Path) -> None:
    folder = filled(tmp_path / "run")
    assert [entry.event for entry in read(folder)] == EVENTS
    with Journal.open(folder) as journal:
        assert [entry.event for entry in journal.entries] == EVENTS
        assert journal.append(Ended("rounds", "over", 1)).number == len(EVENTS)
    assert read(folder)[-1].event == Ended("rounds", "over", 1)


def test_every_event_has_a_word_of_its_own() -> None:
    assert len(KINDS) == 14
    assert {type(event).__name__.lower() for event in EVENTS} <= set(KINDS)


def test_any_cut_of_the_last_line_is_dropped_and_written_over(tmp_path: Path) -> None:
    folder = filled(tmp_path / "run")
    whole = (folder / "events.jsonl").read_bytes()
    last = whole[:-1].rfind(b"\n") + 1
    for end in range(last, len(whole)):
        (folder / "events.jsonl").write_bytes(whole[:end])
        assert [entry.event for entry in read(folder)] == EVENTS[:-1]
        with Journal.open(folder) as journal:
            journal.append(EVENTS[-1])
        assert [entry.event for entry in read(folder)] == EVENTS


@pytest.mark.parametrize("left", [b"", b'{"number":0,"at":"2026'])
def test_what_was_killed_before_its_first_line_is_begun_anew(tmp_path: Path, left: bytes) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "events.jsonl").write_bytes(left)
    assert not has_run(folder)
    filled(folder)
    assert has_run(folder)
    assert [entry.event for entry in read(folder)] == EVENTS
    with pytest.raises(RunError, match="holds a run already"):
        Journal.create(folder)


def test_a_line_that_was_damaged_is_named(tmp_path: Path) -> None:
    folder = filled(tmp_path / "run")
    lines = (folder / "events.jsonl").read_text().splitlines()
    for broken in ("", "{", "[]", '{"event": "moved"}', '{"event": "laughed", "at": ""}', lines[0]):
        (folder / "events.jsonl").write_text("\n".join([lines[0], broken, *lines[2:]]) + "\n")
        with pytest.raises(RunError, match=r"line 2"):
            Journal.open(folder)
        with pytest.raises(RunError, match=r"line 2"):
            Journal.open(folder)  # the lock was let go


def test_a_journal_of_another_time_says_so(tmp_path: Path) -> None:
    folder = filled(tmp_path / "run")
    lines = (folder / "events.jsonl").read_text().splitlines()
    newer = json.loads(lines[0]) | {"version": VERSION + 1, "flavour": "new"}
    (folder / "events.jsonl").write_text("\n".join([json.dumps(newer), *lines[1:]]) + "\n")
    with pytest.raises(RunError, match=rf"written by another GEAK \(journal {VERSION + 1}, this one reads {VERSION}\)"):
        Journal.open(folder)


def test_a_run_has_one_worker(tmp_path: Path) -> None:
    folder = filled(tmp_path / "run")
    program = f"from geak.journal.store import Journal\nfrom pathlib import Path\nJournal.open(Path({str(folder)!r}))"
    with Journal.open(folder):
        assert read(folder)[0].event == EVENTS[0]  # to look is free
        other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "another process works on" in other.stderr
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_what_holds_no_run_is_no_run(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(RunError, match="holds no run"):
            Journal.open(folder)
        with pytest.raises(RunError, match="holds no run"):
            read(folder)
    with pytest.raises(RunError, match="holds a run already"):
        Journal.create(filled(tmp_path / "run"))


def test_a_text_is_kept_by_its_content(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "run") as journal:
        name = journal.keep("a kernel \udce9")
        assert journal.keep("a kernel \udce9") == name
        assert journal.text(name) == "a kernel \udce9"
    assert [path.name for path in (tmp_path / "run" / "blobs").iterdir()] == [name]
    (tmp_path / "run" / "blobs" / name).write_text("another kernel")
    with pytest.raises(RunError, match="is not what was written"):
        read_blob(tmp_path / "run", name)
    with pytest.raises(RunError, match="cannot be read: no such file"):
        read_blob(tmp_path / "run", "0" * 64)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "best.py"
    write(target, b"first")
    with pytest.raises(MachineError, match="cannot be written"):
        write(tmp_path / "missing" / "best.py", b"second")
    write(target, b"second")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"second"]


def test_a_file_that_a_person_named_stays_where_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, name = tmp_path / "kernel.py", tmp_path / "link.py"
    target.write_bytes(b"mine")
    name.symlink_to(target)
    hand_out(name, b"tuned")
    assert (target.read_bytes(), name.is_symlink()) == (b"tuned", True)
    hand_out(Path("/dev/null"), b"gone")
    assert not Path("/dev/null").is_file()

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.pwrite", full)
    with pytest.raises(MachineError, match=r"kernel\.py cannot be written: no space left on device$"):
        hand_out(target, b"another")
    with pytest.raises(UsageError, match=r"nowhere/kernel\.py: no such file or directory$"):
        hand_out(tmp_path / "nowhere" / "kernel.py", b"another")
    assert target.read_bytes() == b"tuned"
    assert {path.name for path in tmp_path.iterdir()} == {"kernel.py", "link.py"}


def test_where_nothing_can_be_written_nothing_can_be_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    def forbidden(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("os.replace", read_only)
    monkeypatch.setattr(Path, "unlink", forbidden)
    with pytest.raises(MachineError, match=r"report\.html cannot be written: read-only file system"):
        write(tmp_path / "report.html", b"a page")


def test_a_full_disk_is_a_sentence_and_loses_nothing(tmp_path: Path) -> None:
    folder = filled(tmp_path / "run")
    program = f"""
import resource, signal
from pathlib import Path
from geak.errors import MachineError
from geak.journal.store import Journal
from geak.journal.events import Ended
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder = Path({str(folder)!r})
size = (folder / "events.jsonl").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, size + 20))  # no file may grow by more than a part of a line
with Journal.open(folder) as journal:
    for attempt in (lambda: journal.append(Ended("rounds", "over", 1)), lambda: journal.keep("x" * 2 * size)):
        try:
            attempt()
        except MachineError as error:
            print(error)
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.count("cannot be written: file too large; nothing that was received before is lost") == 2
    assert [entry.event for entry in read(folder)] == EVENTS
    assert list((folder / "blobs").iterdir()) == []
    with Journal.open(folder) as journal:
        journal.append(Ended("rounds", "over", 1))
    assert len(read(folder)) == len(EVENTS) + 1


def test_what_was_entered_is_there_whole_once_it_is_written(tmp_path: Path) -> None:
    folder = filled(tmp_path / "run")
    with Journal.open(folder) as journal:
        blob = journal.hold("a reply")
        journal.enter(Written("1.1", blob))
        assert journal.text(blob) == "a reply"
        assert len(read(folder)) == len(EVENTS)
        journal.commit()
        assert (read(folder)[-1].event, read_blob(folder, blob)) == (Written("1.1", blob), "a reply")


def test_no_line_is_there_without_the_texts_that_it_names(tmp_path: Path) -> None:
    folder = filled(tmp_path / "run")
    with Journal.open(folder) as journal:
        shutil.rmtree(folder / "blobs")
        journal.enter(Written("1.1", journal.hold("lost")))
        with pytest.raises(MachineError, match="cannot be written"):
            journal.commit()
        assert len(journal.entries) == len(read(folder)) == len(EVENTS)
        (folder / "blobs").mkdir()
        assert journal.append(Ended("rounds", "over", 1)).number == len(EVENTS)
    assert isinstance(read(folder)[-1].event, Ended)


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(GeakError, match="cannot be written"):
        Journal.create(blocked / "run")
