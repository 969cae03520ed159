from router.metrics cimport Metrics


cdef class Edge:
    cdef public object settings
    cdef public object table
    cdef public Metrics metrics
    cdef public object ids
    cdef public object trust
    cdef public object certificates
    cdef public dict doorways
    cdef public Py_ssize_t most_clients
    cdef public object access_log
    cdef public object guard
    cdef public object static
    cdef public object responses
    cdef public set clients
    cdef public set tunnels
    cdef public set pools
    cdef public bint draining
    cdef public bint timed
    cdef dict __dict__
    cdef public double now
    cdef public bytes date
    cdef public Py_ssize_t in_flight
    cdef public object table_age
    cdef long _day_second
    cdef object _poller
