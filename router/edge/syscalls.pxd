cdef class Descriptor:
    cdef int _fd

    cpdef bytes recv(self, Py_ssize_t size)
    cpdef Py_ssize_t send(self, data) except -1
    cdef bytes _recv_large(self, Py_ssize_t size)
    cdef Py_ssize_t _send(self, const char *data, Py_ssize_t size) except -1
