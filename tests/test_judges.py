"""Several judges at once: programs of the tests' own that speak the protocol and die at will, and the real one."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from geak.errors import JudgeDied, JudgeError, SpecError, UsageError
from geak.judge import Judge
from geak.judge_process import command
from geak.judges import Judges, default_commands
from geak.specs import find
from geak_evaluator.schema.verdict import Status, Tier, Verdict
from geak_evaluator.schema.wire import VERSION

T = TypeVar("T")

FAKE = f"""
import json, os, signal, sys
here = sys.argv[1]
with open(here + "/started", "a") as file:
    print(os.getpid(), file=file)
if os.path.exists(here + "/broken"):
    sys.exit(7)
HELLO = {{"version": {VERSION}, "python": "3", "packages": {{}}, "sandbox": "isolated"}}
print(json.dumps(HELLO), flush=True)
print("a word on the side", file=sys.stderr, flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    word, _, what = asked.get("kernel", "").partition(" ")
    if word == "die" or (word == "die-once" and not os.path.exists(what)):
        if what:
            open(what, "x")
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "break":
        open(here + "/broken", "x")
        os._exit(9)
    if word == "hang":
        signal.pause()
    if word == "read":
        open(what).read()
    if word == "write":
        open(what, "w").close()
    answer = {{"id": asked["id"]}}
    if word == "refuse":
        answer["problem"] = {{"kind": what, "message": "it is so"}}
    else:
        about = f"{{os.getpid()}} {{os.getsid(0)}}"
        answer["result"] = {{"name": about, "status": "accepted", "how": "", "target": "", "oracle": "", "sandbox": ""}}
    print(json.dumps(answer), flush=True)
"""


class Scene:
    """A folder with a spec and a judge's program in it, which notes each of its starts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spec = folder / "spec.py"
        self.spec.write_text("")
        (folder / "judge.py").write_text(FAKE)
        self.command = [sys.executable, str(folder / "judge.py"), str(folder)]

    @property
    def started(self) -> list[int]:
        path = self.folder / "started"
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def fifo(self, name: str) -> Path:
        os.mkfifo(self.folder / name)
        return self.folder / name

    async def ask(self, judges: Judges, kernel: str = "") -> int:
        """The process that said the verdict."""
        verdict = await judges.evaluate(self.spec, kernel)
        return int(verdict.name.split()[0])

    def run(self, body: Callable[[Judges], Awaitable[T]], leases: int = 1) -> T:
        """Does it with so many judges; afterwards none of them is left."""

        async def main() -> T:
            async with Judges([self.command] * leases) as judges:
                return await body(judges)

        try:
            return asyncio.run(main())
        finally:
            assert not [pid for pid in self.started if alive(pid)]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_one_judge_is_started_at_once_and_others_only_when_they_are_needed(scene: Scene) -> None:
    async def body(judges: Judges) -> None:
        assert judges.hello.sandbox == "isolated"
        assert judges.leases == 3
        assert len(scene.started) == 1
        assert [await scene.ask(judges) for _ in range(4)] == scene.started * 4
        fifo = scene.fifo("between")
        both = await asyncio.gather(scene.ask(judges, f"read {fifo}"), scene.ask(judges, f"write {fifo}"))
        assert set(both) == set(scene.started)
        assert len(scene.started) == 2

    scene.run(body, 3)


def test_what_is_asked_waits_for_an_idle_judge(scene: Scene) -> None:
    async def body(judges: Judges) -> None:
        answers = await asyncio.gather(*(scene.ask(judges) for _ in range(9)))
        assert len(answers) == 9
        assert set(answers) <= set(scene.started)
        assert len(scene.started) == 2

    scene.run(body, 2)


def test_one_that_dies_is_started_again_and_asked_again(scene: Scene) -> None:
    async def body(judges: Judges) -> None:
        answer = await scene.ask(judges, f"die-once {scene.folder / 'died'}")
        assert answer == scene.started[1]
        assert await scene.ask(judges) == answer

    scene.run(body)


def test_one_that_dies_twice_over_a_candidate_can_be_asked_of_others(scene: Scene) -> None:
    async def body(judges: Judges) -> None:
        with pytest.raises(JudgeDied, match="two judges in turn did not answer this; the second: the judge ended"):
            await scene.ask(judges, "die")
        assert len(scene.started) == 2
        assert await scene.ask(judges) == scene.started[2]

    scene.run(body)


def test_one_that_cannot_be_started_again_is_another_trouble(scene: Scene) -> None:
    async def body(judges: Judges) -> None:
        with pytest.raises(JudgeError, match="the judge ended with code 7") as found:
            await scene.ask(judges, "break")
        assert not isinstance(found.value, JudgeDied)

    scene.run(body)


def test_a_judge_that_has_no_room_is_asked_again_and_then_given_up(scene: Scene) -> None:
    async def body(judges: Judges) -> None:
        with pytest.raises(JudgeDied, match="it is so"):
            await scene.ask(judges, "refuse sandbox")
        assert len(scene.started) == 2

    scene.run(body)


@pytest.mark.parametrize(("kind", "error"), [("spec", SpecError), ("request", UsageError)])
def test_a_problem_that_is_not_the_judge_s_is_told_and_the_judge_kept(
    scene: Scene, kind: str, error: type[Exception]
) -> None:
    async def body(judges: Judges) -> None:
        with pytest.raises(error, match="it is so"):
            await scene.ask(judges, f"refuse {kind}")
        assert [await scene.ask(judges)] == scene.started

    scene.run(body)


def test_a_spec_that_is_not_there_costs_no_judge(scene: Scene) -> None:
    async def body(judges: Judges) -> None:
        with pytest.raises(UsageError, match="no such file"):
            await judges.describe(scene.folder / "none.py")
        assert [await scene.ask(judges)] == scene.started

    scene.run(body)


def test_a_question_that_is_cancelled_ends_its_judge(scene: Scene) -> None:
    async def body(judges: Judges) -> None:
        fifo = scene.fifo("between")
        asking = asyncio.create_task(scene.ask(judges, f"read {fifo}"))
        # Once the other end is open, the judge is in the middle of its answer.
        end = await asyncio.to_thread(os.open, fifo, os.O_WRONLY)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        os.close(end)
        assert not alive(scene.started[0])
        # It was not the next question that found the judge dead: that one may still ask twice.
        assert await scene.ask(judges, f"die-once {scene.folder / 'died'}") == scene.started[2]

    scene.run(body)


def test_a_start_that_is_cancelled_leaves_nothing(scene: Scene) -> None:
    fifo = scene.fifo("between")
    program = scene.folder / "judge.py"
    program.write_text(FAKE.replace("HELLO =", f"open({str(fifo)!r}).read(); HELLO ="))

    async def main() -> None:
        async def enter() -> None:
            async with Judges([scene.command]):
                raise AssertionError("it has said no hello")

        entering = asyncio.create_task(enter())
        end = await asyncio.to_thread(os.open, fifo, os.O_WRONLY)
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering
        os.close(end)

    asyncio.run(main())
    assert [alive(pid) for pid in scene.started] == [False]


def test_a_judge_that_is_killed_before_it_has_a_process_ends_with_its_start() -> None:
    judge = Judge([sys.executable, "-c", "import sys; sys.stdin.read()"], apart=True)
    judge.kill()
    with pytest.raises(JudgeError, match="the judge ended with code -9"):
        judge.start()


def test_a_command_that_starts_no_judge(scene: Scene) -> None:
    async def enter(argv: list[str]) -> None:
        async with Judges([argv]):
            raise AssertionError("it has said no hello")

    with pytest.raises(JudgeError, match="the judge could not be started: no-such-program: No such file") as found:
        asyncio.run(enter(["no-such-program"]))
    assert not isinstance(found.value, JudgeDied)
    with pytest.raises(
        JudgeError, match=r"the judge's command printed what is no hello: 'Welcome to  \[1mbox!'; nothing but"
    ):
        asyncio.run(enter([sys.executable, "-c", r"print('  Welcome to \x1b[1mbox!\r')"]))


def test_a_machine_that_cannot_judge_is_known_at_once(scene: Scene) -> None:
    program = scene.folder / "judge.py"
    program.write_text(FAKE.replace('"sandbox":', '"missing": {"torch": "ImportError: no libfoo"}, "sandbox":', 1))
    with pytest.raises(JudgeError, match=r"cannot judge kernels \(torch: ImportError: no libfoo\); see `geak doctor`"):
        scene.run(scene.ask)


def test_a_ctrl_c_of_the_terminal_does_not_reach_a_judge(scene: Scene) -> None:
    async def body(judges: Judges) -> None:
        name = (await judges.evaluate(scene.spec, "")).name
        process, session = name.split()
        assert process == session

    scene.run(body)


def test_what_judges_say_on_the_side_is_kept_and_named_where_one_died(
    scene: Scene, capfd: pytest.CaptureFixture[str]
) -> None:
    log = scene.folder / "judge.log"
    log.write_text("before\n")

    async def main() -> None:
        async with Judges([scene.command], log) as judges:
            with pytest.raises(JudgeDied, match=r"what they said is in .*judge\.log"):
                await scene.ask(judges, "die")
            assert log.read_text() == "before\n" + 2 * "a word on the side\n"

    asyncio.run(main())
    assert log.read_text() == "before\n" + 2 * "a word on the side\n"
    assert capfd.readouterr().err == ""


def test_where_no_folder_of_a_run_was_made_it_is_passed_on_at_the_end(
    scene: Scene, capfd: pytest.CaptureFixture[str]
) -> None:
    async def main() -> None:
        async with Judges([scene.command], scene.folder / "none" / "judge.log"):
            assert capfd.readouterr().err == ""

    asyncio.run(main())
    assert capfd.readouterr().err == "a word on the side\n"


def test_a_judge_that_never_answers_is_ended_and_another_asked(scene: Scene) -> None:
    async def main() -> None:
        async with Judges([scene.command], patience_s=0.5) as judges:
            with pytest.raises(JudgeDied, match=r"two judges in turn .* gave no answer in .* minutes, and was ended"):
                await scene.ask(judges, "hang")

    asyncio.run(main())
    assert len(scene.started) == 2


def test_a_judge_sees_no_key(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "hunter2")
    seen = scene.folder / "seen.json"
    program = scene.folder / "judge.py"
    program.write_text(f"import os, json\nopen({str(seen)!r}, 'w').write(json.dumps(dict(os.environ)))\n{FAKE}")
    scene.run(scene.ask)
    assert "hunter2" not in json.loads(seen.read_text()).values()


def test_as_many_judges_here_as_there_is_work_and_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)))
    assert default_commands() == [command()]
    assert default_commands(samples=3) == [command()] * 3
    assert default_commands(["local"], samples=9) == [command()] * 5
    assert default_commands(allow_weak_sandbox=True) == [command(allow_weak_sandbox=True)]
    assert default_commands(samples=2, gpu_ids="1") == [command(gpu_ids="1")] * 2
    assert command(gpu_ids="1")[-2:] == ["--gpu-ids", "1"]
    assert default_commands(["ssh 'a box' judge", "local"], samples=2) == [["ssh", "a box", "judge"], *[command()] * 2]
    with pytest.raises(UsageError, match="--judge is empty"):
        default_commands([" "])


