"""Records the calls of a function while its owner's own program runs, as shapes and formats: cases for a spec."""
