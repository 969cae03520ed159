cdef class Waits:
    cdef public double answer_s
    cdef public double body_s
    cdef public double stream_s
    cdef public double head_s
    cdef public double keep_alive_s
