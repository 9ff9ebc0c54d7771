"""Believing an answer: numbers read from bytes, compared with the truth, by the judge alone and without torch."""
