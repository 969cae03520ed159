cpdef bytes proxied(double total, double queued, double connecting)
cpdef bytes own(double total)
