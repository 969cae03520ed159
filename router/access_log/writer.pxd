from posix.time cimport timespec

cdef extern from "pthread.h" nogil:
    ctypedef struct pthread_mutex_t:
        pass
    ctypedef struct pthread_cond_t:
        pass


cdef struct Piece:
    Piece *next
    Py_ssize_t size
    Py_ssize_t records


cdef class Writer:
    cdef int _fd
    cdef int _error
    cdef bint _ending
    cdef Py_ssize_t _records
    cdef Py_ssize_t _bytes
    cdef Piece *_first
    cdef Piece *_last
    cdef Piece *_spare
    cdef pthread_mutex_t _lock
    cdef pthread_cond_t _changed
    cdef object _thread

    cdef bint put(self, const char *text, Py_ssize_t size, Py_ssize_t records) except -1
    cdef void _write_all(self) noexcept nogil
    cdef bint _write(self, Piece *piece) noexcept nogil
    cdef void _free(self, Piece *piece) noexcept nogil
