from router.core.request cimport Request
from router.edge.context cimport Edge


cdef class Answering:
    cdef public Edge edge
    cdef public Request request
    cdef public object transport
    cdef public object peer
    cdef public object limits
    cdef public object upstream
    cdef public object task
    cdef public double deadline
    cdef public bint keep
    cdef public bint write_paused
    cdef public bytes out
    cdef public list held
    cdef object _buffer
    cdef public int _holds
    cdef bint _lingering
    cdef bint _turning
    cdef bint _half
    cdef Py_ssize_t _unsent
    cdef object _drained
    cdef object __weakref__
    cdef dict __dict__

    cpdef go_on_reading(self)
    cpdef bytes tail(self, Request request)
    cpdef finish(self)
    cpdef hold(self, int reason)
    cpdef go_on(self, int reason)
    cpdef account(self, Request request)
    cpdef break_off(self)
