"""The journal: what happened in a run, in its order."""
