"""Where finished trials are kept."""
