cimport cython

from router.edge.syscalls cimport Descriptor
from router.edge.receiver cimport Receiver
from router.edge.transport cimport Transport

cdef unsigned int _READING
cdef int _BROKEN
cdef int _ENDS
cdef int _READS
cdef int _WRITES
cdef Py_ssize_t _SMALL
cdef Py_ssize_t _LARGE
cdef Py_ssize_t _HIGH
cdef Py_ssize_t _LOW


cdef class Stream(Transport):
    cdef public int fd
    cdef public object _poller
    cdef public object _sock
    cdef Descriptor _io
    cdef public object _protocol
    cdef Receiver _receiver
    cdef public object _name
    cdef public list _out
    cdef public int _full
    cdef public Py_ssize_t _size
    cdef public Py_ssize_t _waiting
    cdef public bint _broken
    cdef public bint _choked
    cdef public bint _closing
    cdef public bint _ended
    cdef public bint _ends
    cdef public bint _half
    cdef public bint _lost
    cdef public bint _more
    cdef public bint _paused
    cdef public bint _queued
    cdef public bint _writing
    cdef object __weakref__

    cpdef ready(self, unsigned int mask)
    @cython.locals(data=bytes, size=Py_ssize_t)
    cpdef go_on(self)
    cpdef finish(self, error)
    @cython.locals(sent=Py_ssize_t, left=Py_ssize_t)
    cpdef write(self, data)
    cpdef close(self)
    cpdef abort(self)
    cpdef write_eof(self)
    cpdef pause_reading(self)
    cpdef resume_reading(self)
    cpdef bint is_closing(self)
    cdef _measure(self, Py_ssize_t size)
    cdef _ask(self)
    cdef _end(self)
    cdef _flush(self)
    cdef bint _take_off(self, list out, Py_ssize_t sent) except -1
    cdef _written(self)
    cdef _shut(self)
    cdef _fail_to_write(self, error)
    cdef _lose(self, error)
