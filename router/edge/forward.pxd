cimport cython

from router cimport clock
from router.core.activity cimport Activity
from router.core.balance cimport Endpoint, pick
from router.core cimport glue
from router.core.head cimport RequestHead
from router.core.records cimport Route
from router.core.releases cimport Release
from router.core.rules cimport Policy
from router.core.request cimport Request
from router.edge cimport policing
from router.edge.answering cimport Answering
from router.edge.context cimport Edge
from router.edge.upstream cimport Upstream, take
from router.core.waits cimport Waits


@cython.locals(edge=Edge, endpoint=Endpoint, upstream=Upstream, release=Release, policy=Policy)
cpdef attempt(Answering client, Request request, Route route)
@cython.locals(settings=Waits, out=bytes)
cpdef send(Answering client, Request request, Upstream upstream)
@cython.locals(edge=Edge, endpoint=Endpoint)
cdef Endpoint _pick(Answering client, Request request, Release release)
@cython.locals(activity=Activity)
cdef _prepare(Answering client, Request request, Release release)
@cython.locals(head=RequestHead)
cdef bytes _head(Answering client, Request request)
