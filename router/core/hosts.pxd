cimport cython

from router.core.packed cimport unpack
from router.core.records cimport Route

cdef Py_ssize_t _MASK


@cython.final
cdef class Hosts:
    cdef public dict warm
    cdef bytes _prefix
    cdef tuple _parts
    cdef object _asked
    cdef list _ring
    cdef Py_ssize_t _at
    cdef Py_ssize_t _count

    @cython.locals(of=Py_hash_t, slot=Py_ssize_t, part=dict)
    cpdef find(self, bytes key)
    cpdef put(self, bytes key, bytes path, bytes packed)
    cpdef delete(self, bytes key, bytes path)
    cpdef get(self, bytes key, bytes path)
    cpdef inherit(self, Hosts before, Py_ssize_t number)
    cdef _warm(self, bytes key, object entry)
