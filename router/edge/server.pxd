from router.core.head cimport RequestHead
from router.core.request cimport Request
from router.edge.answering cimport Answering


cdef class Client(Answering):
    cpdef data_received(self, bytes data)
    cpdef dispatch(self, Request request)
    cdef _read_head(self, bytes data)
    cdef _turn(self, bytes data)
    cdef _begin(self, RequestHead head, bytes data)
    cdef _read_body(self, Request request, bytes data)
