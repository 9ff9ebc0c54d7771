"""Strategies: what is tried next, over one loop."""
