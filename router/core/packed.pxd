cimport cython

from router.core cimport id_bytes
from router.core.records cimport Route, plain

cdef int _MORE
cdef int _PROJECT
cdef int _PRODUCTION
cdef int _RELEASE
cdef int _STATIC
cdef Py_ssize_t _PROJECT_AT
cdef Py_ssize_t _RELEASE_AT


cpdef bytes pack(Route route)

@cython.locals(host=object, kind=object, release=object, flags=object, project_raw=bytes, release_raw=bytes)
cpdef tuple pack_plain(dict record)

@cython.locals(flags=int, name=str, route=Route)
cpdef Route unpack(bytes host, bytes path, bytes packed)

cpdef dict unpack_record(bytes host, bytes path, bytes packed)
