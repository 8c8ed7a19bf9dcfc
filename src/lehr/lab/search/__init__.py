"""Searches, which say what a study trains next."""
