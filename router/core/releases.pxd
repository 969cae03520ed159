cimport cython

from router.core.retry cimport Budget


cdef Py_ssize_t _PARTS


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

    @cython.locals(part=dict)
    cpdef Release get(self, str name)
