cimport cython

from router.core.request cimport Request

cdef Py_ssize_t _STATUSES


@cython.final
cdef class Histogram:
    cdef public long long[::1] counts
    cdef public double total

    @cython.locals(at=Py_ssize_t, bound=double)
    cpdef observe(self, double seconds)


@cython.final
cdef class Metrics:
    cdef public long long[::1] answers
    cdef public dict errors
    cdef public Histogram durations
    cdef public Histogram first_bytes
    cdef public Histogram queues
    cdef public Histogram cold_starts
    cdef public Histogram feed_lags
    cdef public double resync_s
    cdef public long long accepted
    cdef public long long accept_pauses
    cdef public long long handshakes
    cdef public long long resumptions
    cdef public long long handshake_failures
    cdef public long long certificate_failures
    cdef public long long dials
    cdef public long long dial_failures
    cdef public long long reuses
    cdef public long long retries
    cdef public long long retries_spent
    cdef public long long ejections
    cdef public long long readmissions
    cdef public long long stale
    cdef public long long held
    cdef public long long wakes
    cdef public long long wakes_dropped
    cdef public long long reports
    cdef public long long reports_dropped
    cdef public long long tunnels
    cdef public long long aborted
    cdef public long long received_bytes
    cdef public long long sent_bytes
    cdef public long long static_hits
    cdef public long long static_misses
    cdef public long long cache_hits
    cdef public long long cache_stale
    cdef public long long cache_misses
    cdef public long long cache_revalidated
    cdef public long long cache_coalesced
    cdef public long long cache_passed
    cdef public long long cache_stored
    cdef public long long cache_evicted
    cdef public long long resyncs
    cdef public long long events
    cdef public long long poisoned
    cdef public long long log_dropped

    @cython.locals(kind=int, started=double, at=Py_ssize_t)
    cpdef answered(self, Request request, double ended)
