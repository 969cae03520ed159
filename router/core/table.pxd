cimport cython

from router.core.hosts cimport Hosts
from router.core.records cimport Route
from router.core.releases cimport Release, Releases


@cython.final
cdef class Table:
    cdef public str epoch
    cdef public long long version
    cdef public Releases releases
    cdef public object touched
    cdef public Hosts _exact
    cdef public Hosts _wildcards
    cdef public dict _warm

    cpdef Route find(self, bytes host, bytes target)
    cpdef Release release_for(self, Route route)
