cimport cython

from router.core.rules cimport Policy


@cython.final
cdef class Route:
    cdef public bytes host
    cdef public bytes path
    cdef public str kind
    cdef public str project
    cdef public str environment
    cdef public str release
    cdef public tuple weights
    cdef public str manifest
    cdef public dict manifests
    cdef public str previous
    cdef public str location
    cdef public Policy policy
    cdef public int status
    cdef public long long version


@cython.final
cdef class EndpointsRecord:
    cdef public str id
    cdef public str state
    cdef public tuple endpoints
    cdef public long long version


@cython.locals(route=Route)
cpdef Route plain(bytes host, bytes path, str project, str release, long long version)
