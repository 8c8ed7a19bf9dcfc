"""What a length is: durations, units, and the counter of samples and tokens."""
