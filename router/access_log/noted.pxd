from router.core.head cimport RequestHead
from router.core.request cimport Request


cdef class Frame:
    cdef public bytes data
    cdef public Py_ssize_t count


cdef class AccessLog:
    cdef object _pack
    cdef list _entries
    cdef object _frames
    cdef Py_ssize_t _packed
    cdef public Py_ssize_t dropped
    cdef public object plenty

    cpdef add(self, Request request, str ip, double ended)
    cdef _note(self, tuple entry)
    cpdef _gather(self)
    cdef _keep(self, Frame frame)
