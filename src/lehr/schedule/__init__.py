"""The schedule algebra: immutable values that map a step to a number."""
