"""Finding the peak rate with a user's own model, data and training step."""
