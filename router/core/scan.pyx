"""Plain heads, read by C: the accelerator of core/head.py, there only when compiled.

It accepts what nearly every client and app sends and answers None for all else, which the patterns of core/head.py then
decide over. So it may refuse to decide, but what it accepts it must read exactly as they do (tests hold both equal).
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcmp, memcpy

from router.core.head cimport RequestHead, ResponseHead

cdef enum:
    MAX_HEAD = 32768
    MAX_TARGET = 16384
    CHUNKED = -1
    UNTIL_CLOSE = -2
    NAME = 1
    VALUE = 2
    TARGET = 4
    MOST_CUTS = 2  # a Connection and a Keep-Alive

cdef unsigned char KIND[256]
cdef unsigned char LOWER[256]


cdef void _fill():
    cdef int octet
    for octet in range(256):
        KIND[octet] = 0
        LOWER[octet] = octet + 32 if 65 <= octet <= 90 else octet
        if octet < 128 and (chr(octet).isalnum() or chr(octet) in "!#$%&'*+-.^_`|~"):
            KIND[octet] |= NAME
        if octet == 9 or (octet >= 32 and octet != 127):
            KIND[octet] |= VALUE
        if 33 <= octet <= 126 and octet != 35:
            KIND[octet] |= TARGET


_fill()

cdef bytes GET = b"GET"
cdef bytes POST = b"POST"
cdef bytes HEAD = b"HEAD"
cdef bytes EMPTY = b""


cdef struct Cuts:
    int count
    Py_ssize_t start[MOST_CUTS]
    Py_ssize_t stop[MOST_CUTS]


cdef inline bint _is(const unsigned char *at, const char *name, Py_ssize_t size) noexcept nogil:
    """Whether a header's name is this one, in any case, `-` also written as `_`."""
    cdef Py_ssize_t i
    cdef unsigned char octet
    for i in range(size):
        octet = LOWER[at[i]]
        if octet == 95:
            octet = 45
        if octet != <unsigned char>name[i]:
            return False
    return True


