"""The command `record`: runs a program of the user's as it is, and writes down how it calls one function."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from geak_evaluator.recording.merge import Record, merge
from geak_evaluator.recording.spec_file import spec_file

HOOK = Path(__file__).parent / "hook"
_TARGET = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def main(argv: Sequence[str] | None = None) -> int:
    """Records; returns the program's own exit code, 1 where nothing was recorded, 2 for a wrong call."""
    given = list(sys.argv[1:] if argv is None else argv)
    parser = _parser()
    own, command = (given[: given.index("--")], given[given.index("--") + 1 :]) if "--" in given else (given, [])
    try:
        options = parser.parse_args(own)
    except SystemExit as stop:
        return int(stop.code or 0)
    if not _TARGET.fullmatch(options.target):
        return _usage(parser, f"{options.target!r} is not MODULE:FUNCTION, as in model.layers:attention")
    if not command:
        return _usage(parser, "say after -- what to run, as in -- python train.py")
    if options.limit < 1:
        return _usage(parser, "--limit is at least 1")
    out = Path(options.out or f"{options.target.rpartition(':')[2].rpartition('.')[2]}.calls.json")
    for path in filter(None, (out, options.spec)):
        if not Path(path).parent.is_dir():
            return _usage(parser, f"there is no folder {Path(path).parent} to write {Path(path).name} to")
    with tempfile.TemporaryDirectory(prefix="geak-record-") as folder:
        shared = Path(folder) / "running"
        shared.mkdir()
        code = _run(command, environment(options.target, str(shared), options.limit))
        # What outlives the command (a helper of multiprocessing, a server) writes to a folder that is gone.
        record = merge(shared.rename(Path(folder) / "ended"))
    if not record.calls:
        _say(_nothing(options.target, record))
        return code or 1
    out.write_text(json.dumps(as_json(options.target, command, record), indent=1) + "\n", encoding="utf-8")
    written = [str(out)]
    if options.spec:
        Path(options.spec).write_text(spec_file(record, options.target), encoding="utf-8")
        written.append(options.spec)
    lost = f"; {record.lost} more were past --limit {options.limit}" if record.lost else ""
    _say(f"{record.total} calls, {len(record.calls)} distinct{lost}: {', '.join(written)}")
    if code:
        _say(f"the command failed with exit code {code}; what it called until then is kept")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="geak_evaluator record",
        usage="%(prog)s MODULE:FUNCTION [--out FILE] [--spec NAME.py] [--limit N] -- COMMAND...",
        description="Runs COMMAND as you would, and records the shapes that FUNCTION is called with.",
    )
    parser.add_argument("target", metavar="MODULE:FUNCTION", help="such as model.layers:attention or m:Block.forward")
    parser.add_argument("--out", metavar="FILE", help="where the record goes (FUNCTION.calls.json)")
    parser.add_argument("--spec", metavar="NAME.py", help="also draft a spec file with these cases")
    parser.add_argument("--limit", metavar="N", type=int, default=1000, help="distinct calls kept in a process (1000)")
    return parser


def _usage(parser: argparse.ArgumentParser, message: str) -> int:
    parser.print_usage(sys.stderr)
    _say(message)
    return 2


def _say(message: str) -> None:
    sys.stderr.write(f"geak: {message}\n")


def environment(target: str, folder: str, limit: int) -> dict[str, str]:
    """The environment of a recorded program: its own, with the recorder first on its path."""
    path = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "PYTHONPATH": f"{HOOK}{os.pathsep}{path}" if path else str(HOOK),
        "GEAK_RECORD_TARGET": target,
        "GEAK_RECORD_OUTPUT": folder,
        "GEAK_RECORD_LIMIT": str(limit),
    }


def _run(command: list[str], env: dict[str, str]) -> int:
    """The exit code of a program, as a shell would give it."""
    try:
        process = subprocess.Popen(command, env=env)
    except FileNotFoundError:
        _say(f"there is no command {command[0]!r}")
        return 127
    except OSError as error:
        _say(f"{shlex.join(command)} cannot be run: {error.strerror}")
        return 126
    # ^C reaches the program as well, which may end in its own way; what it recorded is wanted.
    if threading.current_thread() is not threading.main_thread():
        code = process.wait()
    else:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            code = process.wait()
        finally:
            signal.signal(signal.SIGINT, before)
    return code if code >= 0 else 128 - code


def _nothing(target: str, record: Record) -> str:
    """Why there is nothing, as far as it is known."""
    module, _, name = target.partition(":")
    if not record.processes:
        return (
            "nothing was recorded: no Python of the command could be watched (python -I, -E and -S ignore PYTHONPATH)"
        )
    listed = f"; it has {', '.join(record.functions)}" if record.functions else ""
    if record.problems:
        return f"nothing was recorded: {record.problems[0]}{listed}"
    if record.imported:
        return f"nothing was recorded: {module} was imported, and {name} was never called{listed}"
    near = [n for n in record.near if n != "__main__"]
    hint = f"; {', '.join(near)} was: is it {near[0]}:{name}?" if near else ""
    return f"nothing was recorded: {module} was not imported{hint}"


def as_json(target: str, command: list[str], record: Record) -> dict[str, object]:
    """The record as it is written."""
    return {
        "version": 1,
        "target": target,
        "command": command,
        "signature": record.signature,
        "total": record.total,
        "beyond_limit": record.lost,
        "processes": record.processes,
        "calls": record.calls,
    }


if __name__ == "__main__":
    sys.exit(main())
