"""One line of the access log in C; there only when compiled. It writes what `line` of lines.py writes, octet by octet."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy, strlen

from router.core.request import DONE as _DONE

cdef enum:
    MOST = 4096
    FIXED = 640  # the names, and the numbers at their longest

cdef int DONE = _DONE


cdef struct Line:
    char *at
    char text[MOST]


cdef inline void _put(Line *line, const char *text) noexcept nogil:
    cdef size_t size = strlen(text)
    memcpy(line.at, text, size)
    line.at += size


cdef inline void _add(Line *line, bytes text) noexcept:
    memcpy(line.at, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
    line.at += PyBytes_GET_SIZE(text)


cdef inline bint _add_plain(Line *line, bytes text) noexcept:
    """Adds what needs no escape; False when something does."""
    cdef const unsigned char *octets = <const unsigned char *>PyBytes_AS_STRING(text)
    cdef Py_ssize_t i
    for i in range(PyBytes_GET_SIZE(text)):
        if octets[i] < 32 or octets[i] > 126 or octets[i] == 34 or octets[i] == 92:
            return False
    _add(line, text)
    return True


cdef void _number(Line *line, long long value, int width) noexcept nogil:
    """A number of 0 or more with at least `width` digits."""
    cdef char digits[24]
    cdef int size = 0
    while value or size < width or not size:
        digits[size] = <char>(48 + value % 10)
        value //= 10
        size += 1
    while size:
        size -= 1
        line.at[0] = digits[size]
        line.at += 1


cdef void _parts(Line *line, long long value, long long unit, int width) noexcept nogil:
    _number(line, value // unit, 1)
    line.at[0] = c"."
    line.at += 1
    _number(line, value % unit, width)


def quick_line(tuple entry, double offset, bytes by):
    """One record as a line, or None when it is left to lines.py."""
    cdef Line line
    cdef double started = entry[1], ended = entry[2], queued = entry[19], connecting = entry[20], first = entry[21]
    cdef double answered = first if first else ended
    cdef long long waited = <long long>((answered - started - queued - connecting) * 1e6)
    cdef long long body = <long long>((ended - answered) * 1e6)
    cdef bytes host = entry[5], target = entry[6], trace = entry[7], ip = (<str>entry[3]).encode()
    cdef bytes error = (<str>entry[9]).encode(), method = entry[4], id_ = entry[0]
    cdef Py_ssize_t size = FIXED + len(by) + len(host) + len(target) + len(trace) + len(ip) + len(error) + len(method)
    if size + len(id_) > MOST or body < 0 or queued < 0 or connecting < 0:
        return None
    line.at = line.text
    _put(&line, b'{"at":')
    _parts(&line, <long long>((offset + started) * 1e6), 1000000, 6)
    _put(&line, b',"id":"')
    _add(&line, id_)
    _put(&line, b'","trace":"')
    _add(&line, trace[3:35])
    _put(&line, b'","ip":"')
    _add(&line, ip)
    _put(&line, b'","method":"')
    _add(&line, method)
    _put(&line, b'","host":"')
    if not _add_plain(&line, host):
        return None
    _put(&line, b'","target":"')
    if not _add_plain(&line, target):
        return None
    _put(&line, b'","status":')
    _number(&line, entry[8], 1)
    _put(&line, b',"error":"')
    _add(&line, error)
    _put(&line, b'",')
    _add(&line, by)
    _put(&line, b',"whole":true,"attempts":' if <int>entry[15] == DONE else b',"whole":false,"attempts":')
    _number(&line, entry[16], 1)
    _put(&line, b',"received":')
    _number(&line, entry[17], 1)
    _put(&line, b',"sent":')
    _number(&line, entry[18], 1)
    _put(&line, b',"queue_ms":')
    _parts(&line, <long long>(queued * 1e6), 1000, 3)
    _put(&line, b',"connect_ms":')
    _parts(&line, <long long>(connecting * 1e6), 1000, 3)
    _put(&line, b',"first_byte_ms":')
    _parts(&line, waited if waited > 0 else 0, 1000, 3)
    _put(&line, b',"body_ms":')
    _parts(&line, body, 1000, 3)
    _put(&line, b"}\n")
    return PyBytes_FromStringAndSize(line.text, line.at - line.text)
