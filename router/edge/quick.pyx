"""The poller's round with epoll_wait(2) itself; there only when compiled.

What edge/poller.py does with a list of pairs is done here with the kernel's own array.
"""

from cpython.exc cimport PyErr_SetFromErrno
from libc.errno cimport EINTR, errno

from router.edge.poller cimport Poller
from router.edge.stream cimport Stream

cdef extern from "sys/epoll.h" nogil:
    ctypedef union epoll_data_t:
        int fd
    struct epoll_event:
        unsigned int events
        epoll_data_t data
    int epoll_wait(int epfd, epoll_event *events, int maxevents, int timeout)

cdef enum:
    MOST_EVENTS = 256
    ROUNDS = 4


cdef class QuickPoller(Poller):
    """A poller; see there."""

    cdef int _fd
    cdef epoll_event _events[MOST_EVENTS]

    cpdef _serve(self):
        cdef int count = 0, i, turn
        if self._epoll.closed:
            return
        self._fd = self._epoll.fileno()
        for turn in range(ROUNDS):
            count = epoll_wait(self._fd, self._events, MOST_EVENTS, 0)
            if count < 0:
                if errno != EINTR:
                    PyErr_SetFromErrno(OSError)
                count = 0
            self._serving = True
            for i in range(count):
                self._call(self._events[i].data.fd, self._events[i].events)
            if not self._settle() and count < ROUNDS:
                return
        if self._again:
            self.loop.call_soon(self._serve)

    cdef _call(self, int fd, unsigned int mask):
        source = self._sources[fd]
        if source is None:
            return
        try:
            if type(source) is Stream:
                (<Stream>source).ready(mask)
            else:
                source.ready(mask)
        except Exception as error:
            self._blame(source, error)
