#!/usr/bin/env python3
import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from kernel import add_bias

import torch

ALL_CONFIGS = [{"M": M, "N": 48} for M in (1, 8, 64)]


def run_correctness(indices):
    torch.manual_seed(42)
    for idx in indices:
        cfg = ALL_CONFIGS[idx]
        x = torch.randn(cfg["M"], cfg["N"], device="cuda")
        bias = torch.randn(cfg["N"], device="cuda")
        torch.testing.assert_close(add_bias(x, bias), x + bias, atol=1e-5, rtol=1e-5)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--correctness", action="store_true")
    parser.parse_args()
    run_correctness(range(len(ALL_CONFIGS)))


if __name__ == "__main__":
    main()
