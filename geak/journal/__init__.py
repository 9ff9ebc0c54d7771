"""The journal: what happened in a run, on disk before the next step begins."""
