cimport cython

from router.core cimport glue
from router.core.caching cimport keys
from router.core.caching.asked cimport Asked, read_asked
from router.core.caching.memory cimport Memory
from router.core.caching.reuse cimport judge
from router.core.caching.rule cimport CacheRule
from router.core.caching.stored cimport Stored
from router.core.head cimport RequestHead
from router.core.records cimport Route
from router.core.request cimport Request
from router.edge.answering cimport Answering
from router.edge.caching.deliver cimport give
from router.edge.context cimport Edge
from router.metrics cimport Metrics


cdef class ResponseCache:
    cdef public Edge edge
    cdef public Py_ssize_t most_object
    cdef object _shelf
    cdef object _opener
    cdef Py_ssize_t _writing
    cdef double _tended
    cdef object _tending
    cdef Memory _memory
    cdef Py_ssize_t _room
    cdef dict _fetching
    cdef set _fetches
    cdef Py_ssize_t _background
    cdef object _varying
    cdef object _remembered
    cdef object __weakref__

    @cython.locals(
        head=RequestHead, rule=CacheRule, asked=Asked, stored=Stored, method=bytes, host=bytes, url=bytes,
        primary=bytes, key=bytes, now=double, judged=int,
    )
    cpdef bint handle(self, Answering client, Request request, Route route, str release) except -1
    @cython.locals(stored=Stored, key=bytes)
    cdef tuple _find(self, bytes url, bytes primary, bytes lines)
    @cython.locals(metrics=Metrics, left=double)
    cdef bint _hit(self, Answering client, Request request, Stored stored, Asked asked, double now) except -1


cpdef bytes bare(bytes host)
