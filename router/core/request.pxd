cimport cython

from router.core.balance cimport Endpoint
from router.core.body cimport Chunked
from router.core.head cimport RequestHead
from router.core.records cimport Route


cdef bytes _LEGAL


@cython.final
@cython.freelist(64)
cdef class Request:
    cdef Chunked _chunked
    cdef public RequestHead head
    cdef public Endpoint endpoint
    cdef public bytes id
    cdef public str error
    cdef public str release
    cdef public Route route
    cdef public tuple tried
    cdef public object failure
    cdef public object ruled
    cdef public object activity
    cdef public double started
    cdef public double queued
    cdef public double connecting
    cdef public double first
    cdef public double failed_at
    cdef public long long left
    cdef public long long received
    cdef public long long sent
    cdef public int attempts
    cdef public int kind
    cdef public int phase
    cdef public int status
    cdef public bint cold

    cpdef begin(self, RequestHead head, bytes request_id, double started)
    cpdef move(self, int to)
    cpdef Py_ssize_t take_body(self, bytes data, Py_ssize_t at) except -1


@cython.locals(request=Request)
cpdef Request fresh(RequestHead head, bytes request_id, double started)
