cimport cython

from router cimport clock
from router.core.activity cimport Activity
from router.core.balance cimport Endpoint
from router.edge.context cimport Edge
from router.edge.transport cimport Transport


@cython.final
cdef class Tunnel:
    cdef public Edge edge
    cdef public double touched
    cdef Activity _activity
    cdef Endpoint _endpoint
    cdef tuple _ends
    cdef object __weakref__


@cython.final
cdef class _End:
    cdef Tunnel _tunnel
    cdef Edge _edge
    cdef bint _finished
    cdef public _End peer
    cdef public Transport transport
    cdef object __weakref__

    cpdef data_received(self, bytes data)
