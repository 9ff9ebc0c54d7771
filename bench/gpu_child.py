"""One kernel under triton.testing.do_bench, in a process of its own; prints microseconds. Ours, and unconfined."""

from __future__ import annotations

import importlib.util
import json
import sys

import torch
import triton


def main() -> None:
    asked = json.loads(sys.argv[1])
    found = importlib.util.spec_from_file_location("kernel", asked["file"])
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    entry = getattr(module, asked["entry"])
    torch.manual_seed(0)
    inputs = [torch.randn(shape, device="cuda").to(getattr(torch, dtype)) for shape, dtype in asked["inputs"]]
    print(1000 * triton.testing.do_bench(lambda: entry(*inputs), return_mode="median"))


if __name__ == "__main__":
    main()
