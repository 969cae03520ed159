cdef class RequestIds:
    cdef bytes _prefix
    cdef unsigned long long _count

    cpdef bytes next(self)