cdef inline void _cut(Cuts *cuts, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cuts.start[cuts.count] = start
    cuts.stop[cuts.count] = stop
    cuts.count += 1


cdef bytes _without(bytes data, Py_ssize_t end, Cuts *cuts):
    """The first `end` bytes but for the cuts."""
    cdef const char *source = PyBytes_AS_STRING(data)
    cdef Py_ssize_t size = end, at = 0, length
    cdef int i
    for i in range(cuts.count):
        size -= cuts.stop[i] - cuts.start[i]
    cdef bytes result = PyBytes_FromStringAndSize(NULL, size)
    cdef char *target = PyBytes_AS_STRING(result)
    for i in range(cuts.count):
        length = cuts.start[i] - at
        memcpy(target, source + at, length)
        target += length
        at = cuts.stop[i]
    memcpy(target, source + at, end - at)
    return result


cdef long long _digits(const unsigned char *at, Py_ssize_t size) noexcept nogil:
    """A number of 1 to 18 digits, else -1."""
    cdef long long value = 0
    cdef Py_ssize_t i
    if size < 1 or size > 18:
        return -1
    for i in range(size):
        if at[i] < 48 or at[i] > 57:
            return -1
        value = value * 10 + (at[i] - 48)
    return value


cdef inline Py_ssize_t _field(
    const unsigned char *p, Py_ssize_t i, Py_ssize_t *colon, Py_ssize_t *value
) noexcept nogil:
    """Reads one header line; returns where the next one begins, or -1 when this one is not whole and good."""
    cdef Py_ssize_t name = i
    while KIND[p[i]] & NAME:
        i += 1
    colon[0] = i
    if i == name or p[i] != 58:
        return -1
    i += 1
    while p[i] == 32 or p[i] == 9:
        i += 1
    value[0] = i
    while KIND[p[i]] & VALUE:
        i += 1
    return i + 2 if p[i] == 13 and p[i + 1] == 10 else -1


cdef inline bint _asks(const unsigned char *name, Py_ssize_t size) noexcept nogil:
    """Whether a request header needs the long look (those of core/fields.py but Connection and Content-Length)."""
    cdef unsigned char first = LOWER[name[0]]
    if first == 120:  # x-forwarded-*, x-real-ip, x-request-id
        return (
            size == 15 and (_is(name, "x-forwarded-for", 15) or _is(name, "x-forwarded-ssl", 15))
            or size == 16 and (_is(name, "x-forwarded-host", 16) or _is(name, "x-forwarded-port", 16))
            or size == 17 and _is(name, "x-forwarded-proto", 17)
            or size == 18 and (_is(name, "x-forwarded-prefix", 18) or _is(name, "x-forwarded-server", 18))
            or size == 9 and _is(name, "x-real-ip", 9)
            or size == 12 and _is(name, "x-request-id", 12)
        )
    if first == 116:
        return (
            size == 2 and _is(name, "te", 2)
            or size == 17 and _is(name, "transfer-encoding", 17)
            or size == 11 and _is(name, "traceparent", 11)
            or size == 14 and _is(name, "true-client-ip", 14)
        )
    if first == 112:
        return (
            size == 5 and _is(name, "proxy", 5)
            or size == 16 and _is(name, "proxy-connection", 16)
            or size == 18 and _is(name, "proxy-authenticate", 18)
            or size == 19 and _is(name, "proxy-authorization", 19)
        )
    if first == 99:
        return size == 16 and _is(name, "cf-connecting-ip", 16) or size == 6 and _is(name, "cf-ray", 6)
    if first == 102:
        return size == 9 and _is(name, "forwarded", 9)
    if first == 101:
        return size == 6 and _is(name, "expect", 6)
    if first == 117:
        return size == 7 and _is(name, "upgrade", 7)
    if first == 107:
        return size == 10 and _is(name, "keep-alive", 10)
    return first == 104 and size == 14 and _is(name, "http2-settings", 14)


@cython.wraparound(False)
cpdef RequestHead scan_request(bytes data):
    """Reads a plain request head from the beginning of the data.

    Returns:
        The head as `read_request` would give it, or None: incomplete, wrong, or not plain.
    """
    cdef const unsigned char *p = <const unsigned char *>PyBytes_AS_STRING(data)  # ends with a NUL, which stops every loop
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data), i = 0, name, colon, value, last
    cdef Py_ssize_t method_end, target_end, host = -1, host_end = 0
    cdef long long length = -1
    cdef Cuts cuts
    cdef unsigned char first
    cdef bint connected = False, keep = True
    cuts.count = 0
    while KIND[p[i]] & NAME:
        i += 1
    method_end = i
    if i == 0 or i > 20 or p[i] != 32 or p[i + 1] != 47:
        return None
    if i == 7 and (memcmp(p, "CONNECT", 7) == 0 or memcmp(p, "OPTIONS", 7) == 0) or i == 5 and memcmp(p, "TRACE", 5) == 0:
        return None
    i += 1
    while KIND[p[i]] & TARGET:
        i += 1
    target_end = i
    if target_end - method_end > MAX_TARGET or i + 11 > size or memcmp(p + i, " HTTP/1.1\r\n", 11) != 0:
        return None
    i += 11
    while p[i] != 13:
        name = i
        i = _field(p, i, &colon, &value)
        if i < 0:
            return None
        last = i - 2
        first = LOWER[p[name]]
        if first == 104 and colon - name == 4 and _is(p + name, "host", 4):
            while last > value and (p[last - 1] == 32 or p[last - 1] == 9):
                last -= 1
            if host >= 0 or last == value:
                return None
            host, host_end = value, last
        elif first == 99 and colon - name == 14 and _is(p + name, "content-length", 14):
            if length >= 0 or p[name + 7] != 45 or value - colon != 2 or p[colon + 1] != 32:
                return None
            length = _digits(p + value, last - value)
            if length < 0 or p[value] == 48 and last - value > 1:
                return None  # nothing, or spelt oddly
        elif first == 99 and colon - name == 10 and _is(p + name, "connection", 10):
            if connected:
                return None
            if last - value == 5 and _same(p + value, "close", 5):
                keep = False
            elif last - value != 10 or not _same(p + value, "keep-alive", 10):
                return None
            connected = True
            _cut(&cuts, name, i)
        elif _asks(p + name, colon - name):
            return None
    if p[i + 1] != 10 or host < 0 or i + 2 > MAX_HEAD:
        return None
    cdef RequestHead head = RequestHead.__new__(RequestHead)
    if method_end == 3 and memcmp(p, "GET", 3) == 0:
        head.method = GET
    elif method_end == 4 and memcmp(p, "POST", 4) == 0:
        head.method = POST
    elif method_end == 4 and memcmp(p, "HEAD", 4) == 0:
        head.method = HEAD
    else:
        head.method = PyBytes_FromStringAndSize(<const char *>p, method_end)
    head.target = PyBytes_FromStringAndSize(<const char *>p + method_end + 1, target_end - method_end - 1)
    head.host = _lower(p + host, host_end - host)
    head.lines = _without(data, i, &cuts)
    head.upgrade = head.forwarded_for = head.forwarded_proto = head.connecting_ip = EMPTY
    head.request_id = head.traceparent = EMPTY
    head.minor = 1
    head.length = length if length > 0 else 0
    head.end = i + 2
    head.keep = keep
    head.plain = True
    return head


