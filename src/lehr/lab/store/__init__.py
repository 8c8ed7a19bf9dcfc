"""The store of finished trials."""
