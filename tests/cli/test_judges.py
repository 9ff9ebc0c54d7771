"""What a person is told when the judge is not what it should be."""

import json

import pytest

from geak.cli.options import judge_of
from geak.errors import JudgeError
from geak.judge import Judge
from geak.judge_process import command
from geak.settings import Settings
from geak.specs import shipped
from geak_evaluator.schema.wire import VERSION

HELLO = {"version": VERSION, "python": "3.11", "packages": {"torch": "2.9", "triton": "3.6"}, "sandbox": "isolated"}
GREET = f"print({json.dumps(json.dumps(HELLO))}, flush=True)\n"


def answers(body: str) -> str:
    """A judge that says hello and then this to each request."""
    return f"{GREET}for line in sys.stdin:\n    request = json.loads(line)\n    {body}\n"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("sys.exit(5)", "the judge ended with code 5 before its answer; `geak doctor` may say why"),
        ("sys.exit(3)", "the judge will not work on this machine; `geak doctor` says what is missing"),
        ("os.kill(os.getpid(), 9)", "the judge ended with code -9 before its answer"),
        ("os.close(1); sys.exit(0)", "the judge ended with code 0 before its answer"),
        ("print('Welcome to box!')", "the judge's command printed what is no hello: 'Welcome to box!'; nothing but"),
        ("print('[]')", "the judge's command printed what is no hello: '[]'; nothing but"),
        ("print('{}')", "the judge's command printed what is no hello: '{}'; nothing but"),
        ("os.write(1, b'\\xff\\xfe\\n')", "the judge's command printed what is no hello: ''; nothing but"),
        ("print('[' * 100000)", f"the judge's command printed what is no hello: '{'[' * 77}...'; nothing but"),
        ("os.write(1, b'x' * (20 << 20)); sys.stdin.read()", f"is no hello: '{'x' * 77}...'"),
        (f"print(json.dumps({HELLO | {'version': 99}!r}))", f"speaks version 99 and this agent version {VERSION}"),
        (f"print(json.dumps({HELLO | {'version': 99, 'new': 1}!r}))", "speaks version 99 and this agent version"),
        (GREET + "sys.exit(4)", "the judge ended with code 4 before its answer"),
        (GREET + "sys.stdin.close(); sys.exit(4)", "the judge ended with code 4 before its answer"),
        (answers("print('nonsense', flush=True)"), "the judge said something that cannot be read: not JSON"),
        (answers("print('{}', flush=True)"), "the judge said something that cannot be read: $: Response needs id"),
        (answers("print(json.dumps({'id': 77, 'result': {}}), flush=True)"), "the judge answered another question"),
        (answers("print(json.dumps({'id': request['id'], 'result': 5}), flush=True)"), "expected Description, got int"),
        (answers("print(json.dumps({'id': request['id']}), flush=True)"), "expected Description, got NoneType"),
        (
            answers("print(json.dumps({'id': 1, 'problem': {'kind': 'sandbox', 'message': 'no room'}}), flush=True)"),
            "error: no room",
        ),
    ],
)
def test_a_judge_that_misbehaves_is_told_in_a_sentence(geak, fake_judge, body, message):
    found = geak("specs", "show", "softmax", "--judge", fake_judge(body))
    assert (found.code, found.out) == (3, "")
    assert message in found.err
    assert "Traceback" not in found.err
    assert len(found.err) < 2000


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ("no-such-program --serve", 3, "the judge could not be started: no-such-program --serve: No such file"),
        ("/etc", 3, "the judge could not be started: /etc: Permission denied"),
        ("'unclosed", 2, 'error: --judge "\'unclosed" is no command: no closing quotation'),
        ("  ", 2, "error: --judge: a text that is not empty is wanted, not '  '"),
    ],
)
def test_a_command_that_starts_no_judge(geak, command, code, message):
    found = geak("specs", "show", "softmax", "--judge", command)
    assert (found.code, found.out) == (code, "")
    assert message in found.err


def test_the_problems_of_a_spec_and_of_a_request_are_the_user_s(geak, fake_judge):
    for kind in ("spec", "request"):
        problem = {"id": 1, "problem": {"kind": kind, "message": "it is \x1b[31mso"}}
        found = geak(
            "specs", "show", "softmax", "--judge", fake_judge(answers(f"print(json.dumps({problem!r}), flush=True)"))
        )
        assert (found.code, found.err) == (2, "error: it is �[31mso\n")


def test_a_judge_sees_no_key_and_nothing_else_of_the_environment(geak, fake_judge, monkeypatch, tmp_path):
    secrets = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEAK_SECRET", "AWS_SECRET_ACCESS_KEY", "SSH_AUTH_SOCK", "FOO")
    for name in secrets:
        monkeypatch.setenv(name, "hunter2")
    monkeypatch.setenv("HIP_VISIBLE_DEVICES", "0")
    seen = tmp_path / "seen.json"
    geak("doctor", "--judge", fake_judge(f"open({str(seen)!r}, 'w').write(json.dumps(dict(os.environ)))\n{GREET}"))
    environment = json.loads(seen.read_text())
    assert "hunter2" not in environment.values()
    assert environment["HIP_VISIBLE_DEVICES"] == "0"
    assert environment["PATH"]


