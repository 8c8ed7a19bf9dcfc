"""Schedules over time that passes: seconds, and seconds mixed with steps."""
