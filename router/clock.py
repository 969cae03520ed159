"""The fine clock of the data path: seconds of CLOCK_MONOTONIC, read in C where compiled (clock.pxd)."""

from time import perf_counter

__all__ = ["perf_counter"]