def of_judges(others: set[int] | frozenset[int] = frozenset()) -> set[int]:
    """The judges that this process started, but for others, and every process that came of them."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            number, rest = entry.read_text().split(" (", 1)
        except OSError:
            continue
        children.setdefault(int(rest.rsplit(") ", 1)[1].split()[1]), []).append(int(number))
    found: set[int] = set()
    todo = [one for one in set(children.get(os.getpid(), ())) - others if b"geak_evaluator" in command_line(one)]
    while todo:
        found.add(one := todo.pop())
        todo += children.get(one, ())
    return found


def command_line(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


def test_the_real_judge_cancelled_in_the_middle_and_asked_again() -> None:
    others = of_judges()
    spec = find("softmax")
    kernel = (spec.parent / "kernels" / "softmax.py").read_text()
    endless = kernel.replace("def softmax(x):", "def softmax(x):\n    while True:\n        pass\n")
    second: set[int] = set()

    async def main() -> Verdict:
        async with Judges(default_commands()) as judges:
            assert (await judges.describe(spec)).name == "softmax"
            first = of_judges(others)
            asking = asyncio.create_task(judges.evaluate(spec, endless))
            while not (child := of_judges(others) - first):  # forked for it
                await asyncio.sleep(0.01)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert not gone_soon(first | child)
            verdict = await judges.evaluate(spec, kernel, tier=Tier.GATE)
            second.update(of_judges(others))
            return verdict

    verdict = asyncio.run(main())
    assert (verdict.status, verdict.tier) == (Status.ACCEPTED, Tier.GATE)
    assert second
    assert not {one: command_line(one) for one in gone_soon(second)}


def gone_soon(processes: set[int]) -> set[int]:
    """Those that are still there after the time that a sandbox takes to end, at the longest."""
    deadline = time.monotonic() + 20
    while (left := {pid for pid in processes if alive(pid)}) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left
