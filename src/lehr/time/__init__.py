"""Lengths: durations, the units of a run, and the counter of its samples."""
