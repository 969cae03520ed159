from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_1BYTE_DATA, PyUnicode_1BYTE_KIND, PyUnicode_GET_LENGTH, PyUnicode_KIND, PyUnicode_New
from libc.string cimport memcmp, memcpy


cdef inline int _digit(unsigned char of) noexcept:
    if 48 <= of <= 57:
        return of - 48
    return of - 87 if 97 <= of <= 102 else -1


cdef inline bytes read(object value, str prefix):
    if type(value) is not str or PyUnicode_GET_LENGTH(value) != 36 or PyUnicode_KIND(value) != PyUnicode_1BYTE_KIND:
        return b""
    cdef unsigned char *at = <unsigned char *> PyUnicode_1BYTE_DATA(value)
    if memcmp(at, PyUnicode_1BYTE_DATA(prefix), 4):
        return b""
    cdef unsigned char raw[16]
    cdef int n, high, low
    for n in range(16):
        high, low = _digit(at[4 + 2 * n]), _digit(at[5 + 2 * n])
        if high < 0 or low < 0:
            return b""
        raw[n] = high << 4 | low
    return PyBytes_FromStringAndSize(<char *> raw, 16)


cdef inline str text(str prefix, bytes packed, Py_ssize_t at):
    cdef unsigned char *raw = <unsigned char *> PyBytes_AS_STRING(packed) + at
    cdef str made = PyUnicode_New(36, 127)
    cdef unsigned char *to = <unsigned char *> PyUnicode_1BYTE_DATA(made)
    cdef const char *digits = "0123456789abcdef"
    cdef int n
    memcpy(to, PyUnicode_1BYTE_DATA(prefix), 4)
    for n in range(16):
        to[4 + 2 * n] = digits[raw[n] >> 4]
        to[5 + 2 * n] = digits[raw[n] & 15]
    return made
