"""Where foreign code runs: forked from a warm process, confined before its first line, and killed whole."""
