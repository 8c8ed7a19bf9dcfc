"""Where trials are trained: here, in processes, on Dask or on Ray."""
