"""The words that both rooms share: plain dataclasses with a JSON form, without torch."""
