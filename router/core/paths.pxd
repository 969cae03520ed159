cimport cython

from router.core.packed cimport unpack
from router.core.records cimport Route


@cython.final
cdef class Paths:
    cdef bytes _host
    cdef Py_ssize_t _longest
    cdef dict _packed
    cdef dict _routes

    @cython.locals(cut=bytes)
    cpdef Route find(self, bytes path)
    cpdef put(self, bytes path, bytes packed)
    cpdef delete(self, bytes path)
    cdef Route _route(self, bytes path)
