"""A pool passes requests on and answers back; the workers here are scripts that answer as they are told."""

from __future__ import annotations

import io
import os
import sys
import threading

import pytest

from geak_evaluator.measure.lease import suspicion
from geak_evaluator.pool import Pool
from geak_evaluator.sandbox.errors import SandboxError
from geak_evaluator.schema import codec
from geak_evaluator.schema.device import Gpu

WORKER = """
import json, os, sys
print('{"version": 2, "python": "3", "packages": {}, "sandbox": "isolated"}', flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    if asked.get("die"):
        os._exit(1)
    for name in asked.get("wait", []):
        open(name).read()  # a pipe: until somebody opens the other end
    print(json.dumps({"id": asked["id"], "result": os.getpid()}), flush=True)
"""


def served(lines: list[dict[str, object]], workers: int = 2, worker: str = WORKER) -> list[dict[str, object]]:
    pool = Pool([sys.executable, "-c", worker], workers)
    read, write = os.pipe()
    with open(write, "wb") as requests:
        for line in lines:
            requests.write(codec.dumps(line).encode() + b"\n")
    answers = io.BytesIO()
    try:
        with open(read, "rb") as requests_read:
            pool.serve(requests_read, answers)
    finally:
        pool.close()
    return [codec.loads(line) for line in answers.getvalue().splitlines()]


def test_every_request_is_answered_once():
    answers = served([{"id": n} for n in range(50)])
    assert sorted(answer["id"] for answer in answers) == list(range(50))
    assert len({answer["result"] for answer in answers}) == 2


def test_a_slow_one_holds_up_no_other(tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    pool = Pool([sys.executable, "-c", WORKER], 2)
    read, write = os.pipe()
    answers_read, answers_write = os.pipe()

    def serve() -> None:
        with open(read, "rb") as incoming, open(answers_write, "wb", buffering=0) as outgoing:
            pool.serve(incoming, outgoing)

    serving = threading.Thread(target=serve, daemon=True)
    serving.start()
    with open(write, "wb", buffering=0) as requests, open(answers_read, "rb", buffering=0) as answers:
        requests.write(codec.dumps({"id": 0, "wait": [str(gate)]}).encode() + b"\n")
        requests.write(b"".join(codec.dumps({"id": n}).encode() + b"\n" for n in range(1, 9)))
        first = [codec.loads(answers.readline())["id"] for _ in range(8)]
        assert sorted(first) == list(range(1, 9))
        gate.write_text("go")
        requests.close()
        assert codec.loads(answers.readline())["id"] == 0
        serving.join()
    pool.close()


def test_one_that_dies_costs_one_answer():
    answers = served([{"id": 0}, {"id": 1, "die": True}, *({"id": n} for n in range(2, 12))])
    assert sorted(answer["id"] for answer in answers) == list(range(12))
    (lost,) = (answer for answer in answers if answer["id"] == 1)
    assert lost["problem"] == {"kind": "sandbox", "message": "the judge that had this request ended before its answer"}
    assert all("result" in answer for answer in answers if answer is not lost)


def test_one_that_hangs_is_ended_and_replaced(monkeypatch, tmp_path):
    os.mkfifo(tmp_path / "never")
    monkeypatch.setitem(Pool.__init__.__kwdefaults__, "patience_s", 3.0)
    answers = served([{"id": 1, "wait": [str(tmp_path / "never")]}, {"id": 2}], workers=1)
    by_number = {answer["id"]: answer for answer in answers}
    assert by_number[1]["problem"]["message"] == "the judge that had this request ended before its answer"
    assert "result" in by_number[2]


def test_what_a_hung_one_had_is_tested_before_its_next_use(tmp_path, monkeypatch):
    monkeypatch.setitem(Pool.__init__.__kwdefaults__, "patience_s", 1.0)
    monkeypatch.setenv("GEAK_LEASES", str(tmp_path / "leases"))
    os.mkfifo(tmp_path / "never")
    gpu = Gpu("amd", "GPU-0000000000000001")
    with_gpu = WORKER.replace('"sandbox": "isolated"', f'"sandbox": "isolated", "gpus": [{codec.dumps(gpu)}]')
    assert suspicion(gpu) == ""
    served([{"id": 1, "wait": [str(tmp_path / "never")]}], 1, with_gpu)
    assert suspicion(gpu) == "a judge that had it hung"


def test_the_hello_says_how_many_there_are():
    pool = Pool([sys.executable, "-c", WORKER], 3)
    assert pool.hello.workers == 3
    pool.close()


def test_a_judge_that_does_not_start_is_an_error():
    with pytest.raises(SandboxError, match="ended with code 7"):
        Pool([sys.executable, "-c", "raise SystemExit(7)"], 1)
