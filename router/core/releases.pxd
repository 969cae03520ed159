cimport cython

from router.core.retry cimport Budget


@cython.final
cdef class Release:
    cdef public Budget budget
    cdef public str id
    cdef public str state
    cdef public tuple endpoints
    cdef public long long version


@cython.final
cdef class Releases:
    cdef public tuple _parts
    cdef public object _owners
    cdef public Releases _before

    cpdef Release get(self, str name)
