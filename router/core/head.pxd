cimport cython


@cython.no_gc
@cython.freelist(64)
cdef class RequestHead:
    cdef public bytes method
    cdef public bytes target
    cdef public bytes host
    cdef public bytes lines
    cdef public bytes upgrade
    cdef public bytes forwarded_for
    cdef public bytes forwarded_proto
    cdef public bytes connecting_ip
    cdef public bytes request_id
    cdef public bytes traceparent
    cdef public int minor
    cdef public long long length
    cdef public Py_ssize_t end
    cdef public bint keep
    cdef public bint plain
    cdef public bint expects
    cdef public bint final

    cpdef bytes header(self, bytes name)


@cython.no_gc
@cython.freelist(64)
cdef class ResponseHead:
    cdef public bytes lines
    cdef public bytes upgrade
    cdef public int status
    cdef public long long length
    cdef public Py_ssize_t end
    cdef public long idle_s
    cdef public bint keep
    cdef public bint dated


cpdef RequestHead read_request(bytes data, int trusted=*)
cpdef ResponseHead read_response(bytes data)
