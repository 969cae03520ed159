cimport cython

from router.core cimport glue
from router.core.caching.asked cimport Asked
from router.core.caching.stored cimport Stored
from router.core.request cimport Request
from router.edge cimport policing
from router.edge.answering cimport Answering
from router.edge.context cimport Edge


@cython.locals(body=bytes, lines=bytes, size=Py_ssize_t, at=Py_ssize_t, end=Py_ssize_t, status=int)
cpdef bint give(Answering client, Request request, Stored stored, Asked asked, double now, bytes note) except -1
@cython.locals(body=bytes)
cdef _write(
    Answering client, Request request, Stored stored, int status, bytes lines, Py_ssize_t at, Py_ssize_t end, feed,
    bytes more,
)
cpdef give_unchanged(Answering client, Request request, bytes lines, bytes more)
@cython.locals(edge=Edge)
cpdef begin(Answering client, Request request, int status)
