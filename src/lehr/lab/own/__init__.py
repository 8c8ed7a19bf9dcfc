"""Users' own trainings: a function or a command, each trial in a process that is watched."""
