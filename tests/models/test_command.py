"""Any program as a model: what it is told, what it sees, and how it may fail."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from geak.errors import Trouble
from geak.models.base import Call, Message, Model, Usage
from geak.models.command import prompt
from geak.models.config import tables_from
from geak.models.registry import open_model
from tests.gone import gone
from tests.models.asking import CALL, KEY, asked, refused

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/tmp/home",
    "XDG_CONFIG_HOME": "/tmp/config",
    "ANTHROPIC_API_KEY": KEY,
    "AGENT_KEY": "for-the-agent",
}


def python(code: str, **more: Any) -> Model:
    return program(shlex.join([sys.executable, "-c", code]), **more)


def program(line: str, **more: Any) -> Model:
    toml = {"models": {"mine": {"kind": "command", "model": line, **more}}}
    return open_model("mine", tables_from(toml), ENVIRONMENT)


def test_the_prompt_goes_in_and_the_reply_comes_out() -> None:
    reply = asked(python("import sys; print(sys.stdin.read().upper(), end='')"))
    assert reply.text == "YOU WRITE KERNELS.\n\nTHE SPEC.\n\nGO ON.\n"
    assert (reply.finish, reply.usage) == ("stop", Usage())


def test_a_talk_has_names() -> None:
    talk = (
        Message("user", "one"),
        Message("system", "be brief"),
        Message("assistant", "two"),
        Message("user", "three"),
    )
    assert prompt(talk) == "be brief\n\nAsked:\n\none\n\nYou answered:\n\ntwo\n\nAsked:\n\nthree\n"


def test_it_sees_what_it_may_and_no_key() -> None:
    code = "import os, json; print(json.dumps(dict(os.environ)))"
    seen = json.loads(asked(python(code, env=["AGENT_KEY", "NOT_SET"])).text)
    seen.pop("LC_CTYPE", None)  # Python's own doing
    assert seen == {key: value for key, value in ENVIRONMENT.items() if key != "ANTHROPIC_API_KEY"}


def test_colours_are_taken_off() -> None:
    assert asked(python(r"print('\x1b[1;31mred\x1b[0m \x1b]0;title\x07plain')")).text == "red plain\n"


def test_it_may_say_nothing_and_need_not_read() -> None:
    reply = asked(python("import os; os.close(0)"), Call((Message("user", "x" * 1_000_000),)))
    assert (reply.text, reply.finish) == ("", "stop")


def test_a_long_prompt_and_a_long_reply_at_a_time() -> None:
    call = Call((Message("user", "line\n" * 200_000),))
    code = "import sys\nfor line in sys.stdin: sys.stdout.write(line); sys.stderr.write(line)"
    assert len(asked(python(code), call).text) == 1_000_001


@pytest.mark.parametrize(
    ("code", "trouble", "sentence"),
    [
        ("import sys; sys.exit('no \\x1b[31mlicence\\x07')", Trouble.REQUEST, "ended with code 1: no licence"),
        ("print('only here'); raise SystemExit(2)", Trouble.REQUEST, "ended with code 2: only here"),
        ("raise SystemExit(3)", Trouble.REQUEST, "ended with code 3 and said nothing"),
        ("raise SystemExit(75)", Trouble.BUSY, "ended with code 75 and said nothing"),
        ("import os; os.kill(os.getpid(), 9)", Trouble.BUSY, "was ended by signal 9"),
        ("import sys; sys.stderr.write('x' * 10_000 + 'the end'); sys.exit(1)", Trouble.REQUEST, "xthe end"),
        ("while True: print('x' * 100_000)", Trouble.REQUEST, "wrote more than 8 MiB and was ended"),
    ],
)
def test_ways_to_fail(code: str, trouble: Trouble, sentence: str) -> None:
    why = refused(python(code))
    assert (why.trouble, why.charged) == (trouble, False)
    assert sentence in str(why)
    assert str(why).isprintable()
    assert len(str(why)) < 600


def test_a_hang_ends_with_all_that_it_started(tmp_path: Path) -> None:
    note = tmp_path / "child"
    line = shlex.join(["sh", "-c", f"sleep 600 & echo $! > {shlex.quote(str(note))}; wait"])
    why = refused(program(line, timeout=2.0))
    assert why.trouble is Trouble.TIMEOUT
    assert "was not done after 2 s and was ended" in str(why)
    assert gone(int(note.read_text()))


def test_a_helper_that_is_left_behind_with_the_pipe_does_not_hold_us(tmp_path: Path) -> None:
    note = tmp_path / "child"
    code = (
        "import os, time\n"
        f"if os.fork() == 0: os.setsid(); open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(600)\n"
        f"while not (os.path.exists({str(note)!r}) and os.path.getsize({str(note)!r})): pass\n"
        "print('done')"
    )
    reply = asked(python(code, timeout=20))
    os.kill(int(note.read_text()), signal.SIGKILL)
    assert reply.text == "done\n"


def test_a_call_that_is_given_up_ends_the_program(tmp_path: Path) -> None:
    note = tmp_path / "child"

    async def give_up() -> None:
        code = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
        call = asyncio.create_task(python(code).ask(CALL))
        while not (note.exists() and note.read_text()):
            await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(give_up())
    assert gone(int(note.read_text()))


def test_its_costs_are_nobodys_to_know() -> None:
    model = python("pass")
    assert (model.paid, model.price) == (False, None)
    assert model.note == f"what {Path(sys.executable).name} costs is not known to geak"
    free = python("pass", price={"input": 0, "output": 0}, concurrency=9)
    assert (free.note, free.concurrency) == ("", 9)
    assert free.price is not None


def test_what_was_run_is_shown_without_values() -> None:
    sent: list[Any] = []
    asked(open_model("command:cat", {}, ENVIRONMENT, watch=sent.append))
    assert sent[0]["program"] == ["cat"]
    assert sent[0]["environment"] == ["HOME", "PATH", "XDG_CONFIG_HOME"]
    assert sent[0]["input"].startswith("You write kernels.")
