cimport cython

from router.core.caching.asked cimport Asked
from router.core.caching.stored cimport Stored


@cython.locals(left=double)
cpdef int judge(Stored stored, Asked asked, double now) except -1
cpdef bint may_serve_after_error(Stored stored, Asked asked, double now) except -1
cdef bint _is_content(Stored stored, Asked asked, double now, double left) except -1
