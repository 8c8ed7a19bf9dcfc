"""Schedules over wall-clock time: seconds, and seconds mixed with steps."""
