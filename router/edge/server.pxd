cimport cython

from router cimport clock
from router.core.head cimport RequestHead, read_request
from router.core.records cimport Route
from router.core.request cimport Request, fresh
from router.edge cimport forward, policing
from router.edge.answering cimport Answering
from router.edge.context cimport Edge


cdef class Client(Answering):
    @cython.locals(edge=Edge, head=RequestHead, route=Route)
    cpdef dispatch(self, Request request)
    cdef _read_head(self, bytes data)
    @cython.locals(head=RequestHead)
    cdef _turn(self, bytes data)
    @cython.locals(edge=Edge, request=Request, end=Py_ssize_t, stop=Py_ssize_t, body=bytes)
    cdef _begin(self, RequestHead head, bytes data)
    cdef _read_body(self, Request request, bytes data)
