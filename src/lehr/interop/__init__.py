"""lehr in other people's training code: one thin file for each library that needs one.

Each imports its library itself, so that nothing else does.
"""
