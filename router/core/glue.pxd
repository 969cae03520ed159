from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdio cimport snprintf
from libc.string cimport memcpy


cdef inline char *_copy(char *to, bytes part) noexcept:
    cdef Py_ssize_t size = PyBytes_GET_SIZE(part)
    memcpy(to, PyBytes_AS_STRING(part), size)
    return to + size


cdef inline bytes glue(bytes one, bytes two, bytes three, bytes four, bytes five):
    cdef bytes whole = PyBytes_FromStringAndSize(
        NULL,
        PyBytes_GET_SIZE(one) + PyBytes_GET_SIZE(two) + PyBytes_GET_SIZE(three) + PyBytes_GET_SIZE(four)
        + PyBytes_GET_SIZE(five),
    )
    _copy(_copy(_copy(_copy(_copy(PyBytes_AS_STRING(whole), one), two), three), four), five)
    return whole


cdef inline bytes numbered(bytes start, double number):
    cdef char line[96]
    cdef int size = snprintf(line, sizeof(line), "%.64s%lld\r\n", PyBytes_AS_STRING(start), <long long>number)
    return PyBytes_FromStringAndSize(line, size)


cdef inline bytes glue_rest(bytes one, bytes two, bytes three, bytes data, Py_ssize_t start):
    cdef Py_ssize_t rest = PyBytes_GET_SIZE(data) - start
    cdef bytes whole = PyBytes_FromStringAndSize(
        NULL, PyBytes_GET_SIZE(one) + PyBytes_GET_SIZE(two) + PyBytes_GET_SIZE(three) + rest
    )
    memcpy(_copy(_copy(_copy(PyBytes_AS_STRING(whole), one), two), three), PyBytes_AS_STRING(data) + start, rest)
    return whole
