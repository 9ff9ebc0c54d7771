"""A run's folder: `events.jsonl`, a line an event, and `blobs/` by their content.

What is entered is written by `commit`, also from another thread, and always as a beginning of all that was entered: a
line is never there without the lines before it and the texts that it names.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from geak.errors import MachineError, RunBusy, RunError, UsageError
from geak.journal.events import KINDS, VERSION, Announced, Begun, Blob, Ended, Event, Failed, Received, Resumed
from geak_evaluator.schema import codec

EVENTS = "events.jsonl"
BLOBS = "blobs"
_LOCK = ".lock"


@dataclass(frozen=True)
class Entry:
    """One line of a journal."""

    number: int
    at: str
    """UTC, to the millisecond."""
    event: Event


class Journal:
    """A run's folder, open for this process alone."""

    def __init__(self, folder: Path, entries: list[Entry], lock: int, end: int) -> None:
        self.folder = folder
        self.entries = entries
        self._lock = lock
        self._end = end
        self._file = -1
        self._entering, self._writing = threading.Lock(), threading.Lock()
        self._lines: list[bytes] = []
        self._texts: dict[Blob, bytes] = {}

    @classmethod
    def create(cls, folder: Path) -> Journal:
        """A new run's folder; what is there already is left as it is."""
        try:
            (folder / BLOBS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(folder, error) from None
        lock = _locked(folder)
        if has_run(folder):
            os.close(lock)
            raise RunError(f"{folder} holds a run already; `geak resume {folder}` goes on with it")
        return cls(folder, [], lock, 0)

    @classmethod
    def open(cls, folder: Path) -> Journal:
        """A run that was begun before; a last line that was cut off by a crash is dropped."""
        if not (folder / EVENTS).is_file():
            raise RunError(f"{folder} holds no run: there is no {EVENTS} in it")
        lock = _locked(folder)
        try:
            entries, end = _read(folder)
        except BaseException:
            os.close(lock)
            raise
        return cls(folder, entries, lock, end)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets another process have the run; what was entered and not written yet is written, as far as it can be."""
        with contextlib.suppress(MachineError):  # whoever waited for it has been told
            self.commit()
        for descriptor in (self._file, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._lock = -1

    def enter(self, event: Event) -> Entry:
        """Takes an event in; `commit` writes it."""
        entry = Entry(len(self.entries), _now(), event)
        line = (json.dumps(_plain(entry), separators=(",", ":")) + "\n").encode()
        with self._entering:
            self._lines.append(line)
            self.entries.append(entry)
        return entry

    def hold(self, text: str) -> Blob:
        """Takes a text in, by its hash; `commit` writes it before any event that was entered later."""
        data = text.encode("utf-8", "surrogateescape")
        name = hashlib.sha256(data).hexdigest()
        with self._entering:
            self._texts[name] = data
        return name

    def commit(self) -> None:
        """When this returns, all that was entered is on disk; where it cannot be, it was never entered."""
        with self._writing:
            with self._entering:
                texts, lines, self._lines = dict(self._texts), self._lines, []
            try:
                self._write(texts, b"".join(lines))
            except MachineError:
                with self._entering:
                    del self.entries[len(self.entries) - len(lines) - len(self._lines) :]
                    self._lines, self._texts = [], {}
                raise
            with self._entering:
                for name in texts:
                    del self._texts[name]

    def append(self, event: Event) -> Entry:
        """Enters an event and writes it."""
        entry = self.enter(event)
        self.commit()
        return entry

    def keep(self, text: str) -> Blob:
        """Takes a text in and writes it."""
        name = self.hold(text)
        self.commit()
        return name

    def text(self, blob: Blob) -> str:
        """A text that was kept."""
        held = self._texts.get(blob)
        return read_blob(self.folder, blob) if held is None else held.decode("utf-8", "surrogateescape")

    def _write(self, texts: Mapping[Blob, bytes], lines: bytes) -> None:
        fresh = {name: data for name, data in texts.items() if not (self.folder / BLOBS / name).exists()}
        try:
            for name, data in fresh.items():
                _put(self.folder / BLOBS / name, data, sync=True)
            if fresh:
                _sync_folder(self.folder / BLOBS)
            if not lines:
                return
            if self._file < 0:
                self._file = os.open(self.folder / EVENTS, os.O_WRONLY | os.O_CREAT, 0o644)
                _sync_folder(self.folder)
            # Written at the end of what was read, so that the rest of a broken last line is not kept.
            os.ftruncate(self._file, self._end)
            _write_all(self._file, lines, self._end)
            os.fsync(self._file)
        except OSError as error:
            raise _unwritable(self.folder, error) from None
        self._end += len(lines)


def has_run(folder: Path) -> bool:
    """Whether a run was begun there: a process that was killed may leave a file, and no whole line in it."""
    try:
        with (folder / EVENTS).open("rb") as file:
            return file.readline().endswith(b"\n")
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # whatever it is, nobody begins a run over it


def read(folder: Path) -> list[Entry]:
    """The events of a run, also of one that another process works on."""
    if not (folder / EVENTS).is_file():
        raise RunError(f"{folder} holds no run: there is no {EVENTS} in it")
    return _read(folder)[0]


@dataclass(frozen=True)
class Glance:
    """What a run's lines say of its money, its time and its end; the rest of them is not looked at."""

    calls: tuple[Event, ...] = ()
    """Announced, received, failed, gone on with."""
    ended: Ended | None = None
    """How it stopped, if that is its last line."""
    sittings: tuple[tuple[str, str], ...] = ()
    """When it was worked on: from, until."""


_GLANCED = {f'{{"event":"{kind.__name__.lower()}"'.encode(): kind for kind in (Announced, Received, Failed, Resumed)}
_AT = len('"at":"')


def glance(folder: Path) -> Glance | None:
    """A look at a run, many times as fast as reading it; None where none was begun."""
    try:
        data = (folder / EVENTS).read_bytes()
    except FileNotFoundError:
        return None
    calls: list[Event] = []
    sittings: list[tuple[str, str]] = []
    begun = until = ""
    last = b""
    for number, last in enumerate(_whole_lines(data)):
        head, _, rest = last.partition(b",")
        if number == 0 or head == b'{"event":"resumed"':
            sittings += [(begun, until)] * bool(begun)
            begun = _stamp(rest)
        until = _stamp(rest)
        if head in _GLANCED:
            calls.append(_entry(folder, number, last).event)
    if not begun:
        return None
    ended = _entry(folder, 1, last).event if last.startswith(b'{"event":"ended"') else None
    return Glance(tuple(calls), ended if isinstance(ended, Ended) else None, (*sittings, (begun, until)))


def _stamp(rest: bytes) -> str:
    return rest[_AT:].partition(b'"')[0].decode("ascii", "replace")


def read_blob(folder: Path, blob: Blob) -> str:
    """A text that a run kept; one that was changed since is as good as lost."""
    try:
        data = (folder / BLOBS / blob).read_bytes()
    except OSError as error:
        raise RunError(f"{folder}: {BLOBS}/{blob} cannot be read: {(error.strerror or '').lower()}") from None
    if hashlib.sha256(data).hexdigest() != blob:
        raise RunError(f"{folder}: {BLOBS}/{blob} is not what was written; the run cannot be gone on with")
    return data.decode("utf-8", "surrogateescape")


def write(path: Path, data: bytes, *, only_new: bool = False, sync: bool = True) -> None:
    """Writes a file whole or not at all; without `sync` a crash of the machine may undo it."""
    if only_new and path.exists():
        return
    try:
        _put(path, data, sync=sync)
        if sync:
            _sync_folder(path.parent)
    except OSError as error:
        raise _unwritable(path, error) from None


def hand_out(file: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Writes a file that a person named, whole or not at all; what was there before stays until then."""
    try:
        if file.exists() and not file.is_file():  # a pipe, say, which nothing may take the place of
            file.write_bytes(data)
        else:
            _put(Path(os.path.realpath(file)), data, sync=True, mode=mode)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        if error.errno in _OF_THE_MACHINE:
            raise MachineError(f"{file} cannot be written: {why}") from None
        raise UsageError(f"{file}: {why}") from None


_OF_THE_MACHINE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})


def _put(path: Path, data: bytes, *, sync: bool, mode: int = 0o644) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        try:
            _write_all(descriptor, data, 0)
            if sync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(fresh, path)
    except OSError:
        with contextlib.suppress(OSError):  # where nothing can be written, nothing can be taken away
            fresh.unlink()
        raise


def _read(folder: Path) -> tuple[list[Entry], int]:
    data = (folder / EVENTS).read_bytes()
    entries: list[Entry] = []
    end = 0
    for line in _whole_lines(data):
        entries.append(_entry(folder, len(entries), line))
        end += len(line) + 1
    if not entries:
        raise RunError(f"{folder}: its journal holds no whole line, so there is nothing to go on with; begin it again")
    return entries, end


def _whole_lines(data: bytes) -> Iterator[bytes]:
    yield from data.split(b"\n")[:-1]


def _entry(folder: Path, number: int, line: bytes) -> Entry:
    where = f"{folder / EVENTS}, line {number + 1}"
    try:
        fields = codec.loads(line)
        if number == 0 and isinstance(fields, dict) and fields.get("version") not in range(1, VERSION + 1):
            version = fields.get("version")
            raise RunError(f"{folder} was written by another GEAK (journal {version}, this one reads {VERSION})")
        kind = KINDS[fields.pop("event")]
        at = fields.pop("at")
        event = codec.from_json(kind, fields)
    except (codec.WireError, KeyError, AttributeError, TypeError) as error:
        raise RunError(f"{where} cannot be read: {str(error)[:200]}; the lines before it are whole") from None
    if (number == 0) != isinstance(event, Begun):
        raise RunError(f"{where}: a run begins once, with its first line")
    return Entry(number, str(at), event)


def _plain(entry: Entry) -> dict[str, Any]:
    return {"event": type(entry.event).__name__.lower(), "at": entry.at, **codec.to_json(entry.event)}


def locked(path: Path, busy: str) -> int:
    """Takes the lock that this file is, for as long as its descriptor is open; RunBusy where another process has it."""
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise _unwritable(path.parent, error) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise RunBusy(busy) from None
        raise _unwritable(path.parent, error) from None
    return lock


def _locked(folder: Path) -> int:
    busy = f"another process works on {folder}; `geak show {folder}` says how far it is"
    return locked(folder / _LOCK, busy)


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(path: Path, error: OSError) -> MachineError:
    why = (error.strerror or str(error)).lower()
    return MachineError(f"{path} cannot be written: {why}; nothing that was received before is lost")


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
