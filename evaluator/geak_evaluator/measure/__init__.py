"""What a device is asked: how long, at what cost of energy, and what its counters say."""
