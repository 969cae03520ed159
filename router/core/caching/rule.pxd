cimport cython


@cython.final
cdef class CacheRule:
    cdef public object query_ignore
    cdef public object query_keep
    cdef public bint query_sort
    cdef public tuple headers
    cdef public tuple cookies
    cdef public bint authorization
    cdef public bint set_cookie
    cdef public bint heuristic
    cdef public double default_s
    cdef public double stale_while_revalidate_s
    cdef public double stale_if_error_s
    cdef public bint client_directives
