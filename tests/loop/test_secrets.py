"""A scan for secrets: after a run, keys and headers' values are in no file of it, on no screen and in no child."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from geak.models.base import Usage
from tests.loop.stage import JUDGE, kernel, spec
from tests.models.wire import Behaviour, Provider, Says, Status, error

CLAUDE = "sk-ant-api03-4f1c-very-secret-indeed"
OPENAI = "sk-proj-9a77-not-for-anybody-else"
TEAM = "team:blue/4711+s3cr3t=="
OTHER = "nvapi-3b2d-for-something-else"
MATE = "known-only-by-a-header"
SECRETS = (CLAUDE, OPENAI, TEAM, OTHER, MATE)
ECHO = f"I was asked with {CLAUDE}, {OPENAI} and {TEAM}; {OTHER} is there too, and {MATE}."
KINDS = {"anthropic": "claude-opus-5", "openai": "gpt-6-sol", "openai-compatible": "qwen"}
every = pytest.mark.parametrize("kind", KINDS)


def leaks(*places: Path | str) -> Iterator[str]:
    """Where a secret lies: in a file below a folder, in a file, or in a text."""
    for place in places:
        if isinstance(place, str):
            found = {"a text": place.encode()}
        else:
            files = [path for path in (place, *place.rglob("*")) if path.is_file()]
            assert files, f"{place} holds nothing to look through"
            found = {str(path): path.read_bytes() for path in files}
        for name, data in found.items():
            yield from (f"{secret} in {name}" for secret in SECRETS if secret.encode() in data)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A project with a spec, keys in .env, and a judge that writes down what it sees of the environment."""
    spec(tmp_path)
    (tmp_path / ".env").write_text(f"OPENAI_API_KEY={OPENAI}\nTEAM_SECRET='{TEAM}'\n")
    _, judge = shlex.split(JUDGE)
    (tmp_path / "judge.py").write_text(
        f"import json, os\nopen({str(tmp_path / 'judge.json')!r}, 'w').write(json.dumps(dict(os.environ)))\n"
        f"os.execv({sys.executable!r}, [{sys.executable!r}, {judge!r}])\n"
    )
    return tmp_path


