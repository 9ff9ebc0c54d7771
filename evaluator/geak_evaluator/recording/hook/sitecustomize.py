"""Python imports this before a recorded program; it starts the recorder, then whatever it stands in front of."""

import os
import sys
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

_here = os.path.dirname(os.path.abspath(__file__))
_others = [path for path in sys.path if os.path.abspath(path or ".") != _here]

try:
    import_module("geak_recorder").install()
except Exception as error:  # the program runs as it would have, recorded or not
    sys.stderr.write(f"geak: not recording: {error}\n")

sys.path[:] = _others  # a program that looks at its path finds what it would have found
_found = PathFinder.find_spec("sitecustomize", _others)
if _found is not None and _found.loader is not None:
    _module = module_from_spec(_found)
    sys.modules["sitecustomize"] = _module
    _found.loader.exec_module(_module)
