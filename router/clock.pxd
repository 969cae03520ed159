from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec


cdef inline double perf_counter() noexcept:
    """As time.perf_counter, which reads the same clock."""
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return now.tv_sec + now.tv_nsec * 1e-9
