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


cdef inline bytes glue_answer(
    bytes lines, bytes date, bytes request_id, bytes timing, bytes end, bytes data, Py_ssize_t at
):
    cdef Py_ssize_t rest = PyBytes_GET_SIZE(data) - at
    cdef bytes whole = PyBytes_FromStringAndSize(
        NULL,
        PyBytes_GET_SIZE(lines) + PyBytes_GET_SIZE(date) + 14 + PyBytes_GET_SIZE(request_id) + 2
        + PyBytes_GET_SIZE(timing) + PyBytes_GET_SIZE(end) + rest,
    )
    cdef char *to = _copy(_copy(PyBytes_AS_STRING(whole), lines), date)
    memcpy(to, "X-Request-Id: ", 14)
    to = _copy(to + 14, request_id)
    memcpy(to, "\r\n", 2)
    to = _copy(_copy(to + 2, timing), end)
    memcpy(to, PyBytes_AS_STRING(data) + at, rest)
    return whole
