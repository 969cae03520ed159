from router.edge.syscalls cimport Descriptor


cdef class Stream:
    cdef public int fd
    cdef object _poller
    cdef object _sock
    cdef Descriptor _io
    cdef object _protocol
    cdef object _name
    cdef list _out
    cdef int _mask
    cdef int _full
    cdef Py_ssize_t _size
    cdef Py_ssize_t _waiting
    cdef bint _choked
    cdef bint _paused
    cdef bint _ended
    cdef bint _half
    cdef bint _closing
    cdef bint _lost
    cdef object __weakref__

    cpdef ready(self, int mask)
    cpdef finish(self, error)
    cpdef write(self, data)
    cpdef close(self)
    cpdef abort(self)
    cpdef write_eof(self)
    cpdef pause_reading(self)
    cpdef resume_reading(self)
    cpdef bint is_closing(self)
    cdef _measure(self, Py_ssize_t size)
    cdef _watch(self, int mask)
    cdef _listen(self)
    cdef _fall_silent(self)
    cdef _end(self)
    cdef _flush(self)
    cdef _written(self)
    cdef _shut(self)
    cdef _fail_to_write(self, error)
    cdef _lose(self, error)
