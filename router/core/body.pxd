cdef class Chunked:
    cdef Py_ssize_t _left
    cdef bytes _line
    cdef int _state
    cdef Py_ssize_t _trailers
    cdef public bint done
    cdef public long long size

    cpdef Py_ssize_t feed(self, bytes data, Py_ssize_t at=*, list payload=*) except -1
    cdef _keep(self, bytes piece)
    cdef _take_line(self, bytes line)
    cdef _take_size(self, bytes line)
    cdef _take_trailer(self, bytes line)
