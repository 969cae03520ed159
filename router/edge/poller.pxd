from router.edge.stream cimport Stream


cdef class Poller:
    cdef public object loop
    cdef object _epoll
    cdef dict _sources
    cdef list _ending
    cdef bint _serving

    cpdef watch(self, source, int mask, bint fresh)
    cpdef forget(self, source)
    cpdef end(self, Stream stream, error)
