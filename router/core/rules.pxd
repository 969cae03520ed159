cimport cython


@cython.final
cdef class Policy:
    cdef public bytes name
    cdef public object record
    cdef public bint asks
    cdef public object allow
    cdef public object deny
    cdef public object https
    cdef public object maintenance
    cdef public object rate
    cdef public object auth
    cdef public tuple redirects
    cdef public object request_edit
    cdef public object response_edit
    cdef public long long max_body
    cdef public object timeouts
    cdef public object split
    cdef public object cache
    cdef public object lanes
    cdef public object health
    cdef public object hold
