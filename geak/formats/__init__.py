"""Benchmarks as others keep them: their tasks become ordinary specs, under the same judge and the same rules."""
