"""Hostile and broken code, put together by chance from pieces, with a seed: the judge outlives all of it.

After each: a verdict within its deadline, no process, descriptor or folder left, and an honest child still works;
a case that fails names its seed.
"""

from __future__ import annotations

import random
import textwrap

import pytest
from harness import MIB, SLACK_S, Arena, Fault, State

from geak_evaluator.sandbox import seccomp
from geak_evaluator.sandbox.policy import Limits

LIMITS = Limits(
    wall_s=0.3, cpu_s=3, memory=64 * MIB, processes=24, threads=64, open_files=64, file_bytes=2 * MIB,
    disk_bytes=4 * MIB, disk_entries=500, log_kept=4096, log_bytes=MIB // 2, reply_bytes=MIB,
)  # fmt: skip

PIECES = (
    # ends
    "os._exit({small})",
    "raise SystemExit({small})",
    "os.abort()",
    "ctypes.string_at(0)",
    "os.kill(os.getpid(), {signal})",
    "os.execv('/bin/echo', ['echo', 'hello'])",
    "libc.syscall(60, {small})",
    "raise BaseException",
    "raise KeyboardInterrupt",
    "sys.exit(object())",
    # waits
    "time.sleep({fraction})",
    "while True: pass",
    "signal.pause()",
    "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))",
    "signal.alarm(1)",
    "signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)",
    # processes and threads
    "os.fork()",
    "os.fork() and os._exit(0)",
    "[os.fork() for _ in range({small})]",
    "libc.vfork()",
    "threading.Thread(target=lambda: time.sleep(9)).start()",
    "[threading.Thread(target=time.sleep, args=(9,)).start() for _ in range({many})]",
    "os.system('sleep 5 & sleep 5 &')",
    "subprocess.Popen(['/bin/sh', '-c', 'while :; do echo x; done'])",
    "libc.prctl(15, os.urandom(15), 0, 0, 0)",
    "libc.prctl(36, 1, 0, 0, 0)",
    "libc.prctl(4, {bit}, 0, 0, 0)",
    "os.nice(5)",
    # descriptors
    "os.close({fd})",
    "os.dup2({fd}, {fd})",
    "os.closerange({fd}, 60)",
    "os.pipe()",
    "[os.pipe() for _ in range({many})]",
    "socket.socketpair()",
    "os.set_blocking({fd}, False)",
    "fcntl.fcntl({fd}, fcntl.F_SETFL, os.O_APPEND | os.O_NONBLOCK)",
    "socket.socket(fileno=os.dup(3)).shutdown({bit})",
    # the channel
    "os.write(3, os.urandom({many}))",
    "os.write(3, struct.pack('<16sBI', channel._nonce, {small}, {many}))",
    "os.write(3, struct.pack('<16sBI', channel._nonce, {bit}, 4) + b'done')",
    "os.write(3, channel._nonce)",
    "channel.reply(bytes({many}))",
    "channel.reply(bytes(1 << 21))",
    "channel.receive()",
    "os.read(3, {many})",
    "socket.send_fds(socket.socket(fileno=os.dup(3)), [b'x'], [0, 1, 2])",
    "channel = None",
    # the log
    "print('x' * {many})",
    "os.write(1, os.urandom(60000))",
    "[os.write(2, b'y' * 9999) for _ in range({many})]",
    "sys.stdout = sys.stderr = None",
    "sys.stdout.close()",
    # memory
    "held = bytearray({many} << 16)",
    "held = bytearray(1 << 40)",
    "held = [b'z' * (1 << 20) for _ in range({many})]",
    "mmap.mmap(-1, 1 << 24, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)",
    "ctypes.memset({many}, 0, {many})",
    "sys.setrecursionlimit(10**7)",
    "(lambda f: f(f))(lambda f: f(f))",
    # files
    "open(os.urandom(4).hex(), 'wb').write(bytes({many} << 10))",
    "os.mkdir(os.fsdecode(bytes([random.randrange(128, 256) for _ in range(5)])))",
    "os.mkdir(os.urandom(3).hex(), {mode}); os.chdir(os.listdir('.')[0])",
    "[(os.mkdir('d'), os.chdir('d')) for _ in range({many})]",
    "[open(f'f{{i}}', 'w').close() for i in range({many})]",
    "os.symlink('/', os.urandom(3).hex())",
    "os.truncate(os.open('t', os.O_CREAT | os.O_RDWR, {mode}), {many} << 12)",
    "os.rename(os.getcwd(), os.getcwd() + 'x')",
    "os.unlink(os.listdir('.')[0])",
    "shutil.rmtree('.')",
    "os.chmod('.', 0)",
    # the interpreter
    "sys.modules.clear()",
    "del __builtins__",
    "answer = {odd}",
    "gc.disable(); gc.set_threshold(1)",
    "[setattr(o, 'reply', None) for o in gc.get_objects() if type(o).__name__ == 'Channel']",
    "sys.settrace(lambda *_: 1 / 0)",
    "sys.unraisablehook = sys.excepthook = None",
    "atexit.register(os.abort)",
    "faulthandler.dump_traceback_later(0.05, exit=True)",
    "warnings.simplefilter('error')",
    "eval('(' * 300)",
    "compile('x=' * 9000 + '1', 'x', 'exec')",
    "ctypes.pythonapi.Py_Finalize()",
    "libc.syscall({call}, {word}, {word}, {word}, {word})",
    "libc.syscall({call}, {word}, {word}, {word}, {word})",
    "answer = b'fine'",
)

