cdef int _MOST_ADMITTED


cdef class Certificate:
    cdef public str path
    cdef public frozenset names
    cdef public double since
    cdef public str client_ca
    cdef public object context

    cpdef bint covers(self, bytes host) except -1


cdef class Certificates:
    cdef dict _names
    cdef public dict admitted
    cdef public Certificate default
    cdef public bint gated

    cpdef Certificate find(self, bytes host)


cdef class Served:
    cdef public Certificate certificate
    cdef public bint fallback

    cpdef bint admits(self, bytes sent, Certificates certificates) except -1
    cdef bint _admits(self, bytes host, Certificates certificates) except -1
