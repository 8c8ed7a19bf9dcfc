"""From the outcomes of trials to what a comparison shows."""
