"""Engines: pools of workers in this process, in others, on Dask or on Ray."""
