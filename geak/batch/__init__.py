"""Many kernels at once, under one budget: a dataset run is a folder of kernel runs."""
