from router.edge.stream cimport Stream


cdef class Poller:
    cdef public object loop
    cdef public object _epoll
    cdef public list _sources
    cdef public list _again
    cdef public list _ending
    cdef public bint _serving

    cpdef watch(self, source, unsigned int mask, bint fresh)
    cpdef forget(self, source)
    cpdef end(self, Stream stream, error)
    cpdef again(self, Stream stream)
    cpdef _serve(self)
    cpdef bint _settle(self) except -1
    cpdef _blame(self, source, error)
