"""Native proof and the clock: plans carried out and timed on a device; what is printed from here was measured."""
