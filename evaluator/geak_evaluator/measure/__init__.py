"""What a device is asked: proofs, times, counters and energy; what is printed from here was measured."""
