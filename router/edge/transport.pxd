from router.edge.receiver cimport Receiver


cdef class Transport(Receiver):
    cpdef write(self, data)
    cpdef close(self)
    cpdef abort(self)
    cpdef write_eof(self)
    cpdef pause_reading(self)
    cpdef resume_reading(self)
    cpdef bint is_closing(self)
