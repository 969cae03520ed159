cimport cython

from router.core.caching cimport glance
from router.core.caching.rule cimport CacheRule
from router.core.head cimport RequestHead


@cython.final
cdef class Asked:
    cdef public object directives
    cdef public bytes none_match
    cdef public bytes modified_since
    cdef public bytes range
    cdef public bytes if_range
    cdef public bytes bypass
    cdef public bint authorized
    cdef public bint cookie
    cdef public bint is_conditional


@cython.locals(asked=Asked)
cpdef Asked read_asked(RequestHead head, CacheRule rule)
