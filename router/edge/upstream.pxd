cimport cython

from router cimport clock
from router.core.balance cimport Endpoint
from router.core.body cimport Chunked
from router.core cimport glue
from router.core.head cimport ResponseHead, read_response
from router.core.request cimport Request
from router.edge.answering cimport Answering
from router.edge.context cimport Edge
from router.edge.receiver cimport Receiver
from router.edge.transport cimport Transport

cdef int _HEAD
cdef int _SIZED
cdef int _CHUNKS
cdef int _UNCHUNK
cdef int _RAW
cdef int _RECHUNK


@cython.final
cdef class Upstream(Receiver):
    cdef public Edge edge
    cdef public Endpoint endpoint
    cdef public Answering client
    cdef public Transport transport
    cdef public double until
    cdef public object _sock
    cdef public Request _request
    cdef public Py_ssize_t _served
    cdef public double _since
    cdef public bytes _buffer
    cdef public int _mode
    cdef public long long _left
    cdef public Chunked _chunked
    cdef public bint _keep
    cdef public int _interim
    cdef public double _idle_s
    cdef object __weakref__

    @cython.locals(endpoint=Endpoint, edge=Edge, idle_s=double)
    cpdef give_back(self)
    cpdef discard(self)
    cpdef learn(self)
    cpdef begin(self, Answering client, Request request)
    cpdef write(self, data)
    cpdef drop(self)
    cpdef pause(self)
    cpdef resume(self)
    cdef bint _is_stale(self) except -1
    @cython.locals(head=ResponseHead, request=Request)
    cdef _read_head(self, Answering client, bytes data)
    cdef bint _pass_interim(self, Answering client, Request request, ResponseHead head, bytes data) except -1
    @cython.locals(edge=Edge, status=int, length=cython.longlong, lines=bytes, date=bytes, size=Py_ssize_t)
    cdef _pass_head(self, Answering client, Request request, ResponseHead head, bytes data)
    cdef bytes _frame(self, Answering client, Request request, long long length, bytes lines)
    @cython.locals(request=Request, size=Py_ssize_t, mode=int)
    cdef _read_body(self, Answering client, bytes data)
    cdef _read_chunks(self, Answering client, Request request, bytes data)
    @cython.locals(request=Request)
    cdef _end(self, Answering client)
    cdef _part(self, Answering client)


@cython.locals(idle=list, upstream=Upstream)
cpdef Upstream take(Edge edge, Endpoint endpoint, bint careful)
