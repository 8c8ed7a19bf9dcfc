"""Tasks: data, a network, a loss and a score."""