def geak(place: Path, *words: str, **more: str) -> tuple[int, str]:
    """The real program, with some of them in its environment; its exit code and all that it said."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GEAK_")}
    there = {"ANTHROPIC_API_KEY": CLAUDE, "NVIDIA_API_KEY": OTHER, "TEAM_MATE": MATE, "GEAK_DEBUG": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "geak", *words],
        cwd=place,
        env=kept | there | more,
        capture_output=True,
        text=True,
        timeout=300,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def generate(place: Path, *more: str, what: tuple[str, ...] = ("double.py",), **variables: str) -> tuple[int, str]:
    judge = shlex.join([sys.executable, str(place / "judge.py")])
    common = ["--model", "mine", "--judge", judge, "--out", "run", "--rounds", "3", "--usd", "none", "--yes"]
    return geak(place, "generate", *what, *common, *more, **variables)


def at(place: Path, kind: str, provider: Provider) -> None:
    """Has the model at this provider, with a header whose value is secret."""
    url = provider.url if kind == "anthropic" else provider.v1
    key = "" if kind != "openai-compatible" else 'api_key_env = "OPENAI_API_KEY"\n'
    (place / "geak.toml").write_text(
        f'[models.mine]\nkind = "{kind}"\nmodel = "{KINDS[kind]}"\nbase_url = "{url}"\n{key}'
        'headers = {"X-Team" = "${TEAM_SECRET}", "X-Mate" = "Mate ${TEAM_MATE}"}\nprice = {input = 1, output = 1}\n'
    )


def says(number: int, *words: str) -> Says:
    source = kernel(number, *words, ECHO).replace("    y = ", f'    """{ECHO}"""\n    y = ')
    return Says(f"{ECHO}\n\n```python\n{source}```\n", usage=Usage(100, 100))


LESSON = Says(json.dumps({"cause": ECHO, "advice": ECHO, "tried": "it", "outcome": "avoid"}))
PLAN = Says(json.dumps({"change": ECHO, "evidence": ECHO}))
BUSY = Status(500, error("server_error", ECHO), {"retry-after": "0"})


def test_the_scan_finds_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "one").write_text("nothing of interest")
    assert not list(leaks(tmp_path, "nor here"))
    (tmp_path / "blobs" / "two").write_text(f"x{TEAM}y")
    assert list(leaks(tmp_path, f"{CLAUDE}\n")) == [f"{TEAM} in {tmp_path}/blobs/two", f"{CLAUDE} in a text"]


@every
def test_a_model_that_repeats_what_it_was_asked_with(place: Path, kind: str) -> None:
    with Provider(says(1, "verdict: rejected"), LESSON, BUSY, says(2, "width: 32")) as provider:
        at(place, kind, provider)
        code, said = generate(place)
        (sent, *_) = provider.requests
    assert code == 0, said
    assert (sent.headers["x-team"], sent.headers["x-mate"]) == (TEAM, f"Mate {MATE}")
    assert (CLAUDE if kind == "anthropic" else OPENAI) in "".join(sent.headers.values())
    assert "[hidden]" in (place / "run" / "best.py").read_text()
    assert json.loads((place / "judge.json").read_text())["PATH"]
    assert not list(leaks(place / "run", place / "judge.json", said))
    # What was kept without them is gone on with as if it had come so.
    with Provider(PLAN, says(3, "width: 128")) as provider:
        at(place, kind, provider)
        code, said = geak(place, "resume", "run", "--goal", "best")
        asked = json.dumps([request.body for request in provider.requests])
    assert code == 0, said
    assert "(candidate 1.3)" in said
    assert not list(leaks(place / "run", said, asked)), "nor are they sent as a part of what it wrote"


def test_a_provider_that_repeats_the_key_as_it_refuses_it(place: Path) -> None:
    refused: list[Behaviour] = [says(1, "verdict: rejected"), LESSON, Status(401, error("authentication_error", ECHO))]
    with Provider(*refused) as provider:
        at(place, "openai", provider)
        code, said = generate(place, "--json")
    assert code == 5, said
    assert "does not accept the key" in said
    assert not list(leaks(place / "run", place / "judge.json", said))


AGENT = """import json, os, sys
open({seen!r}, "w").write(json.dumps(dict(os.environ)))
found = open(".env").read()
if {fails}:
    sys.exit("these are of no use: " + found)
print(found, "```python", {kernel!r} + "# " + found.replace("\\n", "\\n# "), "```", sep="\\n")
"""


@pytest.mark.parametrize("fails", [False, True], ids=["answers", "fails"])
def test_a_program_that_looks_for_keys_itself(place: Path, fails: bool) -> None:
    seen = place / "agent.json"
    (place / "agent.py").write_text(AGENT.format(seen=str(seen), fails=fails, kernel=kernel(1)))
    line = shlex.join([sys.executable, "agent.py"])
    (place / "geak.toml").write_text(f"[models.mine]\nkind = 'command'\nmodel = {line!r}\n")
    code, said = generate(place)
    assert code == (5 if fails else 0), said
    assert "of no use: OPENAI_API_KEY=[hidden]" in said if fails else "[hidden]" in (place / "run/best.py").read_text()
    assert json.loads(seen.read_text())["PATH"]
    assert not list(leaks(place / "run", place / "judge.json", seen, said))


def test_a_spec_that_a_model_drafts_holds_none(place: Path) -> None:
    draft = Says(
        f'```python\n"""{ECHO}"""\nspec = Spec(entry="double")\n\n\ndef reference(x):\n    return 2 * x\n```\n'
    )
    with Provider(draft, says(1)) as provider:
        at(place, "anthropic", provider)
        code, said = generate(place, what=("--from-text", "twice each element"))
    assert code == 0, said
    assert "[hidden]" in (place / "run" / "spec" / "double.py").read_text()
    assert not list(leaks(place / "run", said))


def test_a_header_that_cannot_be_sent_is_told_without_its_value(place: Path) -> None:
    with Provider() as provider:
        at(place, "anthropic", provider)
        code, said = generate(place, TEAM_SECRET=f"{TEAM}\n{OPENAI}")
    assert code == 1, "with GEAK_DEBUG, a traceback"
    assert "headers.X-Team holds characters that a header cannot carry" in said
    assert not list(leaks(said))
