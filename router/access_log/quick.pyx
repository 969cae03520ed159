# cython: cdivision=True
"""Lines of the access log in C; there only when compiled. They are what `line` of lines.py writes, octet by octet.

`LineLog` writes a request's line at once, into a buffer of its own: kept as Python objects until they are formatted,
requests cost four times that, since what they hold is no longer in the processor's caches.
"""

import time

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.string cimport memcpy, strlen

from router.access_log.noted import Frame
from router.core.request import DONE as _DONE
from router.core.request import KINDS

from router.access_log.noted cimport AccessLog
from router.access_log.noted cimport Frame as FrameType
from router.access_log.writer cimport Writer
from router.core.balance cimport Endpoint
from router.core.head cimport RequestHead
from router.core.records cimport Route
from router.core.request cimport Request

cdef enum:
    MOST = 4096
    FIXED = 800  # the names, and the numbers at their longest
    MOST_TARGET = 1024
    MOST_HOST = 255
    MOST_WAITING = 32768  # records, as in noted.py
    FRAME = 256
    ROOM = 65536

cdef int DONE = _DONE


cdef struct Line:
    char *at


cdef struct Times:
    double at
    double queued
    double connecting
    double waited
    double body


cdef inline void _put(Line *line, const char *text) noexcept nogil:
    cdef size_t size = strlen(text)
    memcpy(line.at, text, size)
    line.at += size


