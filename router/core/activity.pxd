cimport cython

from router.core.request cimport Request


@cython.final
cdef class Activity:
    cdef public str release
    cdef public Py_ssize_t in_flight
    cdef public double busy
    cdef public long long requests
    cdef public long long held
    cdef public long long retried
    cdef public long long failed
    cdef public long long upstream_5xx
    cdef public long long[::1] latency

    cdef _restart(self, double now)
    cpdef begin(self, double now)
    cpdef leave(self, double now)
    cpdef end(self, Request request, double now)


@cython.final
cdef class Activities:
    cdef public dict _all

    @cython.locals(found=Activity)
    cpdef Activity of(self, str release, double now)


@cython.locals(micros=Py_ssize_t, octave=Py_ssize_t)
cpdef Py_ssize_t bucket(double seconds) except -1
