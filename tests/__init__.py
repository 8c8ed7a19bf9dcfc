"""The tests; their folders mirror the sources.

This is a package only to keep its folder off the import path: ``tests/torch`` would look like an
installed torch there.
"""
