"""What runs come to in numbers: an outcome for each task and repeat, and every metric with its formula."""
