from router.core.certificates cimport Served
from router.core.head cimport RequestHead


cdef class Peer:
    cdef public str ip
    cdef public str scheme
    cdef public bytes plain
    cdef public Served served
    cdef public int trusted
    cdef public object _trust
    cdef public tuple _claims
    cdef public list _chain
    cdef public bytes _believed

    cpdef str client_ip(self, RequestHead head)
    cpdef str client_scheme(self, RequestHead head)
    cpdef bytes lines(self, RequestHead head)
