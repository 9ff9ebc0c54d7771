"""A spec's process may say anything; the judge reads it strictly, and believes nothing that cannot be."""

import pytest
from test_bad_specs import problem
from trial import KERNEL, SPEC, accepted, verdict_on

pytestmark = pytest.mark.usefixtures("described_afterwards")

LIAR = """
import gc, json, sys
from geak_evaluator.sandbox import channel
from geak_evaluator.children import spec as child


def lie(change):
    honest = channel.Channel.reply
    def reply(self, body=b"", status=0):
        data = json.loads(body)
        if CONDITION:
            change(data)
            body = json.dumps(data).encode()
        honest(self, body, status)
    channel.Channel.reply = reply
"""


def liar(condition: str, change: str) -> str:
    text = LIAR.replace("CONDITION", condition)
    return f"{SPEC}\n{text}\n\ndef change(data):\n    {change}\n\n\nlie(change)\n"


_SLOT = 'data["outputs"][0]["truth"]'


@pytest.mark.parametrize(
    "change",
    [
        "data.clear()",
        'data["outputs"] = []',
        'data["outputs"] *= 2',
        'data["outputs"] = 5',
        'data["outputs"][0]["path"] = "changed.zzz"',
        'data["outputs"][0]["path"] = "changed.x"',
        'data["outputs"][0]["path"] = "grad.x"',
        'data["outputs"][0]["format"] = "float33"',
        'data["outputs"][0]["format"] = "fp8_e4m3"',
        'data["outputs"][0]["format"] = "bool"',
        f'{_SLOT}["format"] = "zzz"',
        f'{_SLOT}["format"] = "int8"',
        f'{_SLOT}["shape"] = [3]',
        f'{_SLOT}["shape"] = [-3, 70]',
        f'{_SLOT}["shape"] = [1 << 40, 1 << 40]; {_SLOT}["strides"] = [0, 0]',
        f'{_SLOT}["shape"] = [1 << 14, 1 << 14]; {_SLOT}["strides"] = [0, 0]; data["outputs"][0]["format"] = "fp64"',
        f'{_SLOT}["strides"] = [1 << 70, 1]',
        f'{_SLOT}["strides"] = [-70, 1]',
        f'{_SLOT}["offset"] = 1 << 40',
        f'{_SLOT}["offset"] = -1',
        f'{_SLOT}["shape"] = [0, 1 << 31, 1 << 31]; {_SLOT}["strides"] = [1, 1, 1]',
        'data["state"] = [{"path": "a", "format": "fp32", "shape": [1 << 40], "strides": [1]}]',
        'data["gradients"] = [{"path": "a", "format": "fp32", "shape": [2], "strides": [1], "offset": -4}]',
    ],
)
def test_a_lie_about_the_truth_is_a_sentence(judge, change):
    told = problem(judge, liar('"outputs" in data', change))
    assert told.startswith("/specs/scale.py: case M=3, N=70: ")


@pytest.mark.parametrize(
    "change",
    [
        "data.clear()",
        'data["spec"] = 5',
        'data["spec"]["cases"] = []',
        'data["spec"]["axes"]["M"] = {"max": 1 << 400}',
        'data["spec"]["inputs"]["x"]["shape"] = ["-" * 900 + "1"]',
        'data["spec"]["inputs"]["x"]["shape"] = ["M) + (N"]',
        'data["spec"]["inputs"]["x"]["fill"] = "normal(" + "-" * 900 + "1)"',
        'data["spec"]["outputs"] = [[[[[{"shape": "M"}]]]]]',
        'data["spec"]["dtypes"] = {"T": []}',
        'data["spec"]["dtypes"] = {f"T{i}": ["fp16", "fp32"] for i in range(40)}',
        'data["spec"]["cases"][0]["weight"] = 10 ** 400',
        'data["spec"]["where"] = ["9 ** 9 ** 9 ** 9"]',
        'data["arguments"] = ["x\\ud800"]',
    ],
)
def test_a_lie_about_the_declaration_is_a_sentence(judge, change):
    assert problem(judge, liar('"spec" in data', change))


def test_what_is_no_answer_at_all_is_a_sentence(judge):
    nonsense = """
from geak_evaluator.sandbox import channel
honest = channel.Channel.reply
channel.Channel.reply = lambda self, body=b"", status=0: honest(self, b"[" * 100000)
"""
    assert "it describes itself in a way that cannot be: not JSON" in problem(judge, SPEC + nonsense)


def test_the_liar_can_also_tell_the_truth(judge):
    accepted(verdict_on(judge, liar("False", "pass"), KERNEL))
