cimport cython

from router.edge.receiver cimport Receiver
from router.edge.stream cimport Stream
from router.edge.transport cimport Transport


cdef class TlsStream(Transport):
    cdef Stream _stream
    cdef object _secured
    cdef object _incoming
    cdef object _outgoing
    cdef object _protocol
    cdef Receiver _receiver
    cdef object _decrypt
    cdef object _encrypt
    cdef object _error
    cdef bint _ended
    cdef bint _shut
    cdef bint _choked
    cdef bint _paused
    cdef bint _partial
    cdef bint _owing
    cdef object __weakref__

    @cython.locals(plain=bytes)
    cpdef data_received(self, bytes data)
    cpdef write(self, data)
    cpdef close(self)
    cpdef abort(self)
    cpdef write_eof(self)
    cpdef pause_reading(self)
    cpdef resume_reading(self)
    cpdef bint is_closing(self)
    cdef _give(self, bytes plain)
    cdef bytes _read_on(self, bytes first)
    cdef _write_records(self, data)
    cdef _answer(self)
    cdef _say_end(self)
    cdef _break(self, error)
