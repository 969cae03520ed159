"""A thread that writes pieces of text to a file and never takes the interpreter's lock; there only when compiled.

A thread of Python's would have to take that lock from the data path after each write, which costs both of them more
than the writing itself. Here the path copies a piece, and signals a condition. Pieces are small and written at once, so
they are still in the processor's caches, and their memory is used again and again.
"""

import os
import threading

from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc
from libc.errno cimport EINTR, errno
from libc.string cimport memcpy
from posix.time cimport nanosleep, timespec

cdef extern from "pthread.h" nogil:
    int pthread_mutex_init(pthread_mutex_t *, void *)
    int pthread_mutex_destroy(pthread_mutex_t *)
    int pthread_mutex_lock(pthread_mutex_t *)
    int pthread_mutex_unlock(pthread_mutex_t *)
    int pthread_cond_init(pthread_cond_t *, void *)
    int pthread_cond_destroy(pthread_cond_t *)
    int pthread_cond_signal(pthread_cond_t *)
    int pthread_cond_wait(pthread_cond_t *, pthread_mutex_t *)

cdef extern from "unistd.h" nogil:
    ssize_t c_write "write"(int fd, const void *data, size_t size)

cdef enum:
    USUAL = 65536  # bytes of a piece; one of that size is kept for the next
    MOST_BYTES = 6291456  # that wait, as in noted.py
    PAUSE_NS = 100000000  # before a write that failed is tried again: a disk may have room by then


cdef class Writer:
    """Writes in the order of `put`, each piece once.

    Args of the constructor:
        fd: opened for appending; the writer closes it when it has ended.
    """

    def __init__(self, int fd):
        self._fd = fd
        self._thread = threading.Thread(target=self._run, name="access log", daemon=True)
        self._thread.start()

    def __cinit__(self):
        self._first = self._last = self._spare = NULL
        pthread_mutex_init(&self._lock, NULL)
        pthread_cond_init(&self._changed, NULL)

    def __dealloc__(self):
        cdef Piece *piece = self._first
        cdef Piece *after
        while piece:
            after = piece.next
            PyMem_RawFree(piece)
            piece = after
        PyMem_RawFree(self._spare)
        pthread_cond_destroy(&self._changed)
        pthread_mutex_destroy(&self._lock)

    @property
    def records(self):
        """Records that wait to be written."""
        return self._records

    @property
    def error(self):
        """The errno of the last write, 0 when it went well."""
        return self._error

    def end(self, double within_s):
        """Returns when all is written, or cannot be within this time (seconds); it may block for as long."""
        pthread_mutex_lock(&self._lock)
        self._ending = True
        pthread_cond_signal(&self._changed)
        pthread_mutex_unlock(&self._lock)
        self._thread.join(within_s)

    cdef bint put(self, const char *text, Py_ssize_t size, Py_ssize_t records) except -1:
        """Takes a copy; False when too much waits already."""
        cdef Piece *piece = NULL
        pthread_mutex_lock(&self._lock)
        if self._bytes + size > MOST_BYTES:
            pthread_mutex_unlock(&self._lock)
            return False
        if size <= USUAL:
            piece, self._spare = self._spare, NULL
        pthread_mutex_unlock(&self._lock)
        if piece == NULL:
            piece = <Piece *>PyMem_RawMalloc(sizeof(Piece) + max(size, USUAL))
            if piece == NULL:
                raise MemoryError
        piece.next, piece.size, piece.records = NULL, size, records
        memcpy(piece + 1, text, size)
        pthread_mutex_lock(&self._lock)
        if self._last == NULL:
            self._first = piece
        else:
            self._last.next = piece
        self._last = piece
        self._bytes += size
        self._records += records
        pthread_cond_signal(&self._changed)
        pthread_mutex_unlock(&self._lock)
        return True

    def _run(self):
        with nogil:
            self._write_all()
        os.close(self._fd)

    cdef void _write_all(self) noexcept nogil:
        cdef Piece *piece
        pthread_mutex_lock(&self._lock)
        while True:
            while self._first == NULL and not self._ending:
                pthread_cond_wait(&self._changed, &self._lock)
            piece = self._first
            if piece == NULL:
                break
            pthread_mutex_unlock(&self._lock)
            if not self._write(piece):
                return  # what waits is lost, and `records` says how much
            pthread_mutex_lock(&self._lock)
            self._first = piece.next
            if self._first == NULL:
                self._last = NULL
            self._bytes -= piece.size
            self._records -= piece.records
            self._free(piece)
        pthread_mutex_unlock(&self._lock)

    cdef bint _write(self, Piece *piece) noexcept nogil:
        """Writes a whole piece, however long that takes; False when it cannot and is to end."""
        cdef const char *text = <const char *>(piece + 1)
        cdef Py_ssize_t left = piece.size
        cdef ssize_t written
        cdef timespec pause
        while left:
            written = c_write(self._fd, text, left)
            if written >= 0:
                self._error = 0
                text += written
                left -= written
            elif errno != EINTR:
                self._error = errno
                if self._ending:
                    return False
                pause.tv_sec, pause.tv_nsec = 0, PAUSE_NS
                nanosleep(&pause, NULL)
        return True

    cdef void _free(self, Piece *piece) noexcept nogil:
        if self._spare == NULL and piece.size <= USUAL:
            self._spare = piece
        else:
            PyMem_RawFree(piece)
