cimport cython

from router.core.certificates cimport Certificates
from router.core.activity cimport Activities
from router.core.balance cimport Endpoint
from router.core.request_ids cimport RequestIds
from router.core.table cimport Table
from router.core.waits cimport Waits
from router.access_log.noted cimport AccessLog
from router.metrics cimport Metrics


@cython.final
cdef class Edge:
    cdef public object settings
    cdef public Waits waits
    cdef public Table table
    cdef public Metrics metrics
    cdef public Activities activities
    cdef public RequestIds ids
    cdef public object trust
    cdef public Certificates certificates
    cdef public dict doorways
    cdef public Py_ssize_t most_clients
    cdef public Py_ssize_t pool_size
    cdef public AccessLog access_log
    cdef public object guard
    cdef public object prober
    cdef public object static
    cdef public object responses
    cdef public object wake
    cdef public set clients
    cdef public set tunnels
    cdef public set pools
    cdef public bint draining
    cdef public bint timed
    cdef public double now
    cdef public bytes date
    cdef public Py_ssize_t in_flight
    cdef public Py_ssize_t upstreams
    cdef public Py_ssize_t most_upstreams
    cdef public object table_age
    cdef long _day_second
    cdef double _late
    cdef double _late_before
    cdef double _late_since
    cdef object _poller
    cdef dict __dict__

    cpdef bint has_room(self, Endpoint endpoint) except -1
