"""recv(2) and send(2) without a socket object around them; there only when compiled.

Small reads go through one buffer of the process, so that a short answer does not cost an allocation of the largest size.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_CheckSignals, PyErr_SetFromErrno
from libc.errno cimport EAGAIN, EINTR, errno

cdef extern from *:
    """
    #include <sys/socket.h>
    #include <sys/syscall.h>
    #include <unistd.h>
    /* Not by libc's recv and send: they are cancellation points, which costs a process that has threads two atomic
       operations each time. */
    #ifdef SYS_recvfrom
    #define c_recv(fd, data, size, flags) syscall(SYS_recvfrom, fd, data, size, flags, 0, 0)
    #define c_send(fd, data, size, flags) syscall(SYS_sendto, fd, data, size, flags, 0, 0)
    #else
    #define c_recv recv
    #define c_send send
    #endif
    """
    ssize_t c_recv(int fd, void *data, size_t size, int flags) nogil
    ssize_t c_send(int fd, const void *data, size_t size, int flags) nogil
    int MSG_DONTWAIT
    int MSG_NOSIGNAL
    int MSG_PEEK

cdef enum:
    SHARED = 65536

cdef char shared[SHARED]


cdef class Descriptor:
    """One connected socket, which somebody else closes.

    Args of the constructor:
        fd: not blocking.
    """

    def __init__(self, int fd):
        self._fd = fd

    cpdef bytes recv(self, Py_ssize_t size):
        """Reads at most `size` bytes; none at the peer's end.

        Raises:
            BlockingIOError: there is nothing to read.
            OSError: as of recv(2).
        """
        cdef ssize_t got
        if size > SHARED:
            return self._recv_large(size)
        got = c_recv(self._fd, shared, size, 0)
        while got < 0 and errno == EINTR:
            PyErr_CheckSignals()
            got = c_recv(self._fd, shared, size, 0)
        if got < 0:
            PyErr_SetFromErrno(OSError)
        return PyBytes_FromStringAndSize(shared, got)

    cdef bytes _recv_large(self, Py_ssize_t size):
        """Reads in place: for these sizes a copy costs more than an allocation."""
        cdef bytes data = PyBytes_FromStringAndSize(NULL, size)
        cdef ssize_t got = c_recv(self._fd, PyBytes_AS_STRING(data), size, 0)
        while got < 0 and errno == EINTR:
            PyErr_CheckSignals()
            got = c_recv(self._fd, PyBytes_AS_STRING(data), size, 0)
        if got < 0:
            PyErr_SetFromErrno(OSError)
        return data if got == size else data[:got]

    cpdef Py_ssize_t send(self, data) except -1:
        """Writes what the kernel takes; returns how much that is.

        Raises:
            BlockingIOError: it takes nothing now.
            OSError: as of send(2).
        """
        cdef Py_buffer view
        if type(data) is bytes:
            return self._send(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            return self._send(<const char *>view.buf, view.len)
        finally:
            PyBuffer_Release(&view)

    cdef Py_ssize_t _send(self, const char *data, Py_ssize_t size) except -1:
        cdef ssize_t sent = c_send(self._fd, data, size, MSG_NOSIGNAL)
        while sent < 0 and errno == EINTR:
            PyErr_CheckSignals()
            sent = c_send(self._fd, data, size, MSG_NOSIGNAL)
        if sent < 0:
            PyErr_SetFromErrno(OSError)
        return sent


def nothing_came(int fd):
    """Whether nothing has come on a connected socket, not even the end."""
    cdef char octet
    return c_recv(fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) < 0 and errno == EAGAIN
