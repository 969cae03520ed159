cimport cython

from router.core.balance cimport Endpoint
from router.core.body cimport Chunked
from router.core.head cimport ResponseHead
from router.core.request cimport Request
from router.edge.answering cimport Answering
from router.edge.context cimport Edge


cdef class Upstream:
    cdef public Edge edge
    cdef public Endpoint endpoint
    cdef public Answering client
    cdef public object transport
    cdef public double until
    cdef object _sock
    cdef Request _request
    cdef Py_ssize_t _served
    cdef double _since
    cdef bytes _buffer
    cdef int _mode
    cdef long long _left
    cdef Chunked _chunked
    cdef bint _keep
    cdef int _interim
    cdef double _idle_s
    cdef object __weakref__
    cdef dict __dict__

    cpdef give_back(self)
    cpdef discard(self)
    cpdef learn(self)
    cpdef begin(self, Answering client, Request request)
    cpdef write(self, data)
    cpdef drop(self)
    cpdef pause(self)
    cpdef resume(self)
    cpdef data_received(self, bytes data)
    cdef bint _is_stale(self) except -1
    cdef _read_head(self, Answering client, bytes data)
    cdef bint _pass_interim(self, Answering client, Request request, ResponseHead head, bytes data) except -1
    cdef _pass_head(self, Answering client, Request request, ResponseHead head, bytes data)
    cdef bytes _frame(self, Answering client, Request request, long long length, bytes lines)
    cdef _read_body(self, Answering client, bytes data)
    cdef _read_chunks(self, Answering client, Request request, bytes data)
    cdef _end(self, Answering client)
    cdef _part(self, Answering client)


@cython.locals(idle=dict, upstream=Upstream)
cpdef Upstream take(Edge edge, Endpoint endpoint, bint careful)
