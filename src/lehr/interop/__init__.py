"""Adapters for other training libraries, one thin file for each library that needs one.

Each file imports its own library, so that nothing else has to.
"""
