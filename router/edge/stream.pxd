from router.edge.syscalls cimport Descriptor


cdef class Stream:
    cdef public int fd
    cdef public object _poller
    cdef public object _sock
    cdef public Descriptor _io
    cdef public object _protocol
    cdef public object _name
    cdef public list _out
    cdef public int _mask
    cdef public int _full
    cdef public Py_ssize_t _size
    cdef public Py_ssize_t _waiting
    cdef public bint _choked
    cdef public bint _paused
    cdef public bint _ended
    cdef public bint _half
    cdef public bint _closing
    cdef public bint _lost
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
