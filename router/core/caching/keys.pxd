cimport cython

from router.core.caching.rule cimport CacheRule


@cython.locals(parts=list)
cpdef bytes normal_target(bytes target, CacheRule rule)
cpdef bytes url_of(bytes host, bytes target, CacheRule rule)
@cython.locals(key=bytes)
cpdef bytes primary_key(bytes owner, bytes host, bytes url, CacheRule rule, bytes lines)
cpdef bytes variant(tuple names, bytes lines)
cdef bytes _value(bytes lines, bytes name)
cdef bytes _normal(bytes name, bytes value)
