"""What may be another number in a kernel file, read and never run; how it is written in, searched and put in order."""
