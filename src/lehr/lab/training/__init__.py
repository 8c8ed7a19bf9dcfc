"""How trials are trained: one by one, or as a population."""
