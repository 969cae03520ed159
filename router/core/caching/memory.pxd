cimport cython

from router.core.caching.stored cimport Stored


@cython.final
cdef class _Node:
    cdef Stored stored
    cdef Py_ssize_t weight
    cdef int uses
    cdef bint in_main


@cython.final
cdef class Memory:
    cdef Py_ssize_t _limit
    cdef public Py_ssize_t used
    cdef public long long evicted
    cdef Py_ssize_t _small_used
    cdef dict _nodes
    cdef object _small
    cdef object _main
    cdef object _ghosts
    cdef dict _groups

    @cython.locals(node=_Node)
    cpdef Stored get(self, bytes key)
    @cython.locals(node=_Node)
    cpdef bint put(self, Stored stored) except -1
    @cython.locals(node=_Node)
    cpdef Stored remove(self, bytes key)
    cdef _leave(self, bytes key, _Node node)
    @cython.locals(node=_Node, key=bytes)
    cdef _evict(self)
