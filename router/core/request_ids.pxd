cimport cython

from router.core cimport glue

cdef tuple _PAIRS


@cython.final
cdef class RequestIds:
    cdef bytes _prefix
    cdef bytes _base
    cdef unsigned long long _count

    @cython.locals(count=cython.ulonglong, low=Py_ssize_t)
    cpdef bytes next(self)
