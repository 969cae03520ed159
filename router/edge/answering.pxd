cimport cython

from router cimport clock
from router.core cimport glue, timing
from router.core.activity cimport Activity
from router.core.request cimport Request
from router.core.trust cimport Peer
from router.core.waits cimport Waits
from router.edge.context cimport Edge
from router.edge.receiver cimport Receiver
from router.edge.transport cimport Transport


cdef class Answering(Receiver):
    cdef public Edge edge
    cdef public Request request
    cdef public Transport transport
    cdef public Peer peer
    cdef public Waits limits
    cdef public object upstream
    cdef public object task
    cdef public double deadline
    cdef public bint keep
    cdef public bint write_paused
    cdef public bytes out
    cdef public bytes added
    cdef public list held
    cdef public object _buffer
    cdef public object _drained
    cdef public Py_ssize_t _unsent
    cdef public int _holds
    cdef public bint _half
    cdef public bint _lingering
    cdef double _linger_until
    cdef public bint _turning
    cdef object __weakref__

    cpdef go_on_reading(self)
    cpdef bytes tail(self, Request request)
    cpdef bytes whole(self, Request request, bytes lines, bytes date, bytes data, Py_ssize_t at)
    cpdef finish(self)
    cpdef hold(self, int reason)
    cpdef go_on(self, int reason)
    @cython.locals(edge=Edge, ended=double, activity=Activity)
    cpdef account(self, Request request)
    cpdef break_off(self)
    cdef bytes _timing(self, Request request)