_IMPORTS = "import atexit, faulthandler, fcntl, gc, mmap, random, shutil, subprocess, threading, warnings\n"
# What the filter decides by number alone, or lets pass to this process only; never a call that names a process.
_NAMING_OTHERS = {62, 200, 234, 129, 297, 424, 101, 302, 203, 141, 142, 144, 314, 251, 256, 279, 247}
_CALLS = [n for n in range(470) if n not in {*_NAMING_OTHERS, *seccomp.DENIED.values()}]


def candidate(seed: int) -> str:
    """The same for the same seed."""
    chance = random.Random(seed)
    words = (0, 1, 2, 3, -1, 8, 4096, 1 << 20, 1 << 31, (1 << 63) - 1, 0x7FFFFFFFF000)

    def filled(piece: str) -> str:
        return piece.format(
            small=chance.randrange(8), many=chance.choice((1, 20, 300, 3000)), fraction=chance.random() / 4,
            fd=chance.choice((0, 1, 2, 3, 3, 4, 9)), bit=chance.randrange(3),
            mode=chance.choice(("0", "0o100", "0o700")),
            signal=chance.randrange(1, 65), call=chance.choice(_CALLS), word=chance.choice(words),
            odd=chance.choice(("None", "b''", "bytes(1 << 19)", "'x'", "[1]", "object()", "{1: 2}", "1 << 30", "-1")),
        )  # fmt: skip

    def block(depth: int) -> str:
        lines = []
        for _ in range(chance.randrange(1, 5)):
            piece = filled(chance.choice(PIECES))
            inner = textwrap.indent(block(depth - 1) if depth and chance.random() < 0.3 else piece, "    ")
            shape = chance.randrange(9)
            if shape == 0:
                lines.append(f"if os.fork() == 0:\n{inner}")
            elif shape == 1:
                lines.append(f"try:\n{inner}\nexcept BaseException:\n    pass")
            elif shape == 2:
                lines.append(f"def inside():\n{inner}\nthreading.Thread(target=inside).start()")
            elif shape == 3:
                lines.append(f"for _ in range({chance.choice((2, 50, 10**9))}):\n{inner}")
            elif shape == 4:
                lines.append(f"class Late:\n    def __del__(self):\n{textwrap.indent(inner, '    ')}\nlate = Late()")
            elif shape == 5:
                lines.append(f"def handler(*_):\n{inner}\nsignal.signal(signal.SIGALRM, handler)")
            else:
                lines.append(piece)
        return "\n".join(lines)

    return _IMPORTS + block(2)


def survive(arena: Arena, seeds: range) -> None:
    before = State.now(arena)
    verdicts: dict[str, int] = {}
    for seed in seeds:
        source = candidate(seed)
        try:
            outcome = arena.run(source, limits=LIMITS, wall_s=LIMITS.wall_s, asks=2)
            assert outcome.seconds < 2 * LIMITS.wall_s + SLACK_S
            assert not outcome.ending.stuck
            assert outcome.fault is None or isinstance(outcome.fault, Fault)
            arena.check(before)
        except BaseException as error:
            error.add_note(f"seed {seed}:\n{source}")
            raise
        arena.outcomes.clear()
        name = outcome.fault.value if outcome.fault else f"status {outcome.reply.status}"
        verdicts[name] = verdicts.get(name, 0) + 1
    assert len(verdicts) > 2, verdicts  # else the pieces have stopped working


@pytest.mark.parametrize("start", range(0, 150, 25))
def test_fuzz(arena: Arena, start: int) -> None:
    base = 1_000_000 if arena.isolated else 0
    survive(arena, range(base + start, base + start + 25))


@pytest.mark.slow
@pytest.mark.parametrize("start", range(10_000, 15_000, 500))
def test_fuzz_long(arena: Arena, start: int) -> None:
    base = 1_000_000 if arena.isolated else 0
    survive(arena, range(base + start, base + start + 500))
