cimport cython


@cython.final
cdef class Budget:
    cdef public long long requests
    cdef public long long _counted
    cdef public double _tokens
    cdef public double _at