cdef bytes _lower(const unsigned char *source, Py_ssize_t size):
    cdef bytes result = PyBytes_FromStringAndSize(NULL, size)
    cdef char *target = PyBytes_AS_STRING(result)
    cdef Py_ssize_t i
    for i in range(size):
        target[i] = <char>LOWER[source[i]]
    return result


@cython.wraparound(False)
cpdef ResponseHead scan_response(bytes data):
    """Reads a plain response head from the beginning of the data.

    Returns:
        The head as `read_response` would give it, or None: incomplete, wrong, or not plain.
    """
    cdef const unsigned char *p = <const unsigned char *>PyBytes_AS_STRING(data)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data), i = 12, name, colon, value, last
    cdef long long length = UNTIL_CLOSE, idle = 0
    cdef int status
    cdef Cuts cuts
    cdef unsigned char first
    cdef bint dated = False, connected = False, kept = False, keep = True
    if size < 17 or memcmp(p, "HTTP/1.1 ", 9) != 0 or p[9] < 50 or p[9] > 53:
        return None
    if p[10] < 48 or p[10] > 57 or p[11] < 48 or p[11] > 57:
        return None
    status = (p[9] - 48) * 100 + (p[10] - 48) * 10 + p[11] - 48
    if status == 204:
        return None
    cuts.count = 0
    if p[i] != 32:
        return None
    while KIND[p[i]] & VALUE:
        i += 1
    if p[i] != 13 or p[i + 1] != 10:
        return None
    i += 2
    while p[i] != 13:
        name = i
        i = _field(p, i, &colon, &value)
        if i < 0:
            return None
        last = i - 2
        first = LOWER[p[name]]
        if first == 99:
            if colon - name == 14 and _same(p + name, "content-length", 14):
                while last > value and (p[last - 1] == 32 or p[last - 1] == 9):
                    last -= 1
                if length != UNTIL_CLOSE:
                    return None
                length = _digits(p + value, last - value)
                if length < 0:
                    return None
            elif colon - name == 10 and _same(p + name, "connection", 10):
                if connected:
                    return None
                if last - value == 5 and _same(p + value, "close", 5):
                    keep = False
                elif last - value != 10 or not _same(p + value, "keep-alive", 10):
                    return None
                connected = True
                _cut(&cuts, name, i)
        elif first == 100:
            if colon - name == 4 and _same(p + name, "date", 4):
                dated = True
        elif first == 107:
            if colon - name == 10 and _same(p + name, "keep-alive", 10):
                if kept or last - value < 9 or last - value > 14 or not _same(p + value, "timeout=", 8):
                    return None
                idle = _digits(p + value + 8, last - value - 8)
                if idle < 0:
                    return None
                kept = True
                _cut(&cuts, name, i)
        elif first == 116:
            if colon - name == 17 and _same(p + name, "transfer-encoding", 17):
                if length != UNTIL_CLOSE or last - value != 7 or not _same(p + value, "chunked", 7):
                    return None
                length = CHUNKED
            elif colon - name == 2 and _same(p + name, "te", 2):
                return None
        elif (
            first == 117 and colon - name == 7 and _same(p + name, "upgrade", 7)
            or first == 120 and colon - name == 12 and _same(p + name, "x-request-id", 12)
            or first == 112
            and (
                colon - name == 16 and _same(p + name, "proxy-connection", 16)
                or colon - name == 18 and _same(p + name, "proxy-authenticate", 18)
            )
        ):
            return None
    if p[i + 1] != 10 or i + 2 > MAX_HEAD:
        return None
    cdef ResponseHead head = ResponseHead.__new__(ResponseHead)
    head.status = status
    head.length = length
    head.lines = _without(data, i, &cuts)
    head.upgrade = EMPTY
    head.end = i + 2
    head.idle_s = idle
    head.keep = keep
    head.dated = dated
    return head


cdef inline bint _same(const unsigned char *at, const char *name, Py_ssize_t size) noexcept nogil:
    """Whether a text is this one, in any case."""
    cdef Py_ssize_t i
    for i in range(size):
        if LOWER[at[i]] != <unsigned char>name[i]:
            return False
    return True
