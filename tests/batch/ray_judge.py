"""The judge by words as a worker of a cluster starts it; started by ray_cluster.py alone.

python ray_judge.py STARTS [--unlike]

STARTS gets a line for each that was started: which GPUs it was given. With --unlike, each is of another source. What a
spec that says "# ends its worker" asks for ends the process that started this one, as a machine's loss would.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "loop"))

import judge_by_words as words

from geak_evaluator.schema.wire import Hello, Request


def main() -> None:
    with open(sys.argv[1], "a") as starts:
        starts.write(os.environ.get("CUDA_VISIBLE_DEVICES", "none") + "\n")
    verdict, say = words.verdict, words.say

    def said(message: object) -> None:
        if isinstance(message, Hello) and "--unlike" in sys.argv:
            message = replace(message, code=f"{os.getpid():08}" * 8)
        say(message)

    def judged(request: Request) -> object:
        if "# ends its worker" in request.source:
            with open(f"{sys.argv[1]}-ends", "a") as file:
                file.write("asked\n")
            worker = os.getppid()
            assert Path(f"/proc/{worker}/cmdline").read_bytes().startswith(b"ray::Worker"), "no worker started this"
            os.kill(worker, signal.SIGKILL)
        return verdict(request)

    words.say, words.verdict = said, judged
    words.main()


if __name__ == "__main__":
    main()
