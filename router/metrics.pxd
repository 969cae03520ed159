from router.core.request cimport Request


cdef class Metrics:
    cdef public list answers
    cdef public dict errors
    cdef public object durations
    cdef public object first_bytes
    cdef public object queues
    cdef public object feed_lags
    cdef public long long accepted
    cdef public long long accept_pauses
    cdef public long long handshakes
    cdef public long long resumptions
    cdef public long long handshake_failures
    cdef public long long certificate_failures
    cdef public long long settings_failures
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
    cdef dict __dict__

    cpdef answered(self, Request request, double ended)
