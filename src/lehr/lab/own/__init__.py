"""Trainings of one's own: a function or a command, each trial in a process that is watched."""
