cimport cython

from router.core.records cimport Route
from router.core.releases cimport Release
from router.core.request cimport Request
from router.core.rules cimport Policy
from router.core.table cimport Table
from router.edge.answering cimport Answering
from router.edge.context cimport Edge


@cython.final
@cython.freelist(64)
cdef class Ruled:
    cdef public Policy policy
    cdef public object lanes
    cdef public bytes extra
    cdef public str release
    cdef public str lane
    cdef public object endpoint
    cdef public double until
    cdef public object cached
    cdef public bint called
    cdef public bint waits

    cpdef take(self, Policy policy)


@cython.locals(ruled=Ruled)
cpdef bint admit(Answering client, Request request, Policy policy) except -1
@cython.locals(ruled=Ruled)
cpdef bytes answer_lines(Request request, bytes lines)
@cython.locals(ruled=Ruled, table=Table, policy=Policy)
cpdef Release release_for(Answering client, Request request, Route route)
@cython.locals(ruled=Ruled, edge=Edge)
cpdef bint from_cache(Answering client, Request request, Route route, Release release) except -1
@cython.locals(ruled=Ruled)
cpdef ended(Answering client, Request request)
