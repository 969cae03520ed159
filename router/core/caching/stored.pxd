cimport cython


@cython.final
cdef class Stored:
    cdef public bytes key
    cdef public tuple groups
    cdef public int status
    cdef public bytes lines
    cdef public tuple vary
    cdef public bytes body
    cdef public Py_ssize_t size
    cdef public double born
    cdef public double date
    cdef public double lifetime
    cdef public bytes etag
    cdef public bytes modified
    cdef public bint no_cache
    cdef public bint never_stale
    cdef public bint bound
    cdef public bint for_authorized
    cdef public double stale_while_revalidate
    cdef public double stale_if_error
    cdef public str release
    cdef public str body_file
    cdef public str path
    cdef public double touched
    cdef public tuple stamp