cdef inline void _add(Line *line, bytes text) noexcept:
    memcpy(line.at, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
    line.at += PyBytes_GET_SIZE(text)


cdef inline bint _add_plain(Line *line, const char *text, Py_ssize_t size) noexcept nogil:
    """Adds what needs no escape; False when something does."""
    cdef const unsigned char *octets = <const unsigned char *>text
    cdef Py_ssize_t i
    cdef int odd = 0
    for i in range(size):  # to the end in any case: so the compiler takes many at a time
        odd |= (octets[i] < 32) | (octets[i] > 126) | (octets[i] == 34) | (octets[i] == 92)
    if odd:
        return False
    memcpy(line.at, text, size)
    line.at += size
    return True


cdef bint _add_text(Line *line, str text) except -1:
    cdef Py_ssize_t size
    cdef const char *octets = PyUnicode_AsUTF8AndSize(text, &size)
    return _add_plain(line, octets, size)


cdef inline void _number(Line *line, unsigned long long value) noexcept nogil:
    cdef char digits[24]
    cdef int at = 24
    while True:
        at -= 1
        digits[at] = <char>(48 + value % 10)
        value //= 10
        if not value:
            break
    memcpy(line.at, digits + at, 24 - at)
    line.at += 24 - at


cdef inline void _fraction(Line *line, unsigned int value, int width) noexcept nogil:
    """A dot and `width` digits."""
    cdef int at = width
    line.at[0] = c"."
    while at:
        line.at[at] = <char>(48 + value % 10)
        value //= 10
        at -= 1
    line.at += width + 1


cdef inline void _seconds(Line *line, double value) noexcept nogil:
    cdef unsigned long long micros = <unsigned long long>(value * 1e6)
    _number(line, micros // 1000000)
    _fraction(line, <unsigned int>(micros % 1000000), 6)


cdef inline void _millis(Line *line, const char *name, double seconds) noexcept nogil:
    cdef unsigned long long micros = <unsigned long long>(seconds * 1e6) if seconds > 0 else 0
    _put(line, name)
    _number(line, micros // 1000)
    _fraction(line, <unsigned int>(micros % 1000), 3)


cdef bint _begin(Line *line, Times *times, bytes id_, bytes trace, str ip, bytes method, bytes host, bytes target) except -1:
    _put(line, b'{"at":')
    _seconds(line, times.at)
    _put(line, b',"id":"')
    _add(line, id_)
    if trace:
        _put(line, b'","trace":"')
        _add(line, trace[3:35])
    _put(line, b'","ip":"')
    if not _add_text(line, ip):
        return False
    _put(line, b'","method":"')
    _add(line, method)
    _put(line, b'","host":"')
    if not _add_plain(line, PyBytes_AS_STRING(host), min(PyBytes_GET_SIZE(host), MOST_HOST)):
        return False
    _put(line, b'","target":"')
    return _add_plain(line, PyBytes_AS_STRING(target), min(PyBytes_GET_SIZE(target), MOST_TARGET))


cdef bint _answer(Line *line, int status, str error) except -1:
    _put(line, b'","status":')
    _number(line, status)
    if not error:
        return True
    _put(line, b',"error":"')
    if not _add_text(line, error):
        return False
    _put(line, b'"')
    return True


cdef void _end(
    Line *line, Times *times, bint whole, int attempts, unsigned long long received, unsigned long long sent
) noexcept nogil:
    if not whole:
        _put(line, b',"whole":false')
    if attempts != 1:
        _put(line, b',"attempts":')
        _number(line, attempts)
    if received:
        _put(line, b',"received":')
        _number(line, received)
    _put(line, b',"sent":')
    _number(line, sent)
    if times.queued >= 1e-6:
        _millis(line, b',"queue_ms":', times.queued)
    if times.connecting >= 1e-6:
        _millis(line, b',"connect_ms":', times.connecting)
    _millis(line, b',"first_byte_ms":', times.waited)
    _millis(line, b',"body_ms":', times.body)
    _put(line, b"}\n")


cdef bint _measure(
    Times *times, double offset, double started, double ended, double queued, double connecting, double first
) noexcept nogil:
    """Works the times out; False when one is negative, as none can be."""
    cdef double answered = first if first else ended
    times.at = offset + started
    times.queued = queued
    times.connecting = connecting
    times.waited = answered - started - queued - connecting
    times.body = ended - answered
    return times.body >= 0 and queued >= 0 and connecting >= 0


def quick_line(tuple entry, double offset, bytes by):
    """One record as a line, or None when it is left to lines.py."""
    cdef char text[MOST]
    cdef Line line
    cdef Times times
    cdef bytes host = entry[5], target = entry[6], trace = entry[7], method = entry[4], id_ = entry[0]
    cdef str error = entry[9], ip = entry[3]
    if FIXED + len(by) + len(host) + len(target) + len(ip) + len(error) + len(method) + len(id_) > MOST:
        return None
    if not _measure(&times, offset, entry[1], entry[2], entry[19], entry[20], entry[21]):
        return None
    line.at = text
    if not _begin(&line, &times, id_, trace, ip, method, host, target):
        return None
    if not _answer(&line, entry[8], error):
        return None
    _put(&line, b",")
    _add(&line, by)
    _end(&line, &times, <int>entry[15] == DONE, entry[16], entry[17], entry[18])
    return PyBytes_FromStringAndSize(text, line.at - text)


cdef class LineLog(AccessLog):
    """An access log that is JSON lines from the beginning.

    Attributes:
        writer: where frames go; None keeps them until they are taken.
    """

    cdef public Writer writer
    cdef char _text[ROOM]
    cdef Py_ssize_t _used
    cdef Py_ssize_t _count
    cdef double _offset

    cpdef add(self, Request request, str ip, double ended):
        """Notes a request that has ended; see AccessLog."""
        cdef Line line
        if self.writer is None and self._packed + self._count >= MOST_WAITING:
            self.dropped += 1
            return
        if not self._count:
            self._offset = time.time() - time.perf_counter()
        line.at = self._text + self._used
        if self._write(&line, request, ip, ended):
            self._used = line.at - self._text
            self._count += 1
            if self._count == FRAME or self._used > ROOM - MOST:
                self._close_frame()
        else:
            AccessLog.add(self, request, ip, ended)

    cpdef _gather(self):
        self._close_frame()
        AccessLog._gather(self)

    def flush(self):
        """Gives the writer what is noted."""
        self._gather()

    def __len__(self):
        return AccessLog.__len__(self) + self._count + (self.writer._records if self.writer is not None else 0)

    cdef _close_frame(self):
        if self._count:
            if self.writer is not None:
                self._hand_on(self._text, self._used, self._count)
            else:
                AccessLog._keep(self, Frame(PyBytes_FromStringAndSize(self._text, self._used), self._count))
            self._used = self._count = 0

    cdef _keep(self, FrameType frame):
        if self.writer is not None:
            self._hand_on(PyBytes_AS_STRING(frame.data), PyBytes_GET_SIZE(frame.data), frame.count)
        else:
            AccessLog._keep(self, frame)

    cdef _hand_on(self, const char *text, Py_ssize_t size, Py_ssize_t records):
        if not self.writer.put(text, size, records):
            self.dropped += records

    cdef bint _write(self, Line *line, Request request, str ip, double ended) except -1:
        cdef RequestHead head = request.head
        cdef Route route = request.route
        cdef Endpoint endpoint = request.endpoint
        cdef str project = route.project if route is not None else ""
        cdef str environment = route.environment if route is not None else ""
        cdef str instance = endpoint.instance if endpoint is not None else ""
        cdef str kind = KINDS[request.kind]
        cdef Times times
        if len(project) + len(environment) + len(request.release) + len(instance) + len(head.method) > MOST // 4:
            return False
        if not _measure(
            &times, self._offset, request.started, ended, request.queued, request.connecting, request.first
        ):
            return False
        if not _begin(line, &times, request.id, head.traceparent, ip, head.method, head.host, head.target):
            return False
        if not _answer(line, request.status, request.error):
            return False
        _put(line, b',"project":"')
        if not _add_text(line, project):
            return False
        _put(line, b'","environment":"')
        if not _add_text(line, environment):
            return False
        _put(line, b'","release":"')
        if not _add_text(line, request.release):
            return False
        _put(line, b'","instance":"')
        if not _add_text(line, instance):
            return False
        _put(line, b'","kind":"')
        if not _add_text(line, kind):
            return False
        _put(line, b'"')
        _end(line, &times, request.phase == DONE, request.attempts, request.received, request.sent)
        return True
