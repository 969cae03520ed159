cpdef bytes proxied(double total, double queued, double connecting, bint cold=*)
cpdef bytes own(double total)
