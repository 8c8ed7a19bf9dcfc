"""Users' own trainings: a function or a command, with each trial in a watched process."""