def test_a_judge_is_ended_with_what_it_was_asked(fake_judge, tmp_path):
    gone = tmp_path / "gone"
    body = f"{GREET}sys.stdin.read()\nopen({str(gone)!r}, 'w')"
    with Judge(fake_judge(body)) as judge:
        assert judge.hello.packages["torch"] == "2.9"
        assert not gone.exists()
    assert gone.exists()


def test_one_judge_answers_one_question_after_another(running_judge):
    with Judge(running_judge) as judge:
        names = [judge.describe(shipped() / f"{name}.py").name for name in ("softmax", "matmul", "softmax")]
    assert names == ["softmax", "matmul", "softmax"]


def test_a_judge_that_did_not_greet_is_not_left_running(fake_judge, tmp_path):
    gone = tmp_path / "gone"
    script = fake_judge(f"print('nonsense', flush=True)\nsys.stdin.read()\nopen({str(gone)!r}, 'w')")
    with pytest.raises(JudgeError, match="no hello: 'nonsense'"), Judge(script):
        pass
    assert gone.exists()


def test_a_judge_that_lives_but_can_say_nothing_any_more(fake_judge, monkeypatch):
    monkeypatch.setattr("geak.judge_process._PATIENCE_S", 0.05)
    script = fake_judge("os.close(1)\nsys.stdin.read()")
    with pytest.raises(JudgeError, match="has closed its standard output, and will not answer"), Judge(script):
        pass


@pytest.mark.parametrize("body", ["sys.stdin.read()", "os.write(1, b'password: '); sys.stdin.read()"])
def test_a_judge_that_says_no_hello_is_given_up(fake_judge, body):
    script = fake_judge(body)
    with pytest.raises(JudgeError) as caught, Judge(script, patience=0.1):
        pass
    assert str(caught.value).startswith(f"the judge did not say hello within 0.1 s: {script}"[:100])
    assert str(caught.value).endswith("may ask for nothing, such as a password")


def test_doctor_on_a_machine_that_is_fit(geak):
    found = geak("doctor")
    assert (found.code, found.err) == (0, "")
    for word in ("geak ", "torch ", "triton ", "numpy ", "devices ", "sandbox "):
        assert f"\n{word}" in f"\n{found.out}"
    hello = json.loads(geak("doctor", "--json").out)
    assert hello["version"] == VERSION
    assert set(hello["packages"]) == {"torch", "triton", "numpy"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"sandbox": "base", "leaks": ["/tmp can be written"]},
            ("refuses to run it", "leak: /tmp can be written", "5.13"),
        ),
        ({"missing": {"torch": "ImportError: no libfoo"}}, ("it does not load: ImportError: no libfoo",)),
        (
            {"missing": {"triton": "no"}, "packages": {"torch": "2"}},
            ("triton     missing: it comes with the vendor's",),
        ),
        ({"sandbox": "base", "broken": ["it cannot fork"]}, ("broken: it cannot fork",)),
    ],
)
def test_doctor_says_what_is_missing_and_how_to_get_it(geak, fake_judge, changes, words):
    hello = HELLO | {"packages": {"torch": "2", "triton": "3", "numpy": "2"}} | changes
    judge = fake_judge(f"print(json.dumps({hello!r}))")
    found = geak("doctor", "--judge", judge)
    assert found.code == 3
    assert all(word in found.out for word in words), found.out
    as_json = geak("doctor", "--json", "--judge", judge)
    assert (as_json.code, json.loads(as_json.out)["sandbox"]) == (3, hello["sandbox"])


def test_doctor_without_a_judge(geak, fake_judge):
    found = geak("doctor", "--judge", fake_judge("sys.exit(5)"))
    assert (found.code, found.out) == (3, "")
    assert (
        found.err
        == "judge      does not start: the judge ended with code 5 before its answer; `geak doctor` may say why\n"
    )


def test_a_level_that_is_not_known_is_told_and_no_traceback(geak, fake_judge):
    found = geak("doctor", "--judge", fake_judge(f"print(json.dumps({HELLO | {'sandbox': 'padded'}!r}))"))
    assert "sandbox    padded: a level that this agent does not know" in found.out


@pytest.mark.parametrize("judge", [(), ("local",), ("local", "ssh box judge")])
def test_a_short_command_takes_local_for_this_machine(judge: tuple[str, ...]) -> None:
    assert judge_of(Settings(judge=judge)) == command()
    assert judge_of(Settings(judge=("ssh box judge",))) == "ssh box judge"
