from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
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
    cdef long long whole = <long long>number
    cdef unsigned long long left = -whole if whole < 0 else whole
    cdef char digits[24]
    cdef char *at = digits + sizeof(digits)
    at -= 2
    memcpy(at, "\r\n", 2)
    while True:
        at -= 1
        at[0] = 48 + left % 10
        left //= 10
        if left == 0:
            break
    if whole < 0:
        at -= 1
        at[0] = 45
    cdef Py_ssize_t size = digits + sizeof(digits) - at
    cdef bytes line = PyBytes_FromStringAndSize(NULL, PyBytes_GET_SIZE(start) + size)
    memcpy(_copy(PyBytes_AS_STRING(line), start), at, size)
    return line


cdef inline bytes glue_rest(bytes one, bytes two, bytes three, bytes data, Py_ssize_t start):
    cdef Py_ssize_t rest = PyBytes_GET_SIZE(data) - start
    cdef bytes whole = PyBytes_FromStringAndSize(
        NULL, PyBytes_GET_SIZE(one) + PyBytes_GET_SIZE(two) + PyBytes_GET_SIZE(three) + rest
    )
    memcpy(_copy(_copy(_copy(PyBytes_AS_STRING(whole), one), two), three), PyBytes_AS_STRING(data) + start, rest)
    return whole
