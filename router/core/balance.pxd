cimport cython

cdef class Endpoint:
    cdef public str address
    cdef public str instance
    cdef public str zone
    cdef public str wanted
    cdef public str why
    cdef public double aside_until
    cdef public double ends
    cdef public double idle_s
    cdef public double learned_at
    cdef public double probe_at
    cdef public double steady_at
    cdef public Py_ssize_t level
    cdef public Py_ssize_t open
    cdef public Py_ssize_t streak
    cdef public bint trial
    cdef public Py_ssize_t in_flight
    cdef public Py_ssize_t failures
    cdef public long weight
    cdef public bint gone
    cdef public list idle
    cdef object __weakref__


@cython.locals(one=Endpoint, other=Endpoint, first=Py_ssize_t, count=Py_ssize_t)
cpdef Endpoint pick(endpoints, double now, tried=*)
cdef Endpoint _less_busy(Endpoint one, Endpoint other)
