from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memchr


cdef extern from "strings.h" nogil:
    int strncasecmp(const char *one, const char *other, size_t size)

cdef enum:
    PLAIN
    COOKIE
    LOOK


cdef inline int glance(bytes lines) noexcept:
    """As in glance.py; the bytes end with a NUL, which equals no letter."""
    cdef const char *at = PyBytes_AS_STRING(lines)
    cdef const char *end = at + PyBytes_GET_SIZE(lines)
    cdef int seen = PLAIN
    while True:
        at = <const char *>memchr(at, 10, end - at)
        if at == NULL:
            return seen
        at += 1
        if (
            strncasecmp(at, "cache-control", 13) == 0
            or strncasecmp(at, "pragma", 6) == 0
            or strncasecmp(at, "range", 5) == 0
            or strncasecmp(at, "if-", 3) == 0
            or strncasecmp(at, "authorization", 13) == 0
        ):
            return LOOK
        if strncasecmp(at, "cookie:", 7) == 0:
            seen = COOKIE
