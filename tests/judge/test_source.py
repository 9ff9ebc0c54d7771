"""Files that are no Python source are told apart before anything is started for them."""

import pytest

from geak_evaluator import source
from geak_evaluator.source import SourceError


@pytest.mark.parametrize(
    "data",
    [
        b"x = 1",
        b"\xef\xbb\xbfx = 1",
        b"# coding: latin-1\nx = '\xff'",
        "x = 'é'".encode(),
        b'"\\d"',
        b"x = 1\r\ny = 2\r\n",
    ],
)
def test_what_is_python(data):
    source.check(data, "k.py", "a kernel")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "k.py is empty; a kernel is a Python file"),
        (b"x = 1 # \xff", "k.py, line 1: it is not utf-8 text: a kernel must be Python"),
        (b"\n\n\nx = 1 # \xff", "k.py, line 4: it is not utf-8 text: a kernel must be Python"),
        (b"# coding: klingon\nx = 1", "unknown encoding: klingon"),
        (b"# coding: rot13\nx = 1", "k.py is not Python: 'rot13' is not a text encoding"),
        (b"# coding: undefined\nx = 1", "k.py is not Python"),
        (b"x = 1\0", "null bytes"),
        (b"x =", "k.py, line 1: invalid syntax: a kernel must be Python"),
        (b"x = " + b"1" * 5000, "k.py, line 1: "),
        (b"x = 1" + b"+1" * 400_000, "k.py"),
        (b"x = " + b"-" * 900_000 + b"1", "k.py"),
        (b"x = " + b"[" * 900_000, "k.py"),
        (b"x" * (1 << 20) + b"x", "k.py is over 1 MiB; a kernel is a Python file of a few hundred lines"),
    ],
    ids=lambda value: repr(value[:24]) if isinstance(value, bytes) else "",
)
def test_what_is_not(data, message):
    with pytest.raises(SourceError) as caught:
        source.check(data, "k.py", "a kernel")
    assert message in str(caught.value)
    assert len(str(caught.value)) < 400


def test_reading(tmp_path):
    path = tmp_path / "k.py"
    with pytest.raises(SourceError, match=r"k\.py: No such file or directory"):
        source.read(path, "a kernel")
    with pytest.raises(SourceError, match=r"is a folder; a kernel is a Python file"):
        source.read(tmp_path, "a kernel")
    path.write_bytes(b"x = 1")
    assert source.read(path, "a kernel") == b"x = 1"
    path.write_bytes(b"#" * (10 << 20))
    with pytest.raises(SourceError, match="over 1 MiB"):
        source.read(path, "a kernel")
