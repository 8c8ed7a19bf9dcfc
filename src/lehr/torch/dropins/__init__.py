"""Torch's own schedulers, under torch's names and with torch's arguments."""
